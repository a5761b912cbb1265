"""Validates claimed datasets, one at a time, in a thread of the training worker."""

from collections.abc import Callable

import structlog

from shared import catalog
from shared.contract.errors import DatasetError, JobFailed
from shared.datasets.base import Finding, SliceDataset
from shared.datasets.validate import Report, look_through
from shared.jobs.datasets import DatasetClaim, Datasets
from trainer.datasets.local_datasets import LocalDatasets
from trainer.jobs.lease import Lease
from trainer.jobs.patience import NotWanted
from trainer.jobs.sweep import found

_log = structlog.get_logger(__name__)
SWEEP_S = 30.0


def examine(
    claim: DatasetClaim, local: LocalDatasets, on_progress: Callable[[int, int], None]
) -> tuple[Report, list[Finding]]:
    """Unpack and look through one dataset; raises JobFailed (DatasetError, DatasetGone, DiskFull). No database."""
    root = local.folder(claim, on_progress)
    dataset: SliceDataset = catalog.load(catalog.DATASETS, claim.format, "format")(root, **claim.options)
    return look_through(dataset, on_progress)


class ValidationJob:
    """The lease around `examine`, and how it went; `stopping` says that the worker wants to end."""

    def __init__(
        self, datasets: Datasets, local: LocalDatasets, lease_s: float, stopping: Callable[[], bool]
    ) -> None:
        self._datasets, self._local, self._lease_s, self._stopping = datasets, local, lease_s, stopping

    def run(self, claim: DatasetClaim) -> None:
        """To its end, or until it is lost or the worker stops: then it is given back without a lost attempt.

        Whatever else is raised is not the dataset's fault: its lease runs out, and it is tried again.
        """
        with structlog.contextvars.bound_contextvars(dataset_id=claim.id, request_id=claim.request_id):
            _log.info("dataset_claimed", attempt=claim.attempts)
            try:
                report, findings = self._examine(claim)
            except NotWanted:
                _log.info("dataset_given_back", released=self._datasets.release(claim))
            except JobFailed as error:
                self._failed(claim, error.code, error.detail, [])
            else:
                self._end(claim, report, findings)

    def sweep(self) -> None:
        """Remove the files of deleted datasets here and in the store; fail what died too often."""
        for dataset_id in self._datasets.exhaust():
            _log.warning("dataset_exhausted", dataset_id=dataset_id)
        removed = [dataset_id for dataset_id in self._datasets.to_clean() if self._local.try_remove(dataset_id)]
        if removed:
            self._datasets.files_removed(removed)
        # The API, or a worker on another host, may have removed the files in the store.
        self._local.sweep(lambda dataset_id: found(self._datasets.get, dataset_id) is not None)

    def _examine(self, claim: DatasetClaim) -> tuple[Report, list[Finding]]:
        with Lease(self._datasets, claim, self._lease_s, every_s=self._lease_s / 3) as lease:

            def check(done: int, of: int) -> None:
                if lease.lost or self._stopping():
                    raise NotWanted

            return examine(claim, self._local, check)

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
