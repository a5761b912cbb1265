"""Files that last, behind one interface: a local folder (plain system calls) or any fsspec URL (s3://, memory://)."""

import logging
import re
import secrets
from pathlib import Path
from typing import BinaryIO

from shared.files.store_backends import Local, backend_of, copy_into

_log = logging.getLogger(__name__)
_PART = re.compile(r"[A-Za-z0-9._-]{1,128}")


class FileStore:
    """Files by relative path, such as `segmentations/ID/pixels.npy`.

    Paths whose parts are not of [A-Za-z0-9._-] (or are `.` or `..`) raise ValueError; a missing file raises
    FileNotFoundError. A file is whole or not there, never half written.
    """

    def __init__(self, url: str | Path) -> None:
        self.url = str(url)
        self._backend = backend_of(self.url)

    def write(self, path: str, data: bytes) -> None:
        """Create or replace the file."""
        self._backend.write(_parts(path), data)

    def put(self, path: str, local: Path) -> None:
        """Create or replace the file by a local one, which is gone after: moved where that can be, else copied."""
        self._backend.put(_parts(path), local)

    def fetch(self, path: str, local: Path) -> None:
        """Copy the file to a local one, in pieces; that is whole or not there too."""
        temporary = local.with_name(f"{local.name}.{secrets.token_hex(8)}.tmp")
        with self.open(path) as source:
            copy_into(source, temporary)
        temporary.replace(local)

    def local_path(self, path: str) -> Path | None:
        """Where the file lies (or would lie) on this host, to be read only; None if the store is a remote one."""
        parts = _parts(path)
        return self._backend.path(parts) if isinstance(self._backend, Local) else None

    def size(self, path: str) -> int:
        """The file's bytes, counted."""
        return self._backend.size(_parts(path))

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

    def try_delete_tree(self, path: str) -> bool:
        """The same in a sweep, where a folder that cannot be removed must keep no other; False if it is still there."""
        try:
            self.delete_tree(path)
        except OSError as error:
            _log.warning("files_not_removed", extra={"path": path, "error": type(error).__name__})
            return False
        return True


def _parts(path: str) -> list[str]:
    parts = path.split("/")
    for part in parts:
        if part in (".", "..") or not _PART.fullmatch(part):
            raise ValueError(f"not a path of the file store: {path!r:.200}")
    return parts
