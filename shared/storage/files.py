"""Files that last, behind one interface: a local folder (plain system calls) or any fsspec URL (s3://, memory://)."""

import errno
import os
import re
import secrets
import shutil
from pathlib import Path
from typing import BinaryIO, Protocol

from upath import UPath

from shared.contract.config import ConfigError, redact

_PART = re.compile(r"[A-Za-z0-9._-]{1,128}")


def pixels_path(segmentation_id: str) -> str:
    """A segmentation's decoded pixels: HWC uint8 or uint16 as .npy."""
    return f"segmentations/{segmentation_id}/pixels.npy"


def probability_path(segmentation_id: str) -> str:
    """A segmentation's probabilities: 8-bit grey PNG of the upload's size, 255 is 1.0."""
    return f"segmentations/{segmentation_id}/probability.png"


def segmentation_folder(segmentation_id: str) -> str:
    """All files of a segmentation."""
    return f"segmentations/{segmentation_id}"


def model_folder(model_id: str) -> str:
    """All files of an imported or trained model."""
    return f"models/{model_id}"


class _Backend(Protocol):
    def write(self, parts: list[str], data: bytes) -> None: ...
    def read(self, parts: list[str]) -> bytes: ...
    def open(self, parts: list[str]) -> BinaryIO: ...
    def exists(self, parts: list[str]) -> bool: ...
    def delete_tree(self, parts: list[str]) -> None: ...


class FileStore:
    """Files by relative path, such as `segmentations/ID/pixels.npy`.

    Paths whose parts are not of [A-Za-z0-9._-] (or are `.` or `..`) raise ValueError; a missing file raises
    FileNotFoundError. A file is whole or not there, never half written.
    """

    def __init__(self, url: str | Path) -> None:
        self.url = str(url)
        self._backend = _backend(self.url)

    def write(self, path: str, data: bytes) -> None:
        """Create or replace the file."""
        self._backend.write(_parts(path), data)

    def read(self, path: str) -> bytes:
        """The file's bytes."""
        return self._backend.read(_parts(path))

    def open(self, path: str) -> BinaryIO:
        """The file as a binary stream, for reading in pieces."""
        return self._backend.open(_parts(path))

    def exists(self, path: str) -> bool:
        """Whether there is such a file or folder."""
        return self._backend.exists(_parts(path))

    def delete_tree(self, path: str) -> None:
        """Delete the folder with all its files (or the one file); nothing happens if there is none."""
        self._backend.delete_tree(_parts(path))


class _Local:
    """Plain system calls: fsspec's local file system costs several times as much a file."""

    def __init__(self, root: str) -> None:
        self._root = Path(root).expanduser().absolute()

    def write(self, parts: list[str], data: bytes) -> None:
        path = self._root.joinpath(*parts)
        temporary = path.with_name(f"{path.name}.{secrets.token_hex(8)}.tmp")
        try:
            file = _create(temporary)
        except FileNotFoundError:
            _private_folder(path.parent)
            file = _create(temporary)
        try:
            with os.fdopen(file, "wb", buffering=0) as stream:
                _write_all(stream, data)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    def read(self, parts: list[str]) -> bytes:
        return self._root.joinpath(*parts).read_bytes()

    def open(self, parts: list[str]) -> BinaryIO:
        return self._root.joinpath(*parts).open("rb")

    def exists(self, parts: list[str]) -> bool:
        return self._root.joinpath(*parts).exists()

    def delete_tree(self, parts: list[str]) -> None:
        path = self._root.joinpath(*parts)
        while path.exists():
            try:
                shutil.rmtree(path)
            except NotADirectoryError:
                path.unlink(missing_ok=True)
            except OSError as error:
                # Somebody else deletes the same tree, or wrote into it just now: another round.
                if error.errno not in (errno.ENOENT, errno.ENOTEMPTY):
                    raise


class _Remote:
    """Any fsspec URL; object stores put a whole object at once, so no temporary name is needed."""

    def __init__(self, url: str) -> None:
        try:
            self._root = UPath(url)
            self._root.fs  # noqa: B018  # loads the file system's package now, not at the first upload
        except (ImportError, ValueError) as error:
            raise ConfigError(f"STORE_URL is {redact(url)!r}, which cannot be used: {error}") from None

    def write(self, parts: list[str], data: bytes) -> None:
        path = self._root.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def read(self, parts: list[str]) -> bytes:
        return bytes(self._root.joinpath(*parts).read_bytes())

    def open(self, parts: list[str]) -> BinaryIO:
        return self._root.joinpath(*parts).open("rb")

    def exists(self, parts: list[str]) -> bool:
        return bool(self._root.joinpath(*parts).exists())

    def delete_tree(self, parts: list[str]) -> None:
        path = self._root.joinpath(*parts)
        try:
            path.fs.rm(path.path, recursive=True)
        except FileNotFoundError:
            return


def _backend(url: str) -> _Backend:
    if url.startswith("file://"):
        return _Local(UPath(url).path)
    return _Remote(url) if "://" in url else _Local(url)


def _parts(path: str) -> list[str]:
    parts = path.split("/")
    for part in parts:
        if part in (".", "..") or not _PART.fullmatch(part):
            raise ValueError(f"not a path of the file store: {path!r:.200}")
    return parts


def _private_folder(path: Path) -> None:
    """Each missing folder with our mode: `mkdir(parents=True)` would give it to the last one only."""
    if not path.is_dir():
        _private_folder(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)


def _create(path: Path) -> int:
    return os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)


def _write_all(stream: BinaryIO, data: bytes) -> None:
    """An unbuffered write may take less than all of it."""
    view = memoryview(data)
    while view:
        view = view[stream.write(view) :]
