"""A child process as the worker holds it: started, listened to, asked to end, killed; never left behind."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from trainer.jobs.child_order import ChildOrder
from trainer.jobs.oom import out_of_memory_kills
from trainer.jobs.patience import TICK_S

TRAINING = (sys.executable, "-m", "trainer.training.runs.child")
EVALUATION = (sys.executable, "-m", "trainer.evaluation.child")
VOLUME = (sys.executable, "-m", "trainer.volumes.child")
# From the flag to SIGTERM, and from there to SIGKILL: what was cancelled is gone within a few seconds.
GRACE_S = 1.0
# Threads that wait for each other sleep instead of spinning: measured in decision 9, on cores that two runs share.
SHARING = {"OMP_WAIT_POLICY": "PASSIVE"}
ROOT = Path(__file__).resolve().parents[2]
MOST_WAITING = 32
_END = {"event": "end"}


class ChildProcess:
    """A child in a process group of its own, with its feeding processes; it dies when its standard input ends.

    Standard error goes to the end of `log`. Nothing is left of it after a `with`.
    """

    def __init__(self, command: Sequence[str], order: ChildOrder, log: Path) -> None:
        self._kills = out_of_memory_kills()
        with log.open("ab") as stderr:
            self._popen = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                cwd=ROOT,
                env={**SHARING, **os.environ},
                process_group=0,  # not a session: the kernel would share the cores by session, whatever the nice value
                text=True,
                encoding="utf-8",
            )
        self.pid = self._popen.pid
        # Bounded: where events are kept more slowly than they come, the process waits, rather than fill the disk.
        self._events: queue.Queue[dict[str, Any]] = queue.Queue(MOST_WAITING)
        self._unheard = threading.Event()
        self._told_at: float | None = None
        self._say(order.to_line())
        self._reader = threading.Thread(target=self._read, name="child-events", daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def events(self, look: Callable[[], None]) -> Iterator[dict[str, Any]]:
        """All that it says; `look` is called before each and several times a second, and may raise."""
        while (event := self.next(TICK_S)) != _END:
            look()
            if event is not None:
                yield event

    def next(self, timeout_s: float) -> dict[str, Any] | None:
        """The next event; None if there is none in time; {"event": "end"} after the last."""
        with suppress(queue.Empty):
            return self._events.get(timeout=timeout_s)
        return None

    def go_on(self) -> None:
        """What it waits for is there."""
        self._say("go on\n")

    def tell(self, command: str, grace_s: float = GRACE_S) -> None:
        """`cancel` or `stop`: asked first, then SIGTERM, then SIGKILL. Called again and again until it has ended."""
        now = time.monotonic()
        if self._told_at is None:
            self._told_at = now
            self._say(command + "\n")
        elif now - self._told_at > grace_s + GRACE_S:
            self._signal(signal.SIGKILL)
        elif now - self._told_at > grace_s:
            self._signal(signal.SIGTERM)

    def kill(self) -> int:
        """It and all that it started are gone; the exit status (negative: the signal)."""
        if self._popen.poll() is None:
            self._signal(signal.SIGKILL)
        self._unheard.set()
        status = self._popen.wait()
        self._signal(signal.SIGKILL)  # feeding processes that outlived it
        self._reader.join(5)
        for pipe in (self._popen.stdin, self._popen.stdout):
            with suppress(OSError):
                if pipe is not None:
                    pipe.close()
        return status

    def wait(self, timeout_s: float) -> int:
        """Its exit status once it has said all; killed if it takes longer."""
        with suppress(subprocess.TimeoutExpired):
            self._popen.wait(timeout_s)
        return self.kill()

    def was_killed_for_memory(self, status: int) -> bool:
        """Whether the kernel ended it, rather than somebody else."""
        return status == -signal.SIGKILL and out_of_memory_kills() > self._kills

    def _say(self, line: str) -> None:
        assert self._popen.stdin is not None
        with suppress(OSError, ValueError):  # gone already
            self._popen.stdin.write(line)
            self._popen.stdin.flush()

    def _signal(self, sig: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, sig)

    def _read(self) -> None:
        assert self._popen.stdout is not None
        with suppress(OSError, ValueError):
            for line in self._popen.stdout:
                with suppress(json.JSONDecodeError):  # cut off by a kill
                    self._put(json.loads(line))
        self._put(_END)

    def _put(self, event: dict[str, Any]) -> None:
        while not self._unheard.is_set():
            with suppress(queue.Full):
                self._events.put(event, timeout=0.2)
                return


def cause_of_death(status: int) -> str:
    """An exit status in words."""
    return f"signal {-status}" if status < 0 else f"exit status {status}"
