"""Large files on their way in: straight to disk with their SHA-256, never in memory, never left behind."""

import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from shared.contract.errors import StorageUnavailable


class Upload:
    """One file while it arrives; the form's parser writes to it."""

    def __init__(self, path: Path) -> None:
        self.path, self.bytes = path, 0
        self._digest = hashlib.sha256()
        self._file = os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600), "w+b")

    @property
    def sha256(self) -> str:
        """Of what was written."""
        return self._digest.hexdigest()

    def write(self, data: bytes) -> int:
        """Append; raises StorageUnavailable where the disk takes no more."""
        try:
            self._file.write(data)
        except OSError as error:
            raise StorageUnavailable("The disk of the service takes no more; try again later.") from error
        self._digest.update(data)
        self.bytes += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """As files do; nothing is written after it."""
        try:
            return self._file.seek(offset, whence)
        except OSError as error:  # what was buffered is written now
            raise StorageUnavailable("The disk of the service takes no more; try again later.") from error

    def tell(self) -> int:
        """As files do."""
        return self._file.tell()

    def read(self, size: int = -1) -> bytes:
        """As files do."""
        return self._file.read(size)

    def close(self) -> None:
        """Give up the file, not its path."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()


class Reception:
    """The files of one request."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._uploads: list[Upload] = []

    def open(self) -> Upload:
        """A new file to write to; raises StorageUnavailable."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            upload = Upload(self._folder / f"{secrets.token_hex(16)}.part")
        except OSError as error:
            raise StorageUnavailable from error
        self._uploads.append(upload)
        return upload

    def close(self) -> None:
        """Remove what nobody took."""
        for upload in self._uploads:
            with suppress(OSError):  # what was buffered does not fit on the disk, and is not wanted any more
                upload.close()
            upload.path.unlink(missing_ok=True)


class Uploads:
    """`folder` should be on the file system of the file store: then a file that is kept is only renamed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def receiving(self) -> Iterator[Reception]:
        """The place for one request's files; what was not moved away is gone after."""
        reception = Reception(self._folder)
        try:
            yield reception
        finally:
            reception.close()

    def clear(self) -> None:
        """Remove what a killed process left; only before requests are taken."""
        shutil.rmtree(self._folder, ignore_errors=True)


def uploads_folder(data_dir: Path) -> Path:
    """Where uploads arrive."""
    return data_dir / "uploads"
