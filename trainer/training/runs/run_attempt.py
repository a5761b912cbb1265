"""One attempt at a run: what its process is told, and what of its words is kept in the database and the store.

The names of checkpoints and models are fenced by the claim. (The log and the pictures are for people, and may be a
moment old.)
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import structlog

from shared.contract.errors import DatasetGone, JobFailed, NotFound
from shared.contract.names import DatasetStatus
from shared.files.paths import checkpoint_path, model_folder, run_folder
from shared.jobs.dataset_views import DatasetView
from shared.jobs.training_runs import RunClaim
from shared.registry.cards import ModelCard
from trainer.jobs.attempt import Event, RowEnds, Wanted
from trainer.jobs.child_process import ChildProcess
from trainer.jobs.failures import NO_SPACE
from trainer.jobs.patience import NotWanted, meanwhile, patiently
from trainer.logs import brief
from trainer.training.runs.run_failures import WORDS
from trainer.training.runs.run_order import RunChildOrder
from trainer.training.runs.run_tools import RunTools
from trainer.training.runs.run_workspace import RunWorkspace

_log = structlog.get_logger(__name__)
_SLUG = re.compile(r"[^a-z0-9]+")


class RunAttempt:
    """See `trainer.jobs.attempt.Attempt`."""

    def __init__(self, tools: RunTools, claim: RunClaim) -> None:
        self._tools, self._claim = tools, claim
        self._runs, self._files = tools.runs, tools.files
        self._space = RunWorkspace(tools.settings.work_dir, tools.files, claim.id, claim.fence)

    @property
    def ends(self) -> RowEnds:
        """Of the run's row."""
        runs, claim = self._runs, self._claim
        return RowEnds(
            fail=lambda code, message: runs.fail(claim, code, message),
            release=lambda: runs.release(claim),
            interrupt=lambda why: runs.interrupted(claim),
            cancel=lambda: runs.cancelled(claim),
        )

    def start(self, wanted: Wanted) -> ChildProcess:
        """Once the dataset lies here. NotWanted, DatasetGone, DatasetError, DiskFull, OSError."""
        self._space.prepare()
        dataset = self._ready_dataset()
        data = meanwhile(lambda check: self._tools.folders.folder(dataset, check), wanted)
        return self._tools.start(self._order(dataset, data), self._space.log)

    def check(self) -> None:
        """Raises DatasetGone once it was deleted: nobody may learn from it any more."""
        try:
            self._tools.datasets.get(self._claim.dataset_id)
        except NotFound:
            raise DatasetGone(WORDS.dataset_gone) from None

    def look(self, *, over: bool) -> None:
        """Keep the log."""
        with self._unimportant("log_not_kept"):
            self._space.send_log(now=over)

    def hear(self, event: Event) -> None:
        """Keep progress, epochs, checkpoints, pictures. NotWanted where the claim is stale."""
        match event["event"]:
            case "progress":
                self._owned(lambda: self._runs.progress(self._claim, event["progress"]))
            case "resumed":
                known = {entry["epoch"] for entry in self._claim.epochs}
                for entry in event["history"]:  # saved by a process that died before it could say so
                    if entry["epoch"] not in known:
                        self._epoch(entry)
            case "epoch":
                self._epoch(event["entry"])
            case "checkpoint":
                self._checkpoint(Path(event["path"]), event["epoch"], event["step"])
            case "picture":
                with self._unimportant("picture_not_kept"):
                    self._space.send_picture(event["name"], Path(event["path"]))

    def publish(self, finished: Event) -> bool:
        """The model's files first, then model and run in one transaction: never one without the other."""
        folder = Path(finished["folder"])
        card = ModelCard.load(folder / "card.json")
        location = model_folder(card.id, self._claim.fence)
        for file in sorted(folder.iterdir()):
            self._files.put(f"{location}/{file.name}", file)
        done = patiently(lambda: self._runs.succeed(self._claim, card, location))
        # The database may have done it, and lost the connection before it could say so: the second try was stale then.
        if not done and self._runs.get(self._claim.id).model_id != card.id:
            self._files.delete_tree(location)
            return False
        with self._unimportant("left_overs_not_deleted"):
            self._files.delete_tree(f"{run_folder(self._claim.id)}/checkpoints")
            for fence in range(1, self._claim.fence):  # of attempts that were killed while they published
                self._files.delete_tree(model_folder(card.id, fence))
        return True

    def retry_because(self, failure: JobFailed) -> None:
        """Never: a person may resume it."""

    def note(self, why: str) -> None:
        """In the log, before another attempt goes on with it."""
        with self._unimportant("log_not_kept"):
            self._space.note(f"{why}; it will be started again")
        self.look(over=True)

    def clean(self, *, ended: bool) -> None:
        """This attempt's files, and after the run's end all of them."""
        self._space.clean(ended=ended)

    def _ready_dataset(self) -> DatasetView:
        try:
            dataset = self._tools.datasets.get(self._claim.dataset_id)
        except NotFound:
            raise DatasetGone from None
        if dataset.status != DatasetStatus.READY:
            raise DatasetGone("The dataset is not ready any more.")
        return dataset

    def _order(self, dataset: DatasetView, data: Path) -> RunChildOrder:
        claim, space, settings = self._claim, self._space, self._tools.settings
        return RunChildOrder(
            specification=claim.specification,
            model_id=model_id(claim),
            data=str(data),
            options=dataset.options,
            out=str(space.attempt),
            cache=str(space.cache),
            resume_from=str(space.fetch(claim.checkpoint["path"])) if claim.checkpoint else None,
            encoder_weights=str(settings.encoder_weights) if settings.encoder_weights else None,
            device=settings.device,
            threads=settings.threads,
            nice=settings.nice,
            checkpoint_s=settings.checkpoint_s,
        )

    def _epoch(self, entry: dict[str, Any]) -> None:
        self._owned(lambda: self._runs.epoch(self._claim, entry))

    def _checkpoint(self, file: Path, epoch: int, step: int) -> None:
        path = checkpoint_path(self._claim.id, self._claim.fence, step)
        kept = {"path": path, "epoch": epoch, "step": step, "bytes": file.stat().st_size}
        try:
            self._files.put(path, file)
        except OSError as error:
            file.unlink(missing_ok=True)
            if error.errno in NO_SPACE:
                raise
            # The store may be away for a while: the run is worth more than this checkpoint, and the next one will do.
            _log.warning("checkpoint_not_kept", run_id=self._claim.id, error=brief(error))
            return
        ours, old = patiently(lambda: self._runs.checkpoint(self._claim, kept))
        if not ours:
            self._files.delete_tree(path)
            raise NotWanted
        if old is not None:
            with self._unimportant("old_checkpoint_not_deleted"):
                self._files.delete_tree(old)

    def _owned(self, write: Callable[[], bool]) -> None:
        if not patiently(write):
            raise NotWanted

    @contextmanager
    def _unimportant(self, event: str) -> Iterator[None]:
        """A store that is away must not end a run for the sake of a picture."""
        try:
            yield
        except OSError as error:
            _log.warning(event, run_id=self._claim.id, error=brief(error))


def model_id(claim: RunClaim) -> str:
    """Of the model that the run makes: its name, and enough of its id to be the only one."""
    slug = _SLUG.sub("-", claim.name.lower()).strip("-")[:40] or "model"
    return f"{slug}-{claim.id[:8]}"
