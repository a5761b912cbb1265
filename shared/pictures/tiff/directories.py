"""The structure of a TIFF file (TIFF 6.0 and BigTIFF, both byte orders): directories, tags, pages.

Every number in it may be hostile: nothing is allocated or followed before it was held against the file's length.
"""

import mmap
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, overload

import numpy as np

from shared.contract.errors import UndecodableImage, UnsupportedFormat

ByteOrder = Literal["<", ">"]
Content = bytes | mmap.mmap

NEW_SUBFILE_TYPE, SUBFILE_TYPE = 254, 255
_INTEGER_TYPES = {1: "u1", 3: "u2", 4: "u4", 13: "u4", 16: "u8", 18: "u8"}
_SIZES = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 8,
    6: 1,
    7: 1,
    8: 2,
    9: 4,
    10: 8,
    11: 4,
    12: 8,
    13: 4,
    16: 8,
    17: 8,
    18: 8,
}
# A directory of a real file has about 20 tags; directories may overlap, so a small file could ask for much reading.
_MAX_ENTRIES = 1024
# As many slices as a volume may have, each with a thumbnail, and 32 tags each.
_MAX_DIRECTORIES = 8192
_MAX_TAGS = 1 << 18


@dataclass(frozen=True)
class _Entry:
    type: int
    count: int
    offset: int  # where the value lies in the file


@dataclass(frozen=True)
class Directory:
    """One image file directory: its tags, read on demand."""

    data: Content
    order: ByteOrder
    entries: dict[int, _Entry]

    def __contains__(self, tag: int) -> bool:
        return tag in self.entries

    def count(self, tag: int) -> int:
        """How many values the tag has; 0 if it is absent."""
        return self.entries[tag].count if tag in self.entries else 0

    def numbers(self, tag: int) -> np.ndarray:
        """The tag's unsigned integers as int64 (above 2^63: negative); UndecodableImage if they are none."""
        entry = self.entries[tag]
        if entry.type not in _INTEGER_TYPES:
            raise UndecodableImage(f"The TIFF's tag {tag} has the wrong type.")
        self._check_inside(entry, tag)
        dtype = np.dtype(self.order + _INTEGER_TYPES[entry.type])
        return np.frombuffer(self.data, dtype, entry.count, entry.offset).astype(np.int64)

    def number(self, tag: int, default: int | None = None) -> int:
        """The tag's first number; UndecodableImage if it is absent and there is no default."""
        entry = self.entries.get(tag)
        if entry is None or entry.count == 0:
            if default is None:
                raise UndecodableImage(f"The TIFF's tag {tag} is missing.")
            return default
        code = {"u1": "B", "u2": "H", "u4": "I", "u8": "Q"}.get(_INTEGER_TYPES.get(entry.type, ""))
        if code is None:
            raise UndecodableImage(f"The TIFF's tag {tag} has the wrong type.")
        self._check_inside(entry, tag)
        value: int = struct.unpack_from(self.order + code, self.data, entry.offset)[0]
        return value

    def raw(self, tag: int, most: int = 1 << 30) -> bytes:
        """The tag's bytes as they stand in the file (ASCII, undefined), at most so many; empty if it is absent."""
        entry = self.entries.get(tag)
        if entry is None:
            return b""
        self._check_inside(entry, tag)
        return self.data[entry.offset : entry.offset + min(most, _SIZES[entry.type] * entry.count)]

    def rational(self, tag: int) -> float | None:
        """The tag's first unsigned rational; None if it is absent or not a number."""
        entry = self.entries.get(tag)
        if entry is None or entry.type != 5 or entry.count < 1:
            return None
        self._check_inside(entry, tag)
        above, below = struct.unpack_from(self.order + "II", self.data, entry.offset)
        return above / below if below else None

    def _check_inside(self, entry: _Entry, tag: int) -> None:
        if entry.offset + _SIZES[entry.type] * entry.count > len(self.data):
            raise UndecodableImage(f"The TIFF is cut short: tag {tag} points beyond the end of the file.")


class Pages(Sequence[Directory]):
    """The full-resolution pages of a file, each read when it is asked for; the first of all where there is none.

    Raises UndecodableImage for a broken structure, UnsupportedFormat for more than a volume can have.
    """

    def __init__(self, data: Content) -> None:
        self._chain = _Chain.open(data)
        offsets = self._chain.offsets()
        whole = [offset for offset in offsets if not _is_reduced(self._chain.directory(offset))]
        self._offsets = whole or [offsets[0]]

    def __len__(self) -> int:
        return len(self._offsets)

    @overload
    def __getitem__(self, place: int) -> Directory: ...

    @overload
    def __getitem__(self, place: slice) -> list[Directory]: ...

    def __getitem__(self, place: int | slice) -> Directory | list[Directory]:
        if isinstance(place, slice):
            return [self._chain.directory(offset) for offset in self._offsets[place]]
        return self._chain.directory(self._offsets[place])


