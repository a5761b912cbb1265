"""Zip archives from strangers: looked through before anything is unpacked, and counted again while it is."""

import os
import re
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from shared.contract.errors import UnsafeArchive, UnsafeUpload
from shared.files.sniff import HEAD_BYTES, sniff
from shared.files.system_files import is_system_path
from shared.files.zip_directory import check_directory

GIB = 1024**3
MAX_NAME, MAX_PART_BYTES, MAX_DEPTH = 512, 200, 16
# Deflate can do 1032:1. Masks come near that, a whole dataset with its images does not.
MAX_RATIO, MAX_ENTRY_RATIO, RATIO_FROM_BYTES = 200, 1000, 16 * 1024 * 1024
MAX_FILES_OF_VOLUME = 20_000
_STEP = 1 << 18
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ARCHIVE_NAME = re.compile(
    r"\.(zip|tar|tgz|tbz2?|txz|gz|bz2|xz|zst|7z|rar|jar|iso|lz4?|lzma|cab|arj)$", re.IGNORECASE
)
_VOLUME_NAME = re.compile(r"\.nii\.gz$", re.IGNORECASE)  # one compressed picture, no archive
_ARCHIVE_CONTENT = frozenset({"ZIP", "tar", "7z", "RAR", "gzip"})
_MORE_MAGIC = (b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd")
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError, struct.error, IndexError)


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """What an archive may grow to."""

    max_files: int = 200_000
    max_bytes: int = 100 * GIB


def of_volume(sent_bytes: int) -> ArchiveLimits:
    """For the zip of one study, where `sent_bytes` at most are taken: slices compress to a half or a third."""
    return ArchiveLimits(MAX_FILES_OF_VOLUME, 4 * sent_bytes)


class _Unsafe(Exception):
    """What is wrong, and with which entry if it is one of them."""

    def __init__(self, why: str, info: zipfile.ZipInfo | None = None) -> None:
        super().__init__(why)
        self.why, self.info = why, info


@dataclass(frozen=True, slots=True)
class Listing:
    """The files that unpacking would make, by name, and their bytes in all."""

    names: tuple[str, ...]
    bytes: int


def check(file: BinaryIO, limits: ArchiveLimits, *, of_patients: bool = False) -> Listing:
    """Look through a seekable zip without unpacking it; raises UnsafeArchive that names the entry.

    `of_patients`: a name may be a patient's, so an UnsafeUpload speaks of "entry 12 of 70".
    """
    with _opened(file, limits, of_patients) as archive:
        infos = _checked(archive, limits)
    return Listing(tuple(info.filename for info in infos), sum(info.file_size for info in infos))


def unpack(
    file: BinaryIO,
    folder: Path,
    limits: ArchiveLimits,
    on_progress: Callable[[int, int], None] = lambda done, of: None,
    *,
    of_patients: bool = False,
) -> Listing:
    """Write the files into the empty `folder`, piece by piece; `on_progress(bytes, of)` after each piece.

    Raises UnsafeArchive that names the entry (also for a wrong checksum), or UnsafeUpload as `check` does, and
    OSError as the disk does.
    """
    with _opened(file, limits, of_patients) as archive:
        infos = _checked(archive, limits)
        total, done = sum(info.file_size for info in infos), 0
        for info in infos:
            target = folder.joinpath(*info.filename.split("/"))
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _created(target) as out:
                for piece in _pieces(archive, info):
                    done += len(piece)
                    if done > limits.max_bytes:
                        raise _Unsafe(f"The archive holds more than {limits.max_bytes} bytes.")
                    out.write(piece)
                    on_progress(done, total)
    return Listing(tuple(info.filename for info in infos), done)


