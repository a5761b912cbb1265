"""Where a file store keeps its files: a local folder by plain system calls, or any fsspec URL.

Files are named by their parts, which are checked already.
"""

import errno
import os
import secrets
import shutil
from pathlib import Path
from typing import BinaryIO, Protocol

from upath import UPath

from shared.contract.config import ConfigError, redact

_PIECE = 1 << 20


class Backend(Protocol):
    """What a file store asks of one."""

    def write(self, parts: list[str], data: bytes) -> None: ...
    def put(self, parts: list[str], local: Path) -> None: ...
    def read(self, parts: list[str]) -> bytes: ...
    def open(self, parts: list[str]) -> BinaryIO: ...
    def exists(self, parts: list[str]) -> bool: ...
    def size(self, parts: list[str]) -> int: ...
    def delete_tree(self, parts: list[str]) -> None: ...


class Local:
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

    def put(self, parts: list[str], local: Path) -> None:
        path = self.path(parts)
        _private_folder(path.parent)
        _sync(local)
        local.chmod(0o600)
        try:
            local.replace(path)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            self._put_from_elsewhere(path, local)
        _sync(path.parent)

    def _put_from_elsewhere(self, path: Path, local: Path) -> None:
        """From another file system: still whole or not there."""
        temporary = path.with_name(f"{path.name}.{secrets.token_hex(8)}.tmp")
        with local.open("rb") as source:
            copy_into(source, temporary)
        _sync(temporary)
        temporary.replace(path)
        local.unlink()

    def path(self, parts: list[str]) -> Path:
        return self._root.joinpath(*parts)

    def size(self, parts: list[str]) -> int:
        return self.path(parts).stat().st_size

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


class Remote:
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

    def put(self, parts: list[str], local: Path) -> None:
        path = self._root.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.fs.put_file(str(local), path.path)
        local.unlink()

    def size(self, parts: list[str]) -> int:
        path = self._root.joinpath(*parts)
        return int(path.fs.size(path.path))

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


def backend_of(url: str) -> Backend:
    """A folder for a path or file:// URL, fsspec for any other; ConfigError names STORE_URL."""
    if url.startswith("file://"):
        return Local(UPath(url).path)
    return Remote(url) if "://" in url else Local(url)


def _private_folder(path: Path) -> None:
    """Each missing folder with our mode: `mkdir(parents=True)` would give it to the last one only."""
    if not path.is_dir():
        _private_folder(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)


def copy_into(source: BinaryIO, target: Path) -> None:
    """Into a new file, in pieces; nothing is left if that breaks."""
    try:
        with os.fdopen(_create(target), "wb") as stream:
            shutil.copyfileobj(source, stream, _PIECE)
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def _sync(path: Path) -> None:
    """Onto the disk, a file's content or a folder's names: what the database says next must be true after a crash."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _create(path: Path) -> int:
    return os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)


def _write_all(stream: BinaryIO, data: bytes) -> None:
    """An unbuffered write may take less than all of it."""
    view = memoryview(data)
    while view:
        view = view[stream.write(view) :]
