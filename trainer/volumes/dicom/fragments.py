"""Where the frames of compressed pixels lie in a DICOM file (PS3.5, A.4): every length is held against the file."""

from dataclasses import dataclass
from itertools import pairwise
from typing import BinaryIO

import numpy as np

from shared.contract.errors import UndecodableImage

Pieces = list[tuple[int, int]]  # (offset in the file, length) of what together is one frame

_ITEM, _END = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"
_MAX_FRAGMENTS = 1 << 18
# JPEG and JPEG-LS; JPEG 2000: where frames begin if no table says so.
_BEGINNINGS = (b"\xff\xd8\xff", b"\xff\x4f\xff\x51")


@dataclass(frozen=True)
class Frames:
    """The pieces of each frame; `loose_end`: no delimiter says that the last one was the last."""

    pieces: list[Pieces]
    loose_end: bool


def frames_at(
    file: BinaryIO, start: int, size: int, count: int, extended: bytes | None, name: str
) -> Frames:
    """The pieces of each of `count` frames, of a value that begins at `start` of a file of `size` bytes.

    `extended` is the Extended Offset Table, where there is one. Without a delimiter at the end all frames have to be
    there; whether the last one is whole is seen when it is decoded. Raises UndecodableImage.
    """
    fragments, loose_end = _fragments(file, start, size, name)
    return Frames(_frames(file, fragments, count, extended, name), loose_end)


def _frames(
    file: BinaryIO, fragments: Pieces, count: int, extended: bytes | None, name: str
) -> list[Pieces]:
    table_at, table_length = fragments[0]
    pieces = fragments[1:]
    if len(pieces) == count:
        return [[piece] for piece in pieces]
    if count == 1 and pieces:
        return [pieces]
    file.seek(table_at)
    begins = _begins(file.read(table_length), extended, pieces, count)
    if begins is None:
        begins = [index for index, (offset, _) in enumerate(pieces) if _begins_frame(file, offset)]
    if len(begins) != count or begins[0] != 0:
        raise UndecodableImage(
            f"{name} is damaged: it does not hold the {count} frames that its header promises."
        )
    return [pieces[first:last] for first, last in pairwise([*begins, len(pieces)])]


def _fragments(file: BinaryIO, start: int, size: int, name: str) -> tuple[Pieces, bool]:
    """(offset, length) of the value of each item, the first one is the Basic Offset Table; whether no delimiter ends
    them: the file ends, or something else follows."""
    found: Pieces = []
    at = start
    while len(found) <= _MAX_FRAGMENTS:
        at, head = _item_at(file, at, found)
        if head[:4] == _END and found:
            return found, False
        length = int.from_bytes(head[4:], "little")
        if head[:4] != _ITEM and len(found) > 1:
            return found, True
        if head[:4] != _ITEM or len(head) < 8 or at + 8 + length > size:
            break
        found.append((at + 8, length))
        at += 8 + length
    raise _cut_short(name)


def _item_at(file: BinaryIO, at: int, before: Pieces) -> tuple[int, bytes]:
    """Where the next item begins, and its head. Some writers pad a fragment of odd length and do not count it."""
    file.seek(at)
    head = file.read(8)
    if before and before[-1][1] % 2 and head[:4] not in (_ITEM, _END):
        file.seek(at + 1)
        padded = file.read(8)
        if padded[:4] in (_ITEM, _END):
            return at + 1, padded
    return at, head


def _cut_short(name: str) -> UndecodableImage:
    return UndecodableImage(
        f"{name} is cut short or damaged: its compressed pixels do not end where they should."
    )


def _begins(table: bytes, extended: bytes | None, pieces: Pieces, count: int) -> list[int] | None:
    """By the offset tables, the fragment that each frame begins with; None without a table that fits."""
    if extended and len(extended) == 8 * count:
        offsets = np.frombuffer(extended, "<u8")
    elif len(table) == 4 * count:
        offsets = np.frombuffer(table, "<u4")
    else:
        return None
    places = {offset - pieces[0][0]: index for index, (offset, _) in enumerate(pieces)}
    begins = [places.get(int(offset), -1) for offset in offsets]
    return begins if -1 not in begins and all(one < other for one, other in pairwise(begins)) else None


def _begins_frame(file: BinaryIO, offset: int) -> bool:
    file.seek(offset)
    return file.read(4).startswith(_BEGINNINGS)
