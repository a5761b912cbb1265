"""One attempt at an evaluation: what its process is told, and what of its words is kept.

The report's name is fenced by the claim.
"""

import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from shared.contract.errors import DatasetGone, JobFailed, ModelUnusable, NotFound, OutOfMemory
from shared.contract.names import DatasetStatus, EvaluationStatus
from shared.database.models import StoredModel
from shared.files.paths import evaluation_report_path
from shared.jobs.datasets import DatasetView
from shared.jobs.evaluations import EvaluationClaim
from trainer.evaluation.evaluation_order import EvaluationChildOrder
from trainer.evaluation.evaluation_tools import EvaluationTools
from trainer.jobs.attempt import Event, RowEnds, Wanted
from trainer.jobs.child_process import ChildProcess
from trainer.jobs.patience import NotWanted, meanwhile, patiently
from trainer.jobs.sweep import attempt_folder

REPORT = "report.html"


@dataclass(frozen=True)
class Needed:
    """What an evaluation is about, while it is there."""

    dataset: DatasetView
    model: StoredModel
    against: StoredModel | None


class EvaluationAttempt:
    """See `trainer.jobs.attempt.Attempt`."""

    def __init__(self, tools: EvaluationTools, claim: EvaluationClaim) -> None:
        self._tools, self._claim = tools, claim
        self._evaluations, self._files = tools.evaluations, tools.files
        self._folder = attempt_folder(tools.settings.work_dir, claim.id, claim.fence)

    @property
    def ends(self) -> RowEnds:
        """Of the evaluation's row, which is deleted rather than cancelled."""
        rows, claim = self._evaluations, self._claim
        return RowEnds(
            fail=lambda code, message: rows.fail(claim, code, message),
            release=lambda: rows.release(claim),
            interrupt=lambda why: rows.interrupted(claim, why),
            cancel=lambda: rows.release(claim),
        )

    def start(self, wanted: Wanted) -> ChildProcess:
        """Once models and dataset lie here. NotWanted, DatasetGone, ModelUnusable, OSError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._tools.start(self._order(wanted), self._folder / "log.txt")

    def check(self) -> None:
        """Raises DatasetGone and ModelUnusable once they were deleted: then nobody may use them any more."""
        self._needed()

    def look(self, *, over: bool) -> None:
        """Its log is nobody's to read."""

    def hear(self, event: Event) -> None:
        """Keep progress. NotWanted where the claim is stale."""
        if event["event"] == "progress" and not patiently(
            lambda: self._evaluations.progress(self._claim, event["share"])
        ):
            raise NotWanted

    def publish(self, finished: Event) -> bool:
        """The report first, then the row: never a result without its report."""
        path = evaluation_report_path(self._claim.id, self._claim.fence)
        self._files.put(path, self._folder / REPORT)
        done = patiently(lambda: self._evaluations.succeed(self._claim, finished["result"]))
        # The database may have done it, and lost the connection before it could say so: the second try was stale then.
        if not done and not self._is_ours():
            self._files.delete_tree(path.rpartition("/")[0])
            return False
        with suppress(OSError):
            for fence in range(1, self._claim.fence):  # of attempts that were killed while they published
                earlier = evaluation_report_path(self._claim.id, fence)
                self._files.delete_tree(earlier.rpartition("/")[0])
        return True

    def retry_because(self, failure: JobFailed) -> str | None:
        """Where memory was short: others may have had it for a while, a training run for one."""
        self.check()  # what was deleted is a better reason than a file that is not there
        return "it needed more memory than there was" if isinstance(failure, OutOfMemory) else None

    def note(self, why: str) -> None:
        """The row says it."""

    def clean(self, *, ended: bool) -> None:
        """Attempts share nothing."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _is_ours(self) -> bool:
        try:
            view = patiently(lambda: self._evaluations.get(self._claim.id))
        except NotFound:
            return False
        return view.status == EvaluationStatus.SUCCEEDED and view.fence == self._claim.fence

    def _needed(self) -> Needed:
        claim = self._claim
        try:
            dataset = self._tools.datasets.get(claim.dataset_id)
        except NotFound:
            raise DatasetGone("The dataset was deleted before the evaluation was done.") from None
        if dataset.status != DatasetStatus.READY:
            raise DatasetGone("The dataset is not ready any more.")
        against = self._model(claim.against_id) if claim.against_id is not None else None
        return Needed(dataset, self._model(claim.model_id), against)

    def _model(self, model_id: str) -> StoredModel:
        try:
            return self._tools.models.get(model_id)
        except NotFound:
            raise ModelUnusable(f"The model {model_id} was deleted before the evaluation was done.") from None

    def _order(self, wanted: Wanted) -> EvaluationChildOrder:
        needed, settings, claim = self._needed(), self._tools.settings, self._claim
        dataset = needed.dataset
        model = self._fetched(needed.model, wanted)
        against = None if needed.against is None else self._fetched(needed.against, wanted)
        data = meanwhile(lambda check: self._tools.dataset_folders.folder(dataset, check), wanted)
        return EvaluationChildOrder(
            model=str(model),
            against=None if against is None else str(against),
            data=str(data),
            format=dataset.format,
            options=dataset.options,
            dataset_name=dataset.name,
            split=claim.split,
            flips_on=claim.test_time_augmentation,
            out=str(self._folder),
            device=settings.device,
            threads=settings.threads,
            nice=settings.nice,
            engine=settings.engine,
            cache=None if settings.cache_dir is None else str(settings.cache_dir),
        )

    def _fetched(self, model: StoredModel, wanted: Wanted) -> Path:
        return meanwhile(lambda _: self._tools.local_models.folder(model), wanted)