def read_entry(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    """One file of an archive that was checked; raises KeyError, UnsafeArchive above `most` bytes."""
    info = archive.getinfo(name)
    if info.file_size > most:
        raise UnsafeArchive(f"{info.filename} has {info.file_size} bytes; at most {most} are read.")
    try:
        with _whole(info):
            return archive.read(info)
    except _Unsafe as error:
        raise UnsafeArchive(f"{_shown(info)} {error.why}") from error


@contextmanager
def _opened(file: BinaryIO, limits: ArchiveLimits, of_patients: bool) -> Iterator[zipfile.ZipFile]:
    """zipfile reads the whole directory into memory, so its size is checked before."""
    refusal = UnsafeUpload if of_patients else UnsafeArchive
    try:
        check_directory(file, limits.max_files)
        archive = zipfile.ZipFile(file)
    except UnsafeArchive as error:
        raise refusal(error.detail) from error
    except (*_DAMAGED, NotImplementedError) as error:
        raise refusal("The archive is damaged: its directory cannot be read.") from error
    with archive:
        try:
            yield archive
        except _Unsafe as error:
            if error.info is None:
                raise refusal(error.why) from error
            shown = _numbered(error.info, archive) if of_patients else _shown(error.info)
            raise refusal(f"{shown} {error.why}") from None if of_patients else error


def _checked(archive: zipfile.ZipFile, limits: ArchiveLimits) -> list[zipfile.ZipInfo]:
    infos = archive.infolist()
    _check_amounts(infos, limits)
    _check_overlaps(infos, archive.start_dir)
    seen: dict[str, tuple[str, str]] = {}
    for info in infos:
        _check_kind(info)
        _check_names(info)
        _check_twice(info, seen)
    kept = [info for info in infos if not info.is_dir() and not is_system_path(info.filename)]
    for info in kept:
        if _ARCHIVE_NAME.search(info.filename) and not _VOLUME_NAME.search(info.filename):
            raise _Unsafe("is an archive in the archive; put its files in directly.", info)
    if not kept:
        raise _Unsafe("The archive has no file in it.")
    return kept


def _check_amounts(infos: list[zipfile.ZipInfo], limits: ArchiveLimits) -> None:
    if len(infos) > limits.max_files:
        raise _Unsafe(f"The archive has {len(infos)} entries; at most {limits.max_files} are taken.")
    total = sum(info.file_size for info in infos)
    if total > limits.max_bytes:
        raise _Unsafe(f"The archive holds {total} bytes; at most {limits.max_bytes} are taken.")
    for info in infos:
        if info.file_size >= RATIO_FROM_BYTES and info.file_size > MAX_ENTRY_RATIO * info.compress_size:
            raise _Unsafe(f"would grow to more than {MAX_ENTRY_RATIO} times its size.", info)
    packed = sum(info.compress_size for info in infos)
    if total >= RATIO_FROM_BYTES and total > MAX_RATIO * packed:
        raise _Unsafe(
            f"The archive would grow from {packed} to {total} bytes, more than {MAX_RATIO} times its size."
        )


def _check_overlaps(infos: list[zipfile.ZipInfo], end: int) -> None:
    """Entries that share bytes are how a small zip holds petabytes; zipfile checks it from Python 3.11.8 on only."""
    for info in sorted(infos, key=lambda info: info.header_offset, reverse=True):
        if info.header_offset + 30 + len(info.orig_filename) + info.compress_size > end:
            raise _Unsafe("overlaps with what follows it.", info)
        end = info.header_offset


def _check_kind(info: zipfile.ZipInfo) -> None:
    if info.flag_bits & _ENCRYPTED:
        raise _Unsafe("is encrypted; send the archive without a password.", info)
    if info.compress_type not in _METHODS:
        raise _Unsafe(
            "is compressed in a way that is not taken; make the zip with deflate (the usual way).", info
        )
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        what = "a symbolic link" if kind == stat.S_IFLNK else "a special file"
        raise _Unsafe(f"is {what}; only files and folders are taken.", info)


def _check_names(info: zipfile.ZipInfo) -> None:
    """The name in the directory, which zipfile cuts at a NUL, and what it makes of it: from Python 3.12 on an extra
    field may give the entry another one."""
    for name in (info.orig_filename, info.filename):
        _check_name(info, name)


def _check_name(info: zipfile.ZipInfo, name: str) -> None:
    parts = name.removesuffix("/").split("/")
    if name.startswith("/") or re.match(r"[A-Za-z]:", name):
        why = "is an absolute path"
    elif "\\" in name:
        why = "has a backslash in its name; make the zip with forward slashes"
    elif any(unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp") for letter in name):
        why = "has control characters in its name"
    elif any(part in ("", ".", "..") for part in parts):
        why = "leads out of the archive or nowhere"
    elif len(name) > MAX_NAME or any(len(part.encode()) > MAX_PART_BYTES for part in parts):
        why = f"has too long a name (at most {MAX_NAME} letters, {MAX_PART_BYTES} bytes a part)"
    elif len(parts) > MAX_DEPTH:
        why = f"lies more than {MAX_DEPTH} folders deep"
    else:
        return
    raise _Unsafe(f"{why}.", info)


def _check_twice(info: zipfile.ZipInfo, seen: dict[str, tuple[str, str]]) -> None:
    """Each file once, and no two spellings that some file system takes for one; `seen` is by folded path."""
    path, kind = info.filename.removesuffix("/"), "folder" if info.is_dir() else "file"
    twice = kind == "file" and _folded(path) in seen
    while path and not twice:
        twice = seen.setdefault(_folded(path), (kind, path)) != (kind, path)
        path, kind = path.rpartition("/")[0], "folder"
    if twice:
        raise _Unsafe("stands in the archive twice, or in two spellings.", info)


def _folded(path: str) -> str:
    return path.lower() if path.isascii() else unicodedata.normalize("NFKC", path).casefold()


def _pieces(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    with _whole(info), archive.open(info) as entry:
        piece = entry.read(_STEP)
        head = piece[:HEAD_BYTES]
        if sniff(head) in _ARCHIVE_CONTENT or head.startswith(_MORE_MAGIC):
            raise _Unsafe("is an archive in the archive; put its files in directly.", info)
        while piece:
            yield piece
            piece = entry.read(_STEP)


@contextmanager
def _whole(info: zipfile.ZipInfo) -> Iterator[None]:
    """What zipfile raises on broken content, in our words."""
    try:
        yield
    except (*_DAMAGED, NotImplementedError) as error:
        raise _Unsafe("is damaged: it cannot be read whole.", info) from error


def _created(path: Path) -> BinaryIO:
    """A new file, ours alone; FileExistsError rather than through anything that lies there."""
    return os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600), "wb")


def _shown(info: zipfile.ZipInfo) -> str:
    """The entry's name, printable and short."""
    name = "".join(letter if letter.isprintable() else "?" for letter in info.orig_filename[:200])
    return name or "an entry without a name"


def _numbered(info: zipfile.ZipInfo, archive: zipfile.ZipFile) -> str:
    """The entry by its place."""
    infos = archive.infolist()
    place = next(place for place, other in enumerate(infos, 1) if other is info)
    return f"Entry {place} of {len(infos)}"
