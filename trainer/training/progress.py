"""What a run tells of itself while it goes on, and the terminal that shows it."""

import sys
from pathlib import Path
from typing import Any, Protocol

from tqdm import tqdm

from shared.contract.names import Stage


class Reporter(Protocol):
    """Hears of everything; whatever it raises ends the run (cancelled, stopped)."""

    def stage(self, stage: Stage, total: int = 0) -> None:
        """The run enters a stage of `total` steps (0: not known)."""
        ...

    def step(self, done: int) -> None:
        """So many steps of the stage are done."""
        ...

    def resumed(self, history: list[dict[str, Any]]) -> None:
        """The run goes on from a checkpoint; the epochs that it has finished."""
        ...

    def epoch(self, entry: dict[str, Any]) -> None:
        """One epoch is done, validated and saved."""
        ...

    def wants_checkpoint(self) -> bool:
        """Asked after each step: whether to save now, in the middle of an epoch."""
        ...

    def checkpoint(self, path: Path, epoch: int, step: int) -> None:
        """The whole state lies in `path`."""
        ...

    def picture(self, path: Path) -> None:
        """A PNG (curves, samples) was drawn."""
        ...

    def say(self, text: str) -> None:
        """A line for the log."""
        ...


class Terminal:
    """Writes to standard error: a bar within a stage (on a terminal only), a line after each epoch."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs
        self.bar = tqdm(total=0, unit="step", file=sys.stderr, disable=not sys.stderr.isatty(), leave=False)

    def stage(self, stage: Stage, total: int = 0) -> None:
        """See Reporter."""
        self.bar.reset(total or None)
        self.bar.set_description(stage)

    def step(self, done: int) -> None:
        """See Reporter."""
        self.bar.update(done - self.bar.n)

    def resumed(self, history: list[dict[str, Any]]) -> None:
        """See Reporter."""
        self.say(f"going on after epoch {history[-1]['epoch'] if history else 0}")

    def epoch(self, entry: dict[str, Any]) -> None:
        """See Reporter."""
        self.say(sentence(entry, self.epochs))

    def wants_checkpoint(self) -> bool:
        """After each epoch is enough."""
        return False

    def checkpoint(self, path: Path, epoch: int, step: int) -> None:
        """It lies where the user said."""

    def picture(self, path: Path) -> None:
        """Likewise."""

    def say(self, text: str) -> None:
        """A line of its own."""
        tqdm.write(text, file=sys.stderr)


def sentence(entry: dict[str, Any], epochs: int) -> str:
    """An epoch's numbers in a line."""
    dice = f", validation Dice {entry['validation_dice']:.4f}" if "validation_dice" in entry else ""
    return f"epoch {entry['epoch']}/{epochs}: loss {entry['train_loss']:.4f}{dice}, {entry['seconds']:.0f} s"
