"""What a run tells of itself, as events for the worker; and when it obeys."""

import logging
from pathlib import Path
from typing import Any

from shared.contract.names import Stage
from trainer.jobs.child_side import PROGRESS_S, Ended, EventPipe
from trainer.training.progress import sentence

_log = logging.getLogger(__name__)


class RunReporter:
    """A Reporter. `cancel` ends the run at once, `stop` once a checkpoint is saved."""

    def __init__(self, pipe: EventPipe, epochs: int, checkpoint_s: float) -> None:
        self._pipe, self._epochs, self._checkpoint_s = pipe, epochs, checkpoint_s
        self._finished = 0  # epochs
        self._stage, self._total, self._done = Stage.LOADING, 0, 0
        self._begun: tuple[float, int] | None = None  # when and where the stage's steps began, for the eta
        self._saved_at = self._told_at = pipe.clock()

    def stage(self, stage: Stage, total: int = 0) -> None:
        """See Reporter."""
        self._stage, self._total, self._done, self._begun = stage, total, 0, None
        _log.info("%s", stage)
        self._tell()
        self._obey()

    def step(self, done: int) -> None:
        """See Reporter."""
        now, first = self._pipe.clock(), self._begun is None
        self._done = done
        self._begun = self._begun or (now, done)
        if first or now - self._told_at >= PROGRESS_S:
            self._tell()
        self._obey()

    def resumed(self, history: list[dict[str, Any]]) -> None:
        """See Reporter."""
        self._finished = len(history)
        _log.info("going on after epoch %d", self._finished)
        self._pipe.send("resumed", history=history)

    def epoch(self, entry: dict[str, Any]) -> None:
        """See Reporter."""
        self._finished = entry["epoch"]
        _log.info("%s", sentence(entry, self._epochs))
        self._pipe.send("epoch", entry=entry)

    def wants_checkpoint(self) -> bool:
        """When the last one is old enough, or before this process stops."""
        return self._pipe.commands.stop or self._pipe.clock() - self._saved_at >= self._checkpoint_s

    def checkpoint(self, path: Path, epoch: int, step: int) -> None:
        """The file gets a name of its own: the worker takes it away while the next one is written."""
        own = path.with_stem(f"{path.stem}-{step}")
        path.rename(own)
        self._saved_at = self._pipe.clock()
        self._pipe.send("checkpoint", path=str(own), epoch=epoch, step=step)
        if self._pipe.commands.stop:
            raise Ended

    def picture(self, path: Path) -> None:
        """See Reporter."""
        self._pipe.send("picture", name=path.stem, path=str(path))

    def say(self, text: str) -> None:
        """See Reporter."""
        _log.info("%s", text)

    def _tell(self) -> None:
        now = self._pipe.clock()
        self._told_at = now
        eta = None
        if self._stage is Stage.TRAINING and self._begun is not None and self._done > self._begun[1]:
            started, first = self._begun
            eta = round((now - started) / (self._done - first) * (self._total - self._done), 1)
        progress = {"stage": self._stage, "epoch": self._finished, "epochs": self._epochs}
        self._pipe.send(
            "progress", progress={**progress, "step": self._done, "steps": self._total, "eta_s": eta}
        )

    def _obey(self) -> None:
        if self._pipe.commands.cancel:
            raise Ended
