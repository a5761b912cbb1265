"""Validates datasets, one at a time: a thread of the training worker that asks the database for work."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

from shared import catalog
from shared.contract.errors import DatasetError, JobFailed, NotFound
from shared.datasets.base import Finding, SliceDataset
from shared.datasets.validate import Report, look_through
from shared.jobs.datasets import DatasetClaim, Datasets
from trainer.datasets.local_copies import LocalDatasets
from trainer.logs import brief

_log = structlog.get_logger(__name__)
POLL_S, CLEAN_S = 1.0, 30.0


class _Interrupted(Exception):
    """The lease is another's or the worker stops: break off, end nothing."""


def examine(
    claim: DatasetClaim, local: LocalDatasets, on_progress: Callable[[int, int], None]
) -> tuple[Report, list[Finding]]:
    """Unpack and look through one dataset; raises JobFailed (DatasetError, DatasetGone, DiskFull). No database."""
    root = local.folder(claim, on_progress)
    dataset: SliceDataset = catalog.load(catalog.DATASETS, claim.format, "format")(root, **claim.options)
    return look_through(dataset, on_progress)


class Intake:
    """The loop around `examine`: claims, prolongs the lease meanwhile, and writes down how it went."""

    def __init__(
        self, datasets: Datasets, local: LocalDatasets, worker_id: str, lease_s: float, poll_s: float = POLL_S
    ) -> None:
        self._datasets, self._local = datasets, local
        self._worker_id, self._lease_s, self._poll_s = worker_id, lease_s, poll_s
        self._next_cleaning = 0.0
        self._stop, self._wake = threading.Event(), threading.Event()
        self._in_trouble = False
        self._thread = threading.Thread(target=self._loop, name="intake", daemon=True)

    def start(self) -> None:
        """Begin to ask for work."""
        self._thread.start()

    def wake(self) -> None:
        """There may be work; never blocks."""
        self._wake.set()

    def stop(self, timeout_s: float = 10.0) -> None:
        """Give back what is under way, without a lost attempt, and end."""
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def run_once(self) -> bool:
        """Validate one dataset; False if none was due."""
        claim = self._datasets.claim_next(self._worker_id, self._lease_s)
        if claim is None:
            return False
        with structlog.contextvars.bound_contextvars(dataset_id=claim.id, request_id=claim.request_id):
            self._work(claim)
        return True

    def clean(self) -> None:
        """Remove the files of deleted datasets here and in the store; fail what died too often."""
        for dataset_id in self._datasets.exhaust():
            _log.warning("dataset_exhausted", dataset_id=dataset_id)
        gone = self._datasets.to_clean()
        for dataset_id in gone:
            self._local.remove(dataset_id)
        if gone:
            self._datasets.files_removed(gone)
        for (
            dataset_id
        ) in self._local.ids():  # the API, or a worker on another host, may have removed the files
            if self._is_gone(dataset_id):
                self._local.forget(dataset_id)
        self._local.remove_left_overs()

    def _work(self, claim: DatasetClaim) -> None:
        _log.info("dataset_claimed", attempt=claim.attempts)
        try:
            with self._leased(claim) as check:
                report, findings = examine(claim, self._local, check)
        except _Interrupted:
            _log.info("dataset_given_back", released=self._datasets.release(claim))
        except JobFailed as error:
            self._failed(claim, error.code, error.detail, [])
        else:
            self._end(claim, report, findings)

    def _end(self, claim: DatasetClaim, report: Report, findings: list[Finding]) -> None:
        errors = [finding for finding in findings if finding.level == "error"]
        if errors:
            said = "; ".join(
                f"{finding.detail} ({finding.count})" if finding.count else finding.detail
                for finding in errors
            )
            self._failed(claim, DatasetError.code, said, findings)
            return
        done = self._datasets.ready(
            claim,
            format=report["format"],
            report=report,
            findings=[finding.to_dict() for finding in findings],
        )
        _log.info("dataset_ready", kept=done, slices=report["slices"])

    def _failed(self, claim: DatasetClaim, code: str, message: str, findings: list[Finding]) -> None:
        done = self._datasets.fail(claim, code, message, [finding.to_dict() for finding in findings])
        self._local.forget(claim.id)  # nobody will train on it
        _log.info("dataset_failed", kept=done, code=code)  # the message names files of the client's

    @contextmanager
    def _leased(self, claim: DatasetClaim) -> Iterator[Callable[[int, int], None]]:
        """Prolongs the lease in a thread; gives a function that raises once the work is not ours any more."""
        over, lost = threading.Event(), threading.Event()

        def renew() -> None:
            while not over.wait(self._lease_s / 3):
                try:
                    if not self._datasets.renew(claim, self._lease_s):
                        lost.set()
                        return
                except Exception as error:  # the database may come back before the lease runs out
                    _log.warning("lease_not_renewed", error=brief(error))

        def check(done: int, of: int) -> None:
            if lost.is_set() or self._stop.is_set():
                raise _Interrupted

        thread = threading.Thread(target=renew, name="intake-lease", daemon=True)
        thread.start()
        try:
            yield check
        finally:
            over.set()
            thread.join()

    def _is_gone(self, dataset_id: str) -> bool:
        try:
            self._datasets.get(dataset_id)
        except NotFound:
            return True
        return False

    def _loop(self) -> None:
        while not self._stop.is_set():
            self._wake.clear()
            try:
                more = self.run_once()
                if time.monotonic() >= self._next_cleaning:
                    self._next_cleaning = time.monotonic() + CLEAN_S
                    self.clean()
                self._in_trouble = False
            except Exception as error:  # the lease runs out, and the attempt is counted
                more = False
                if not self._in_trouble:
                    _log.warning("intake_failed", error=brief(error))
                self._in_trouble = True
            if not more:
                self._wake.wait(self._poll_s)
