"""Progress of a run on the terminal: a bar within an epoch, a line after it."""

import sys
from typing import Any

from tqdm import tqdm


class Progress:
    """Writes to standard error; the bar only shows on a terminal."""

    def __init__(self, epochs: int, steps: int) -> None:
        self.epochs = epochs
        self.bar = tqdm(
            total=steps, unit="step", file=sys.stderr, disable=not sys.stderr.isatty(), leave=False
        )

    def step(self, epoch: int, step: int, loss: float) -> None:
        """One training step is done."""
        self.bar.set_description(f"epoch {epoch + 1}/{self.epochs} loss {loss:.3f}")
        self.bar.update(1)

    def epoch(self, entry: dict[str, Any]) -> None:
        """One epoch is done."""
        self.bar.reset()
        dice = f", validation Dice {entry['validation_dice']:.4f}" if "validation_dice" in entry else ""
        self.say(
            f"epoch {entry['epoch']}/{self.epochs}: loss {entry['train_loss']:.4f}{dice}, {entry['seconds']:.0f} s"
        )

    def say(self, text: str) -> None:
        """A line of its own."""
        tqdm.write(text, file=sys.stderr)
