"""What an embedded run owns on this machine: the lock of its data folder, a private run folder, a port."""

import errno
import fcntl
import json
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from shared.contract.config import ConfigError

# A unix socket's path has at most 107 characters; supervisor appends a process id while starting.
_LONGEST_RUN_DIR = 107 - len("/supervisor.sock.4194304")
_PREFIX = "segmentation-run-"


class DataDirLock:
    """One run at a data folder. The lock is the kernel's: it ends with its holders, however they end."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / "run.lock"
        self._file = _open_private(self._path)

    @property
    def fileno(self) -> int:
        """The descriptor whose holders hold the lock."""
        return self._file

    def take(self, patience_s: float = 20) -> None:
        """Take it, or raise ConfigError naming the other run. Waits for one that is still stopping."""
        deadline = time.monotonic() + patience_s
        while not self._try():
            other = self.read()
            if _is_alive(other.get("pid")) or time.monotonic() > deadline:
                raise ConfigError(
                    f"DATA_DIR is {str(self._path.parent)!r}, where another run is at work (process "
                    f"{other.get('pid', 'unknown')}, {other.get('address', 'address unknown')}): stop it "
                    "first, or give this one another DATA_DIR"
                )
            time.sleep(0.1)

    def write(self, about: dict[str, Any]) -> None:
        """Say who holds it, for the sentence that another run prints and for the next run's cleaning up."""
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, json.dumps(about).encode(), 0)

    def read(self) -> dict[str, Any]:
        """What the holder (or the last one) wrote; {} when nothing readable is there."""
        try:
            about = json.loads(self._path.read_text() or "{}")
        except (OSError, ValueError):
            return {}
        return about if isinstance(about, dict) else {}

    def release(self) -> None:
        """Let go. The empty file stays: removing it would let two runs lock two files of one name."""
        os.ftruncate(self._file, 0)
        os.close(self._file)

    def _try(self) -> bool:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def _open_private(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigError(
            f"DATA_DIR is {str(path.parent)!r}, not writable ({error.strerror}): give a folder that is"
        ) from error


def _is_alive(pid: Any) -> bool:
    """Whether the process runs; one that ended and whose parent has not noticed yet (a zombie) does not."""
    if not isinstance(pid, int) or pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (OSError, IndexError):  # no /proc here
        return True


@contextmanager
def run_folder(data_dir: Path, leftover: str | None) -> Iterator[Path]:
    """A private folder (0700) for sockets, settings and temporary files, removed at the end.

    It lies in the data folder unless that path is too long for a unix socket. `leftover` is the one of a
    run that was killed before it could remove it.
    """
    named = [Path(leftover)] if leftover else []
    for old in [*data_dir.glob(f"{_PREFIX}*"), *named]:
        if old.name.startswith(_PREFIX):
            shutil.rmtree(old, ignore_errors=True)
    parent = data_dir if len(str(data_dir)) + len(_PREFIX) + 9 <= _LONGEST_RUN_DIR else None
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
    try:
        (folder / "tmp").mkdir()
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def check_port_is_free(host: str, port: int) -> None:
    """Raise ConfigError when something else listens there, or the address is not this machine's."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As gunicorn binds: connections of a former run in TIME_WAIT are no hindrance, a listener is.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ConfigError(_bind_problem(host, port, error)) from error


def _bind_problem(host: str, port: int, error: OSError) -> str:
    if isinstance(error, PermissionError):
        return f"PORT is {port}, which needs privileges: give one from 1024 on, for example PORT=8000"
    if isinstance(error, socket.gaierror) or error.errno != errno.EADDRINUSE:
        return f"HOST is {host!r}, where this machine cannot listen ({error.strerror}): give 127.0.0.1"
    return (
        f"PORT is {port}, which another program on this machine has taken at {host}: stop that program, or "
        f"give another port, for example PORT={port + 1 if port < 65535 else 8000}"
    )
