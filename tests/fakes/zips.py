"""Zip archives: honest ones by zipfile, and hostile ones that it would not write, bytes by hand."""

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

END = struct.Struct("<4sHHHHIIH")


def archive(files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """As zipfile writes it."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as made:
        for name, data in files.items():
            made.writestr(name, data)
    return stream.getvalue()


def of_folder(root: Path) -> bytes:
    """All files under a folder, stored."""
    return archive(
        {
            str(path.relative_to(root)): path.read_bytes()
            for path in sorted(root.rglob("*"))
            if path.is_file()
        },
        zipfile.ZIP_STORED,
    )


@dataclass(frozen=True)
class Entry:
    """One entry; None takes what is right."""

    name: str | bytes
    data: bytes = b"x"
    method: int = 0
    flags: int = 0
    mode: int = 0
    crc: int | None = None
    size: int | None = None
    packed: int | None = None
    offset: int | None = None
    extra: bytes = b""

    @property
    def raw_name(self) -> bytes:
        return self.name if isinstance(self.name, bytes) else self.name.encode()

    @property
    def body(self) -> bytes:
        if self.method != zipfile.ZIP_DEFLATED:
            return self.data
        deflate = zlib.compressobj(9, wbits=-15)
        return deflate.compress(self.data) + deflate.flush()

    def fields(self) -> tuple[int, ...]:
        crc = zlib.crc32(self.data) if self.crc is None else self.crc
        packed = len(self.body) if self.packed is None else self.packed
        return self.method, 0, 33, crc, packed, len(self.data) if self.size is None else self.size

    def local(self) -> bytes:
        flags = self.flags | 0x800
        head = struct.pack("<4sHHHHHIIIHH", b"PK\x03\x04", 20, flags, *self.fields(), len(self.raw_name), 0)
        return head + self.raw_name + self.body

    def central(self, offset: int) -> bytes:
        flags = self.flags | 0x800
        at = offset if self.offset is None else self.offset
        lengths = (len(self.raw_name), len(self.extra), 0, 0, 0, self.mode << 16, at)
        head = struct.pack(
            "<4sHHHHHHIIIHHHHHII", b"PK\x01\x02", 3 << 8 | 20, 20, flags, *self.fields(), *lengths
        )
        return head + self.raw_name + self.extra


def by_hand(entries: Sequence[Entry], *, before: bytes = b"", after: bytes = b"", **end: int) -> bytes:
    """A zip of these entries; `end` overrides `entries`, `length` or `offset` of the end record."""
    locals_, central, place = b"", b"", len(before)
    for entry in entries:
        central += entry.central(place)
        locals_ += entry.local()
        place = len(before) + len(locals_)
    count = end.get("entries", len(entries)) & 0xFFFF
    record = END.pack(
        b"PK\x05\x06", 0, 0, count, count, end.get("length", len(central)), end.get("offset", place), 0
    )
    return before + locals_ + central + record + after


def quoted_bomb(copies: int, data: bytes) -> bytes:
    """Many entries that all name the same bytes (as D. Fifield's bombs do in their simplest form)."""
    one = Entry("0", data, zipfile.ZIP_DEFLATED)
    local = one.local()
    central = b"".join(replace(one, name=str(n), offset=0).central(0) for n in range(copies))
    return local + central + END.pack(b"PK\x05\x06", 0, 0, copies, copies, len(central), len(local), 0)
