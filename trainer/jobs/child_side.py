"""What every child process does the same, as seen from inside: it talks with its worker, and dies with it."""

import json
import logging
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from io import RawIOBase
from pathlib import Path
from typing import Any, TextIO

PROGRESS_S = 1.0


class Ended(Exception):
    """The worker wants this to end: `cancel` throws the work away, `stop` leaves it to another."""


class Commands:
    """What the worker says, read by a thread; the work looks at the flags again and again."""

    def __init__(self, source: RawIOBase, on_end: Callable[[], None]) -> None:
        self.cancel = self.stop = False
        self._go_on = threading.Semaphore(0)
        self._source, self._on_end = source, on_end

    def listen(self) -> None:
        """Until the worker is gone."""
        threading.Thread(target=self._read, daemon=True).start()

    def wait_to_go_on(self) -> None:
        """Until the worker says `go on` once more; where it never does, this process is ended with it."""
        self._go_on.acquire()

    def _read(self) -> None:
        for line in self._source:
            self.cancel |= line.strip() == b"cancel"
            self.stop |= line.strip() == b"stop"
            if line.strip() == b"go on":
                self._go_on.release()
        self._on_end()


class EventPipe:
    """Lines of JSON for the worker; progress at most every `progress_s` seconds."""

    def __init__(
        self,
        out: TextIO,
        commands: Commands,
        clock: Callable[[], float] = time.monotonic,
        progress_s: float = PROGRESS_S,
    ) -> None:
        self.commands, self.clock = commands, clock
        self._out, self._progress_s = out, progress_s
        self._told_at: float | None = None

    def send(self, event: str, **values: Any) -> None:
        """One line. ValueError for NaN, which is not JSON."""
        self._out.write(json.dumps({"event": event, **values}, allow_nan=False) + "\n")
        self._out.flush()

    def progress(self, share: float) -> None:
        """How far it is, 0 to 1; raises Ended once it was asked to end."""
        if self.commands.cancel or self.commands.stop:
            raise Ended
        now = self.clock()
        if self._told_at is None or now - self._told_at >= self._progress_s:
            self._told_at = now
            self.send("progress", share=round(share, 4))


def own_pipes() -> tuple[RawIOBase, TextIO]:
    """Standard input and output, moved out of everybody else's way.

    What a library prints must not mix with the messages. And processes that are forked to feed this one close
    sys.stdin, whose lock the listening thread would hold for ever: hence raw, and another file.
    """
    commands = os.fdopen(os.dup(0), "rb", buffering=0)
    messages = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    os.close(nothing)
    return commands, messages


def log_to_standard_error() -> None:
    """Lines with the time in UTC."""
    logging.Formatter.converter = time.gmtime
    logging.basicConfig(
        format="%(asctime)sZ %(message)s", datefmt="%Y-%m-%dT%H:%M:%S", level=logging.INFO, stream=sys.stderr
    )


def give_way(nice: int) -> None:
    """Others come first: for the cores, and where memory runs out (the inference worker and the database stay)."""
    os.nice(nice)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def place(error: BaseException) -> str:
    """Where it broke, without what it says: messages may name a dataset's files, which are patients'."""
    frames = traceback.extract_tb(error.__traceback__)
    return ", ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames[-4:])


def die() -> None:
    """With the processes that feed this one."""
    if os.getpgid(0) == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def leave(status: int) -> None:
    """No tear-down: threads of the engines may still run."""
    sys.stderr.flush()
    os._exit(status)
