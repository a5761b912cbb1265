"""A run's folder on this host: what its attempts share, what each has for itself, its log."""

import shutil
import time
from contextlib import suppress
from pathlib import Path

from shared.files.paths import run_log_path, run_picture_path
from shared.files.store import FileStore

LOG_EVERY_S = 5.0
# Clients download it whole; what a run says in a line or two an epoch stays far below.
LOG_BYTES = 4 * 1024 * 1024


class RunWorkspace:
    """Temporary: whatever must last is in the file store."""

    def __init__(self, root: Path, files: FileStore, run_id: str, fence: int) -> None:
        self._files, self._run_id, self._fence = files, run_id, fence
        self.folder = root / run_id
        self.attempt = self.folder / f"attempt-{fence}"
        self.cache = self.folder / "cache"
        self.log = self.attempt / "log.txt"
        self._sent: tuple[float, int] = (0.0, -1)

    def prepare(self) -> None:
        """An empty folder for this attempt; the log goes on where the last attempt's ended."""
        for earlier in self.folder.glob("attempt-*"):  # left by a worker that was killed
            if int(earlier.name.removeprefix("attempt-")) <= self._fence:
                shutil.rmtree(earlier, ignore_errors=True)
        self.attempt.mkdir(parents=True)
        with suppress(FileNotFoundError):
            self._files.fetch(run_log_path(self._run_id), self.log)

    def fetch(self, path: str) -> Path:
        """A checkpoint of the store as a local file."""
        local = self._files.local_path(path)
        if local is not None:
            return local
        copy = self.attempt / "resume.safetensors"
        self._files.fetch(path, copy)
        return copy

    def send_log(self, *, now: bool = False) -> None:
        """To the store, now and then."""
        size = self.log.stat().st_size if self.log.exists() else 0
        if size == self._sent[1] or not (now or time.monotonic() - self._sent[0] > LOG_EVERY_S):
            return
        with self.log.open("rb") as file:
            file.seek(max(0, size - LOG_BYTES))
            self._files.write(run_log_path(self._run_id), file.read())
        self._sent = (time.monotonic(), size)

    def send_picture(self, name: str, path: Path) -> None:
        """`curves` or `samples`; the local file is gone after."""
        self._files.put(run_picture_path(self._run_id, name), path)

    def note(self, text: str) -> None:
        """A line of the worker's in the log."""
        with self.log.open("a", encoding="utf-8") as file:
            file.write(time.strftime("%Y-%m-%dT%H:%M:%SZ ", time.gmtime()) + text + "\n")

    def clean(self, *, ended: bool) -> None:
        """Remove this attempt's files, and after the run's end all of them."""
        shutil.rmtree(self.folder if ended else self.attempt, ignore_errors=True)
