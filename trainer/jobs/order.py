"""What a child process is told to do: the first line that it reads."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class OneLine:
    """Plain values as JSON, one line."""

    def to_line(self) -> str:
        """With its end."""
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def from_line(cls, line: str) -> Self:
        """Of `to_line`."""
        return cls(**json.loads(line))


@dataclass(frozen=True, slots=True)
class Order(OneLine):
    """A training run: plain values and paths of this host. `threads` 0: as many as there are cores."""

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
    nice: int
    checkpoint_s: float


def path_or_none(text: str | None) -> Path | None:
    """For the optional paths of an order."""
    return Path(text) if text is not None else None
