"""`python -m trainer.evaluation.child`: one evaluation as a process of its own, spoken to over pipes.

Standard input: the order (a line of JSON), then `stop`; its end means that the worker is gone, and this process with
it. Standard output: one JSON object a line. Standard error: for whoever looks into its file. It knows no database.
"""

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from shared.contract.config import ConfigError
from shared.contract.errors import (
    DatasetError,
    DatasetGone,
    DiskFull,
    EvaluationFailed,
    ImageError,
    JobFailed,
    OutOfMemory,
    ServiceError,
)
from trainer.engines.open_engine import resolve_device
from trainer.evaluation.order import EvaluationOrder
from trainer.evaluation.stored import StoredDataset
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
from trainer.jobs.failures import NO_SPACE, UNREADABLE, kind_of
from trainer.jobs.order import path_or_none

_log = logging.getLogger("evaluation")
PROGRESS_S = 1.0


class Pipe:
    """Lines of JSON for the worker; progress now and then, and never after it was asked to end."""

    def __init__(self, out: TextIO, commands: Commands, clock: Callable[[], float] = time.monotonic) -> None:
        self._out, self._commands, self._clock = out, commands, clock
        self._told_at: float | None = None

    def send(self, event: str, **values: Any) -> None:
        """One line. ValueError for NaN, which is not JSON."""
        self._out.write(json.dumps({"event": event, **values}, allow_nan=False) + "\n")
        self._out.flush()

    def progress(self, share: float) -> None:
        """How far it is, 0 to 1; raises Ended."""
        if self._commands.cancel or self._commands.stop:
            raise Ended
        now = self._clock()
        if self._told_at is None or now - self._told_at >= PROGRESS_S:
            self._told_at = now
            self.send("progress", share=round(share, 4))


def do(order: EvaluationOrder, pipe: Pipe) -> None:
    """The evaluation, to its result."""
    # Takes seconds, in which the worker is listened to already.
    from trainer.evaluation.evaluate import Question, evaluate

    if order.threads:
        import torch

        torch.set_num_threads(order.threads)
    pipe.progress(0.0)
    question = Question(
        model=Path(order.model),
        against=path_or_none(order.against),
        dataset=StoredDataset(Path(order.data), order.format, order.options),
        dataset_name=order.dataset_name,
        split=order.split,
        flips_on=order.flips_on,
        device=resolve_device(order.device),
        engine=order.engine,
        cache_dir=path_or_none(order.cache),
    )
    pipe.send("finished", result=evaluate(question, Path(order.out), pipe.progress))


def explain(error: Exception, data: Path) -> JobFailed:
    """What a person reads of why it failed."""
    text = str(error)
    if isinstance(error, JobFailed) and not isinstance(error, DatasetError):
        return error
    if not data.exists():
        return DatasetGone("The dataset was deleted while it was evaluated on.")
    if isinstance(error, (DatasetError, ImageError)):  # their texts name files
        return DatasetError(UNREADABLE)
    if isinstance(error, ServiceError):
        fields = "; ".join(f"{name}: {' '.join(said)}" for name, said in (error.errors or {}).items())
        return EvaluationFailed(fields or error.detail)
    if (isinstance(error, OSError) and error.errno in NO_SPACE) or "No space left" in text:
        return DiskFull(
            "The disk of the training worker is full. Make room, then ask for the evaluation again."
        )
    if isinstance(error, MemoryError) or "out of memory" in text.lower() or "allocate memory" in text:
        return OutOfMemory("The evaluation needs more memory than there is.")
    if isinstance(error, ConfigError):  # DEVICE or ENGINE, as the worker's own start would say it
        return EvaluationFailed(text)
    return EvaluationFailed(f"The evaluation broke off ({kind_of(error)}).")


def main() -> int:
    """Exit status 0: said how it ended; anything else: it broke off, and may be tried again."""
    commands_in, out = own_pipes()
    log_to_standard_error()
    order = EvaluationOrder.from_line(commands_in.readline().decode())
    give_way(order.nice)
    commands = Commands(commands_in, die)
    commands.listen()
    pipe = Pipe(out, commands)
    try:
        do(order, pipe)
    except Ended:
        _log.info("stopped as asked")
    except Exception as error:
        failure = explain(error, Path(order.data))
        _log.error("broke off: %s at %s", type(error).__name__, place(error))
        pipe.send("failed", code=failure.code, message=failure.detail)
    return 0


if __name__ == "__main__":
    leave(main())
