"""What a training worker can begin encoders with, looked up now and then, so that runs are refused before they wait."""

from collections.abc import Callable, Sequence
from pathlib import Path

from shared.ml.encoder_files import available

LOOK_EVERY_S = 600.0


class EncoderWeights:
    """`look` is the chore of a thread of its own, since a network that is away takes its time.

    `known` is what it found last, None before the first look.
    """

    def __init__(self, folder: Path | None, find: Callable[[Path | None], Sequence[str]] = available) -> None:
        self._folder, self._find = folder, find
        self.known: Sequence[str] | None = None

    def look(self) -> None:
        """See what is there."""
        self.known = self._find(self._folder)
