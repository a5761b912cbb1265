"""`python -m trainer.training.runs.child`: one training run as a process of its own, spoken to over pipes.

Standard input: the order (a line of JSON), then `cancel` or `stop`; its end means that the worker is gone, and this
process with it. Standard output: one JSON object a line. Standard error: the run's log. It knows no database.
"""

import errno
import json
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

import torch

from shared.contract.errors import (
    DatasetError,
    DatasetGone,
    DiskFull,
    ImageError,
    JobFailed,
    OutOfMemory,
    ServiceError,
    TrainingFailed,
)
from shared.contract.names import Stage
from shared.recipe import Recipe, recipe_from
from trainer.jobs.child_side import (
    Commands,
    Ended,
    die,
    give_way,
    leave,
    log_to_standard_error,
    own_pipes,
    place,
)
from trainer.jobs.failures import UNREADABLE, kind_of
from trainer.jobs.order import Order, path_or_none
from trainer.training import pictures
from trainer.training.finish import finish
from trainer.training.progress import sentence
from trainer.training.run import Paths, run_training

_log = logging.getLogger("training")
PROGRESS_S = 1.0


class Pipe:
    """A Reporter that writes lines of JSON for the worker."""

    def __init__(
        self,
        out: TextIO,
        commands: Commands,
        epochs: int,
        checkpoint_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._out, self._commands, self._clock = out, commands, clock
        self._epochs, self._checkpoint_s = epochs, checkpoint_s
        self._finished = 0  # epochs
        self._stage, self._total, self._done = Stage.LOADING, 0, 0
        self._begun: tuple[float, int] | None = None  # when and where the stage's steps began, for the eta
        self._saved_at = self._told_at = clock()

    def send(self, event: str, **values: Any) -> None:
        """One line."""
        self._out.write(json.dumps({"event": event, **values}) + "\n")
        self._out.flush()

    def stage(self, stage: Stage, total: int = 0) -> None:
        """See Reporter."""
        self._stage, self._total, self._done, self._begun = stage, total, 0, None
        _log.info("%s", stage)
        self._tell()
        self._obey()

    def step(self, done: int) -> None:
        """See Reporter."""
        now, first = self._clock(), self._begun is None
        self._done = done
        self._begun = self._begun or (now, done)
        if first or now - self._told_at >= PROGRESS_S:
            self._tell()
        self._obey()

    def resumed(self, history: list[dict[str, Any]]) -> None:
        """See Reporter."""
        self._finished = len(history)
        _log.info("going on after epoch %d", self._finished)
        self.send("resumed", history=history)

    def epoch(self, entry: dict[str, Any]) -> None:
        """See Reporter."""
        self._finished = entry["epoch"]
        _log.info("%s", sentence(entry, self._epochs))
        self.send("epoch", entry=entry)

    def wants_checkpoint(self) -> bool:
        """When the last one is old enough, or before this process stops."""
        return self._commands.stop or self._clock() - self._saved_at >= self._checkpoint_s

    def checkpoint(self, path: Path, epoch: int, step: int) -> None:
        """The file gets a name of its own: the worker takes it away while the next one is written."""
        own = path.with_stem(f"{path.stem}-{step}")
        path.rename(own)
        self._saved_at = self._clock()
        self.send("checkpoint", path=str(own), epoch=epoch, step=step)
        if self._commands.stop:
            raise Ended

    def picture(self, path: Path) -> None:
        """See Reporter."""
        self.send("picture", name=path.stem, path=str(path))

    def say(self, text: str) -> None:
        """See Reporter."""
        _log.info("%s", text)

    def _tell(self) -> None:
        now = self._clock()
        self._told_at = now
        eta = None
        if self._stage is Stage.TRAINING and self._begun is not None and self._done > self._begun[1]:
            started, first = self._begun
            eta = round((now - started) / (self._done - first) * (self._total - self._done), 1)
        progress = {"stage": self._stage, "epoch": self._finished, "epochs": self._epochs}
        self.send("progress", progress={**progress, "step": self._done, "steps": self._total, "eta_s": eta})

    def _obey(self) -> None:
        if self._commands.cancel:
            raise Ended


def train(order: Order, pipe: Pipe, recipe: Recipe) -> None:
    """The run, to its model."""
    device = torch.device(_device(order.device))
    paths = Paths(
        data=Path(order.data),
        out=Path(order.out),
        encoder_weights=path_or_none(order.encoder_weights),
        resume_from=path_or_none(order.resume_from),
        cache=Path(order.cache),
        options=order.options,
        pseudonyms=True,
    )
    trained = run_training(recipe, paths, device, pipe)
    pipe.stage(Stage.SAVING)
    folder = finish(recipe, paths, trained, device, model_id=order.model_id, thorough=False)
    (folder / "history.json").write_text(json.dumps(trained.history, indent=1))
    pictures.curves(folder / "curves.png", trained.history)
    pipe.send("finished", folder=str(folder))


def explain(error: BaseException, data: Path) -> JobFailed | None:
    """What a person reads of why the run failed; None where another attempt may go well."""
    text = str(error)
    if isinstance(error, JobFailed) and not isinstance(error, DatasetError):
        return error
    if not data.exists():
        return DatasetGone("The dataset was deleted while the run was using it.")
    if isinstance(error, (DatasetError, ImageError)):  # their texts name files
        return DatasetError(UNREADABLE)
    if isinstance(error, ServiceError):
        fields = "; ".join(f"{name}: {' '.join(messages)}" for name, messages in (error.errors or {}).items())
        return TrainingFailed(fields or error.detail)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT) or "No space left" in text:
        return DiskFull("The disk of the training worker is full. Make room, then resume the run.")
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "allocate memory" in text:
        return OutOfMemory("The run needs more memory than there is: try a smaller batch_size or image_size.")
    if "DataLoader worker (pid" in text:  # killed by somebody: the kernel, for its memory, or a person
        return None
    return TrainingFailed(f"The run broke off ({kind_of(error)}).")


def main() -> int:
    """Exit status 0: said how it ended; anything else: it broke off, and may be tried again."""
    commands_in, out = own_pipes()
    log_to_standard_error()
    order = Order.from_line(commands_in.readline().decode())
    give_way(order.nice)
    torch.set_num_threads(order.threads or os.cpu_count() or 1)
    recipe = recipe_from(order.specification)
    commands = Commands(commands_in, die)
    commands.listen()
    pipe = Pipe(out, commands, recipe.epochs, order.checkpoint_s)
    try:
        train(order, pipe, recipe)
    except Ended:
        _log.info("stopped as asked")
        pipe.send("ended")
    except Exception as error:
        failure = explain(error, Path(order.data))
        # Only where it broke: messages may name a dataset's files, which are patients'.
        _log.error("broke off: %s at %s", type(error).__name__, place(error))
        if failure is None:
            return 1
        pipe.send("failed", code=failure.code, message=failure.detail)
    return 0


def _device(asked: str) -> str:
    if asked != "auto":
        return asked
    return "cuda" if torch.cuda.is_available() else "cpu"


if __name__ == "__main__":
    leave(main())
