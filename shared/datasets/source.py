"""Where a dataset's files are: a folder, or a zip archive that is read where it lies."""

import os
import zipfile
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol

from shared.contract.errors import DatasetError
from shared.files.system_files import is_system_path
from shared.files.zip_checks import read_entry

MAX_FILE_BYTES = 256 * 1024 * 1024  # a picture of 16 megapixels, 16 bit, RGB, not compressed, is 100 MB
MAX_FILES = 1_000_000


class Source(Protocol):
    """Files by relative path with forward slashes."""

    def names(self) -> list[str]:
        """All files, sorted; hidden ones left out."""
        ...

    def read(self, path: PurePosixPath | str) -> bytes:
        """The bytes of one file; raises DatasetError where it is missing or far too large."""
        ...


class Folder:
    """A folder; links inside it are not followed into other folders."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def names(self) -> list[str]:
        """All files, sorted; raises DatasetError above a million."""
        found = []
        for at, folders, files in os.walk(self.root):
            folders[:] = [name for name in folders if not is_system_path(name)]
            relative = PurePosixPath(Path(at).relative_to(self.root))
            found += [str(relative / name) for name in files if not is_system_path(name)]
            if len(found) > MAX_FILES:
                raise DatasetError(f"The folder has more than {MAX_FILES} files.")
        return sorted(found)

    def read(self, path: PurePosixPath | str) -> bytes:
        """The bytes of one file."""
        try:
            with (self.root / path).open("rb") as file:
                data = file.read(MAX_FILE_BYTES + 1)
        except FileNotFoundError:
            raise DatasetError(f"{path} is not there any more.") from None
        except OSError as error:
            raise DatasetError(f"{path} cannot be read: {error.strerror}.") from None
        if len(data) > MAX_FILE_BYTES:
            raise DatasetError(f"{path} has more than {MAX_FILE_BYTES} bytes.")
        return data


class Archive:
    """A zip that was checked when it came in (shared.files.zip_checks); not for two threads at once."""

    def __init__(self, file: BinaryIO) -> None:
        self._zip = zipfile.ZipFile(file)

    def names(self) -> list[str]:
        """All files, sorted."""
        return sorted(info.filename for info in self._zip.infolist() if not _is_hidden(info))

    def read(self, path: PurePosixPath | str) -> bytes:
        """The bytes of one file."""
        try:
            return read_entry(self._zip, str(path), MAX_FILE_BYTES)
        except KeyError:
            raise DatasetError(f"{path} is not in the archive.") from None


def source_of(root: Path | Source) -> Source:
    """A folder's path as a source; a source as it is."""
    return Folder(root) if isinstance(root, Path) else root


def _is_hidden(info: zipfile.ZipInfo) -> bool:
    return info.is_dir() or is_system_path(info.filename)
