"""A thread that does training runs, one after the other, as long as the database says that some are due."""

import threading
import time

import structlog

from shared.storage.training_runs import TrainingRuns
from trainer.logs import brief
from trainer.runs.supervisor import Supervisor

_log = structlog.get_logger(__name__)
# A message only wakes the worker up; what it missed (a message of Redis' lost, a run of a dead worker) it finds itself.
LOOK_EVERY_S = 1.0
TROUBLE_S = 2.0
SWEEP_S = 600.0


class TrainingWorker:
    """`supervisor` does a claimed run and returns when there is nothing left to do for it."""

    def __init__(self, runs: TrainingRuns, supervisor: Supervisor, worker_id: str, lease_s: float) -> None:
        self._runs, self._supervisor, self._worker_id, self._lease_s = runs, supervisor, worker_id, lease_s
        self._swept_at: float | None = None
        self._due = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="training", daemon=True)

    def start(self) -> None:
        """Look for runs."""
        self._thread.start()

    def wake(self) -> None:
        """Look now."""
        self._due.set()

    @property
    def stopping(self) -> bool:
        """Whether the run under way is to be left."""
        return self._stop.is_set()

    def leave(self) -> None:
        """Begin to leave the run under way to another worker, its newest state saved."""
        self._stop.set()
        self._due.set()

    def stop(self, timeout_s: float) -> None:
        """`leave`, and wait for it."""
        self.leave()
        self._thread.join(timeout_s)

    def _loop(self) -> None:
        while not self._stop.is_set():
            try:
                busy = self._once()
            except Exception as error:  # whatever it is, the next run may go well
                _log.exception("training_worker_troubled", error=brief(error))
                self._stop.wait(TROUBLE_S)
                continue
            if not busy:
                self._due.wait(LOOK_EVERY_S)
                self._due.clear()

    def _once(self) -> bool:
        claim = self._runs.claim_next(self._worker_id, self._lease_s)
        if claim is None:
            self._sweep()
            return False
        self._supervisor.run(claim)
        return True

    def _sweep(self) -> None:
        now = time.monotonic()
        if self._swept_at is None or now - self._swept_at > SWEEP_S:
            self._swept_at = now
            self._supervisor.sweep()
