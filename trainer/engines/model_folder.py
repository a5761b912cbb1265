"""A model on disk, before anything runs it."""

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from shared.contract.errors import ModelUnusable
from shared.preprocessing.preprocess import Preprocessing
from shared.registry.cards import InvalidCard, ModelCard

if TYPE_CHECKING:
    from torch import nn


class ModelSource(Protocol):
    """What an engine needs of a model."""

    @property
    def id(self) -> str:
        """For messages."""
        ...

    @property
    def fingerprint(self) -> str:
        """Hex digest of all that decides the network's outputs."""
        ...

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Channels, height, width."""
        ...

    @property
    def views(self) -> int:
        """How many images the network looks at for each slice: itself, and its test-time flips."""
        ...

    def verify(self) -> None:
        """Raise ModelUnusable unless the files are those of the card."""
        ...

    def predictor(self) -> "nn.Module":
        """x_BCHW -> (probability_BHW, strangeness_BS), fp32, eval mode, on the CPU; loads torch."""
        ...


@dataclass(frozen=True)
class ModelFolder:
    """A folder with card.json and weights.safetensors. Raises ModelUnusable if the card cannot be read.

    `flips` are other test-time flips than the card's.
    """

    folder: Path
    flips: tuple[str, ...] | None = None

    @cached_property
    def card(self) -> ModelCard:
        """The card as it lies beside the weights."""
        try:
            card = ModelCard.load(self.folder / "card.json")
            return card if self.flips is None else replace(card, test_time_augmentation=list(self.flips))
        except (InvalidCard, OSError) as error:
            why = error.strerror if isinstance(error, OSError) else error  # without the path
            raise ModelUnusable(f"the card of the model {self.folder.name} cannot be read: {why}") from error

    @cached_property
    def preprocessing(self) -> Preprocessing:
        """What the model was trained with."""
        try:
            return Preprocessing(**self.card.preprocessing)
        except (TypeError, ValueError) as error:
            raise ModelUnusable(
                f"the preprocessing of the model {self.id} is not known here: {error}"
            ) from error

    @property
    def id(self) -> str:
        """The card's."""
        return self.card.id

    @property
    def fingerprint(self) -> str:
        """Of the card, which names the weights by their digest."""
        return self.card.digest()

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Channels, height, width."""
        return self.card.in_channels, self.preprocessing.image_size, self.preprocessing.image_size

    @property
    def views(self) -> int:
        """The slice itself and its flips."""
        return 1 + len(self.card.test_time_augmentation)

    def verify(self) -> None:
        """Compare the weights with the card's SHA-256; ModelUnusable."""
        path = self.folder / self.card.weights.file
        try:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise ModelUnusable(
                f"the weights of the model {self.id} cannot be read: {error.strerror}"
            ) from error
        if digest != self.card.weights.sha256:
            raise ModelUnusable(
                f"the weights of the model {self.id} are not those of its card (SHA-256 differs)"
            )

    def predictor(self) -> "nn.Module":
        """Through shared.ml, which imports torch."""
        from shared.ml.checkpoint import load_model

        return load_model(self.folder, self.flips)[0]
