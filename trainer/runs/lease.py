"""Keeps a claim ours while its process works, and hears that the run is to be cancelled."""

import threading

import structlog
from sqlalchemy.exc import SQLAlchemyError

from shared.contract.names import RunStatus
from shared.storage.training_runs import RunClaim, TrainingRuns
from trainer.logs import brief

_log = structlog.get_logger(__name__)
RENEW_S = 0.7


class Lease:
    """A thread that renews; `status` is the run's as of the last renewal, None once it is not ours any more."""

    def __init__(self, runs: TrainingRuns, claim: RunClaim, lease_s: float, every_s: float = RENEW_S) -> None:
        self._runs, self._claim, self._lease_s, self._every_s = runs, claim, lease_s, every_s
        self.status: RunStatus | None = RunStatus.RUNNING
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="training-lease", daemon=True)

    def __enter__(self) -> "Lease":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def cancelling(self) -> bool:
        """Whether somebody wants the run to end."""
        return self.status is RunStatus.CANCELLING

    @property
    def lost(self) -> bool:
        """Whether the run is another's by now, or has ended."""
        return self.status is None

    def _loop(self) -> None:
        while not self._stop.wait(self._every_s) and not self.lost:
            try:
                self.status = self._runs.renew(self._claim, self._lease_s)
            except SQLAlchemyError as error:
                # Nobody else can claim it while the database is away; if somebody does later, renewing will say so.
                _log.warning("lease_not_renewed", run_id=self._claim.id, error=brief(error))
