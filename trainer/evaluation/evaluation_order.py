"""What an evaluation's process is told to do."""

from dataclasses import dataclass
from typing import Any

from trainer.jobs.child_order import ChildOrder


@dataclass(frozen=True, slots=True)
class EvaluationChildOrder(ChildOrder):
    """`model` and `against` are folders, and so is `cache`, of converted models.

    `threads` 0: one a core.
    """

    model: str
    against: str | None
    data: str
    format: str
    options: dict[str, Any]  # of the dataset's reader
    dataset_name: str
    split: str
    flips_on: bool | None
    out: str
    device: str
    threads: int
    engine: str = "auto"
    cache: str | None = None
