"""Folders on this host that killed workers have left behind, or whose rows are gone."""

import secrets
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol, TypeVar

import structlog

from shared.contract.errors import NotFound

_log = structlog.get_logger(__name__)
LEFT_OVER_S = 24 * 3600.0  # a hidden folder this old belongs to a process that died
V = TypeVar("V")


class FencedView(Protocol):
    """A row as it was read."""

    @property
    def fence(self) -> int: ...
    @property
    def ended(self) -> bool: ...


def sweep(root: Path, wanted: Callable[[str], bool]) -> None:
    """Remove the folders in `root` whose names nobody wants; hidden ones (half made, half removed) after a day."""
    for folder in [path for path in root.iterdir() if path.is_dir()] if root.is_dir() else ():
        if folder.name.startswith("."):
            with suppress(FileNotFoundError):
                if time.time() - folder.stat().st_mtime > LEFT_OVER_S:
                    shutil.rmtree(folder, ignore_errors=True)
        elif not wanted(folder.name):
            _log.info("folder_swept", folder=folder.name)
            with suppress(OSError):  # another worker of this host may be doing the same
                remove(folder)


def remove(folder: Path) -> None:
    """Hidden first: half a folder must never look like a whole one."""
    doomed = hidden_beside(folder)
    folder.replace(doomed)
    shutil.rmtree(doomed, ignore_errors=True)


def hidden_beside(folder: Path) -> Path:
    """A name for what is not whole."""
    return folder.with_name(f".{secrets.token_hex(8)}")


def attempt_folder(root: Path, job_id: str, fence: int) -> Path:
    """Of one attempt at a job, and no other's."""
    return root / f"{job_id}.{fence}"


def found(get: Callable[[str], V], id: str) -> V | None:
    """The row, None if there is none."""
    try:
        return get(id)
    except NotFound:
        return None


def is_under_way(get: Callable[[str], FencedView], name: str) -> bool:
    """Whether an `attempt_folder` of this name is in use.

    By the fence alone: clocks differ, and leases run out for a moment when the database stands still.
    """
    job_id, _, fence = name.rpartition(".")
    row = found(get, job_id)
    return row is not None and not row.ended and str(row.fence) == fence
