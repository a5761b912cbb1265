"""Files on their way in: small ones in memory, large ones to disk, with their SHA-256, and never left behind."""

import hashlib
import io
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from shared.contract.errors import StorageUnavailable
from shared.files.sniff import HEAD_BYTES

# What a request may keep in memory: nearly all pictures, and the first files of a series.
FILE_IN_MEMORY = 4 << 20
REQUEST_IN_MEMORY = 16 << 20

Watch = Callable[["Upload"], None]


class Upload:
    """One file while it arrives; the form's parser writes to it. Beyond `in_memory` bytes it lies at `path`.

    `watch` is called after each piece, and refuses the file by raising.
    """

    def __init__(self, path: Path, in_memory: int = 0, watch: Watch | None = None) -> None:
        self.path, self.bytes, self.head = path, 0, b""
        self._in_memory, self._watch = in_memory, watch
        self._digest = hashlib.sha256()
        self._file: BinaryIO = io.BytesIO() if in_memory else _create(path)
        self.on_disk = not in_memory

    @property
    def sha256(self) -> str:
        """Of what was written."""
        return self._digest.hexdigest()

    def write(self, data: bytes) -> int:
        """Append; raises StorageUnavailable where the disk takes no more."""
        if not self.on_disk and self.bytes + len(data) > self._in_memory:
            self._spill()
        with _disk_errors():
            self._file.write(data)
        self._digest.update(data)
        self.bytes += len(data)
        if len(self.head) < HEAD_BYTES:
            self.head = (self.head + data)[:HEAD_BYTES]
        if self._watch is not None:
            self._watch(self)
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """As files do; nothing is written after it."""
        with _disk_errors():  # what was buffered is written now
            return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Where the next byte goes, as for any file."""
        return self._file.tell()

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes from where it stands; all that is left without."""
        return self._file.read(size)

    def open(self) -> BinaryIO:
        """A file of its own on what was written, after `seek` or `close`."""
        return self.path.open("rb") if self.on_disk else io.BytesIO(self.data())

    def data(self) -> bytes:
        """All that was written, after `seek` or `close`."""
        return self._file.getvalue() if isinstance(self._file, io.BytesIO) else self.path.read_bytes()

    def close(self) -> None:
        """Give up the file descriptor, not what was written."""
        if self.on_disk:
            with _disk_errors():
                self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def _spill(self) -> None:
        kept = self.data()
        self._file, self.on_disk = _create(self.path), True
        with _disk_errors():
            self._file.write(kept)


class Reception:
    """The files of one request. Without `in_memory` all of them go to disk."""

    def __init__(self, folder: Path, *, in_memory: bool = False, watch: Watch | None = None) -> None:
        self._folder, self._watch = folder, watch
        self._uploads: list[Upload] = []
        self._left = REQUEST_IN_MEMORY if in_memory else 0
        self._complete = 0

    @property
    def bytes(self) -> int:
        """Of all files, as far as they have arrived."""
        return self._complete + (self._uploads[-1].bytes if self._uploads else 0)

    def open(self) -> Upload:
        """A new file to write to, when the one before is complete; raises StorageUnavailable."""
        if self._uploads:
            last = self._uploads[-1]
            last.close()  # a series has more files than a process may have open
            self._complete += last.bytes
            self._left -= 0 if last.on_disk else last.bytes
        upload = Upload(_part(self._folder), min(self._left, FILE_IN_MEMORY), self._watch)
        self._uploads.append(upload)
        return upload

    def close(self) -> None:
        """Remove what nobody took."""
        for upload in self._uploads:
            if upload.on_disk:
                with suppress(
                    StorageUnavailable
                ):  # what was buffered does not fit, and is not wanted any more
                    upload.close()
                upload.path.unlink(missing_ok=True)


class Uploads:
    """`folder` should be on the file system of the file store: then a file that is kept is only renamed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def receiving(self, *, in_memory: bool = False, watch: Watch | None = None) -> Iterator[Reception]:
        """The place for one request's files; what was not moved away is gone after."""
        reception = Reception(self._folder, in_memory=in_memory, watch=watch)
        try:
            yield reception
        finally:
            reception.close()

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A path for a file of ours on the way to the file store; what lies there at the end is removed."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = _part(self._folder)
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    def clear(self) -> None:
        """Remove what a killed process left; only before requests are taken."""
        shutil.rmtree(self._folder, ignore_errors=True)


def uploads_folder(data_dir: Path) -> Path:
    """Where uploads arrive."""
    return data_dir / "uploads"


def _part(folder: Path) -> Path:
    return folder / f"{secrets.token_hex(16)}.part"


@contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageUnavailable("The disk of the service takes no more; try again later.") from error


def _create(path: Path) -> BinaryIO:
    """A new file that is ours alone."""
    with _disk_errors():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600), "w+b")
