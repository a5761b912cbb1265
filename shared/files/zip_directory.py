"""The end of a zip file, read by hand: how large the directory is that `zipfile` would load, before it does."""

import struct
from typing import BinaryIO

from shared.contract.errors import UnsafeArchive

_END, _END_64, _LOCATOR_64 = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
_END_BYTES, _LOCATOR_BYTES, _END_64_BYTES = 22, 20, 56
_MAX_COMMENT = 65535
_ENTRY = struct.Struct("<4s24xHHH12x")  # signature, lengths of name, extra field and comment
_MAX_ENTRY_BYTES = 2048  # 512 letters of a name, and what programs put beside it
_STEP = 1 << 16


def check_directory(file: BinaryIO, max_entries: int) -> None:
    """Raise UnsafeArchive unless the file ends as a zip does, with a directory of at most so many entries.

    What stands before the first entry (a program, say) is refused too: the file would be two things at once.
    """
    size = file.seek(0, 2)
    offset, length = _directory(file, size)
    if length > max_entries * _MAX_ENTRY_BYTES:
        raise UnsafeArchive(
            f"The archive's directory has {length} bytes, which is more than any real one has."
        )
    entries = _count(file, offset, length, max_entries)
    if entries > max_entries:
        raise UnsafeArchive(
            f"The archive has more than {max_entries} entries, which is as many as are taken."
        )


def _directory(file: BinaryIO, size: int) -> tuple[int, int]:
    """Where the central directory begins, and its bytes."""
    tail = _at(file, max(0, size - _END_BYTES - _MAX_COMMENT), _END_BYTES + _MAX_COMMENT)
    place = tail.rfind(_END)
    if place < 0 or len(tail) - place < _END_BYTES:
        raise UnsafeArchive("This is no zip archive, or it is cut short.")
    end = max(0, size - _END_BYTES - _MAX_COMMENT) + place
    disk, first_disk, length, offset, comment = struct.unpack_from("<HH4xIIH", tail, place + 4)
    if end + _END_BYTES + comment != size:
        raise UnsafeArchive("The archive is damaged: something follows its end.")
    if disk not in (0, 0xFFFF) or first_disk not in (0, 0xFFFF):
        raise UnsafeArchive("This is one part of an archive in several parts; send it as one file.")
    locator = _at(file, end - _LOCATOR_BYTES, _LOCATOR_BYTES) if end >= _LOCATOR_BYTES else b""
    if locator[:4] == _LOCATOR_64:
        end = end - _LOCATOR_BYTES - _END_64_BYTES
        record = _at(file, end, _END_64_BYTES) if end >= 0 else b""
        if record[:4] != _END_64 or struct.unpack_from("<Q", locator, 8)[0] != end:
            raise UnsafeArchive("The archive is damaged: its end (ZIP64) is not where it says.")
        length, offset = struct.unpack_from("<QQ", record, 40)
    if offset + length != end:
        raise UnsafeArchive("The archive is damaged or cut short: its directory is not where its end says.")
    return offset, length


def _count(file: BinaryIO, offset: int, length: int, most: int) -> int:
    """How many entries the directory really has (its end may say anything), up to `most` + 1."""
    file.seek(offset)
    buffer, entries = b"", 0
    while entries <= most:
        if len(buffer) < 1 << 18 and length:  # an entry has at most 46 + 3 * 65535 bytes
            piece = file.read(min(length, 1 << 20))
            if not piece:
                break
            length -= len(piece)
            buffer += piece
        if not buffer:
            break
        if len(buffer) < _ENTRY.size or buffer[:4] != b"PK\x01\x02":
            raise UnsafeArchive("The archive is damaged: its directory cannot be read.")
        buffer, entries = _skip(buffer, entries, most)
    return entries


def _skip(buffer: bytes, entries: int, most: int) -> tuple[bytes, int]:
    """Past as many whole entries as the buffer holds, and at least one."""
    place = 0
    while place + _ENTRY.size <= len(buffer) and entries <= most:
        signature, name, extra, comment = _ENTRY.unpack_from(buffer, place)
        after = place + _ENTRY.size + name + extra + comment
        if signature != b"PK\x01\x02" or (after > len(buffer) and place > 0):
            break
        place, entries = after, entries + 1
    return buffer[place:], entries


def _at(file: BinaryIO, offset: int, length: int) -> bytes:
    file.seek(offset)
    return file.read(length)