def only_page(data: Content) -> Directory:
    """The one full-resolution page; UnsupportedFormat for more of them, UndecodableImage for a broken structure."""
    pages = Pages(data)
    if len(pages) > 1:
        raise UnsupportedFormat(
            f"This TIFF has {len(pages)} pages: a stack of slices is a volume, which POST /v1/segmentations takes;"
            " where a single picture is asked for, send one slice a file."
        )
    return pages[0]


def _is_reduced(directory: Directory) -> bool:
    """A thumbnail (reduced resolution) or a transparency mask of another page: no page of its own."""
    return bool(directory.number(NEW_SUBFILE_TYPE, 0) & 0b101) or directory.number(SUBFILE_TYPE, 1) == 2


@dataclass(frozen=True)
class _Chain:
    """The linked list of directories, classic (32 bit) or BigTIFF (64 bit)."""

    data: Content
    order: ByteOrder
    first: int
    count_code: str  # of a directory's number of entries
    entry_code: str  # tag, type, count, value or its offset
    next_code: str

    @classmethod
    def open(cls, data: Content) -> "_Chain":
        if len(data) < 16:
            raise UndecodableImage("The TIFF is cut short.")
        order: ByteOrder = "<" if data[:2] == b"II" else ">"
        if struct.unpack_from(order + "H", data, 2)[0] == 42:
            return cls(data, order, struct.unpack_from(order + "I", data, 4)[0], "H", "HHI4s", "I")
        offset_size, zero, first = struct.unpack_from(order + "HHQ", data, 4)
        if (offset_size, zero) != (8, 0):
            raise UndecodableImage("The BigTIFF's header is damaged.")
        return cls(data, order, first, "Q", "HHQ8s", "Q")

    def offsets(self) -> Sequence[int]:
        """Where the directories lie; UndecodableImage for a circle, a dangling link or none at all."""
        seen: dict[int, None] = {}
        offset, tags = self.first, 0
        while offset:
            if offset in seen:
                raise UndecodableImage("The TIFF is damaged: its list of pages runs in a circle.")
            if len(seen) >= _MAX_DIRECTORIES:
                raise UnsupportedFormat(
                    f"This TIFF has more than {_MAX_DIRECTORIES} pages, which no volume has."
                )
            seen[offset] = None
            count, start = self._entry_count(offset)
            tags += count
            if tags > _MAX_TAGS:
                raise UnsupportedFormat(f"This TIFF has more than {_MAX_TAGS} tags, which no volume has.")
            offset = self._unpack(self.next_code, start + count * self._entry_size)[0]
        if not seen:
            raise UndecodableImage("The TIFF holds no page.")
        return list(seen)

    def directory(self, offset: int) -> Directory:
        count, start = self._entry_count(offset)
        size = self._entry_size
        inline = size - struct.calcsize(self.order + self.entry_code[:-2])
        value_at = size - inline
        entries: dict[int, _Entry] = {}
        for position in range(start, start + count * size, size):
            tag, kind, values, _ = self._unpack(self.entry_code, position)
            if kind not in _SIZES:
                continue  # types of the future are to be skipped (TIFF 6.0, section 2)
            if _SIZES[kind] * values <= inline:
                lies_at = position + value_at
            else:
                lies_at = self._unpack(self.next_code, position + value_at)[0]
            entries.setdefault(tag, _Entry(kind, values, lies_at))
        return Directory(self.data, self.order, entries)

    @property
    def _entry_size(self) -> int:
        return struct.calcsize(self.order + self.entry_code)

    def _entry_count(self, offset: int) -> tuple[int, int]:
        count = self._unpack(self.count_code, offset)[0]
        if not 0 < count <= _MAX_ENTRIES:
            raise UndecodableImage("The TIFF is damaged: a page has an impossible number of tags.")
        return count, offset + struct.calcsize(self.order + self.count_code)

    def _unpack(self, code: str, offset: int) -> tuple:
        if offset + struct.calcsize(self.order + code) > len(self.data):
            raise UndecodableImage("The TIFF is cut short: it points beyond the end of the file.")
        return struct.unpack_from(self.order + code, self.data, offset)
