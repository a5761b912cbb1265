"""What a training run's process is told to do."""

from dataclasses import dataclass
from typing import Any

from trainer.jobs.child_order import ChildOrder


@dataclass(frozen=True, slots=True)
class RunChildOrder(ChildOrder):
    """`out`, `cache` and `encoder_weights` are folders; `threads` 0: as many as there are cores."""

    specification: dict[str, Any]  # of a shared.recipe.Recipe
    model_id: str
    data: str
    options: dict[str, Any]  # of the dataset's reader
    out: str
    cache: str
    resume_from: str | None
    encoder_weights: str | None
    device: str
    threads: int
    checkpoint_s: float
