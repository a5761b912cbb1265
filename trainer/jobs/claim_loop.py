"""A thread that does claimed jobs of one kind, one after the other, as long as some are due."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

import structlog

from trainer.logs import brief

_log = structlog.get_logger(__name__)
# A message only wakes the loop up; what it missed (a message of Redis' lost, a job of a dead worker) it finds itself.
LOOK_EVERY_S = 1.0
TROUBLE_S = 2.0
SWEEP_S = 600.0
C = TypeVar("C")


class ClaimLoop(Generic[C]):
    """`claim` makes the oldest job that is due ours, None if there is none; `do` returns when it is done with it.

    `sweep` is called between jobs, every `sweep_s`. The thread is called `name`.
    """

    def __init__(
        self,
        name: str,
        claim: Callable[[], C | None],
        do: Callable[[C], None],
        sweep: Callable[[], None] = lambda: None,
        *,
        sweep_s: float = SWEEP_S,
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._claim, self._do, self._sweep = claim, do, sweep
        self._sweep_s, self._look_every_s = sweep_s, look_every_s
        self._swept_at: float | None = None
        self._trouble: str | None = None
        self._due = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, name=name, daemon=True)

    def start(self) -> None:
        """Look for work."""
        self._thread.start()

    def wake(self) -> None:
        """Look now; never blocks."""
        self._due.set()

    @property
    def stopping(self) -> bool:
        """Whether the work under way is to be left."""
        return self._stop.is_set()

    def leave(self) -> None:
        """Begin to leave the work under way to another worker."""
        self._stop.set()
        self._due.set()

    def stop(self, timeout_s: float) -> None:
        """`leave`, and wait for it."""
        self.leave()
        if self._thread.ident is not None:
            self._thread.join(max(0.0, timeout_s))

    def run_once(self) -> bool:
        """One job, if one is due."""
        claim = self._claim()
        if claim is not None:
            self._do(claim)
        return claim is not None

    def _loop(self) -> None:
        while not self._stop.is_set():
            try:
                busy = self.run_once()
                self._sweep_when_due()
            except Exception as error:  # whatever it is, the next may go well
                self._troubled(error)
                self._stop.wait(TROUBLE_S)
                continue
            self._trouble = None
            if not busy:
                self._due.wait(self._look_every_s)
                self._due.clear()

    def _sweep_when_due(self) -> None:
        now = time.monotonic()
        if self._swept_at is None or now - self._swept_at > self._sweep_s:
            self._swept_at = now
            self._sweep()

    def _troubled(self, error: Exception) -> None:
        """Said once: a database that is away for an hour is one line."""
        said = brief(error)
        if said != self._trouble:
            _log.exception("worker_troubled", worker=self._thread.name, error=said)
        self._trouble = said
