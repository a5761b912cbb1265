"""A volume's files out of the zip in which they are stored, by the field that they came in."""

import shutil
import zipfile
from pathlib import Path

from shared.files.sniff import HEAD_BYTES, sniff
from shared.files.system_files import is_system_file
from shared.files.zip_checks import ArchiveLimits, of_volume, unpack

_STEP = 1 << 20


def unpacked(source: Path, folder: Path, max_bytes: int) -> dict[str, list[Path]]:
    """Field -> its files, in the order in which they were sent; a zip that was sent is its files. UnsafeUpload."""
    parts: dict[str, list[Path]] = {}
    with zipfile.ZipFile(source) as archive:  # the API's own, stored as it is
        for name in archive.namelist():
            field = name.partition("/")[0]
            path = folder / field / name.rpartition("/")[2]
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with archive.open(name) as entry, path.open("xb") as out:
                shutil.copyfileobj(entry, out, _STEP)
            parts.setdefault(field, []).append(path)
    for field, paths in parts.items():
        parts[field] = _without_system_files(paths)
    limits = of_volume(max_bytes)
    for field, paths in parts.items():
        if len(paths) == 1 and _kind(paths[0]) == "ZIP":
            inside = paths[0].with_name("inside")
            inside.mkdir(mode=0o700)
            with paths[0].open("rb") as file:
                found = unpack(file, inside, limits, of_patients=True)
            paths[0].unlink()
            parts[field] = _without_system_files(sorted(path for path in inside.rglob("*") if path.is_file()))
            limits = ArchiveLimits(limits.max_files - len(found.names), limits.max_bytes - found.bytes)
    return parts


def _without_system_files(paths: list[Path]) -> list[Path]:
    """What a person meant to send, told by content, since parts of a form have no names here."""
    return [path for path in paths if not is_system_file(_head(path))] or paths


def _kind(path: Path) -> str:
    return sniff(_head(path))


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)
