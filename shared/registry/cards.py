"""Model cards: card.json as frozen dataclasses, strictly read; every unknown, missing or wrong field named."""

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any, NoReturn, Self

from shared.contract.errors import InvalidFields
from shared.registry import strict

SCHEMA = 1
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_WEIGHTS_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,100}\.safetensors")


class InvalidCard(InvalidFields):
    """A card that cannot be used; `errors` has the place of each problem (`weights.sha256`)."""

    code = "invalid_card"
    title = "The model card is not valid"


@dataclass(frozen=True, slots=True)
class Label:
    """What a value of the mask means."""

    value: int
    name: str


@dataclass(frozen=True, slots=True)
class Calibration:
    """p = sigmoid(scale * logit + bias), Platt scaling fitted on validation."""

    scale: float
    bias: float


@dataclass(frozen=True, slots=True)
class Weights:
    """The file beside the card: SHA-256, dtype as safetensors names it, size in bytes, number of parameters."""

    file: str
    sha256: str
    dtype: str
    bytes: int
    parameters: int


@dataclass(frozen=True, slots=True)
class ModelCard:
    """All that is needed to use a model, and to know what it is good for."""

    schema: int
    id: str
    name: str
    version: str
    description: str
    architecture: str
    encoder: str | None
    network: dict[str, Any]
    in_channels: int
    classes: int
    labels: list[Label]
    preprocessing: dict[str, Any]
    threshold: float
    min_region_pixels: int
    test_time_augmentation: list[str]
    calibration: Calibration
    unlike: dict[str, Any]
    metrics: dict[str, Any]
    provenance: dict[str, Any]
    licence: str
    intended_use: str
    not_for: str
    weights: Weights
    channels: list[str] = field(
        default_factory=list
    )  # names of what the network is given, where they have names

    @classmethod
    def from_dict(cls, data: object) -> Self:
        """From parsed JSON; raises InvalidCard with all problems."""
        problems: strict.Problems = {}
        card = strict.read(cls, data, problems)
        if card is None or not card._sound(problems):
            listed = "; ".join(
                f"{place}: {', '.join(messages)}" for place, messages in sorted(problems.items())
            )
            raise InvalidCard(f"The model card is not valid: {listed}", problems)
        return card

    @classmethod
    def load(cls, path: Path) -> Self:
        """From a card.json; raises InvalidCard, FileNotFoundError."""
        try:
            return cls.from_dict(json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_constant))
        except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
            raise InvalidCard(f"{path} is not JSON: {error}") from None

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    def dump(self, path: Path) -> None:
        """Write card.json (whole or not at all)."""
        temporary = path.with_name(path.name + ".tmp")
        temporary.write_text(json.dumps(self.to_dict(), indent=2, allow_nan=False) + "\n", encoding="utf-8")
        temporary.replace(path)

    def digest(self) -> str:
        """SHA-256 of the card's content, which names the weights by their own: same digest, same model."""
        return hashlib.sha256(
            json.dumps(self.to_dict(), sort_keys=True, allow_nan=False).encode()
        ).hexdigest()

    def _sound(self, problems: strict.Problems) -> bool:
        """Whether the values make sense beyond their types; adds to `problems`."""
        rules = {
            "schema": (self.schema == SCHEMA, f"this version reads schema {SCHEMA}"),
            "id": (
                bool(_ID.fullmatch(self.id)),
                "must be 1 to 64 of A-Z a-z 0-9 . _ -, not starting with a sign",
            ),
            "threshold": (0 <= self.threshold <= 1, "must be between 0 and 1"),
            "min_region_pixels": (self.min_region_pixels >= 0, "must not be negative"),
            "in_channels": (self.in_channels >= 1, "must be at least 1"),
            "classes": (self.classes >= 1, "must be at least 1"),
            "channels": (
                len(self.channels) in (0, self.in_channels) and len(set(self.channels)) == len(self.channels),
                "must be as many different names as in_channels, or none",
            ),
            "calibration": (isfinite(self.calibration.scale + self.calibration.bias), "must be finite"),
            "weights.file": (
                bool(_WEIGHTS_FILE.fullmatch(self.weights.file)),
                "must name a .safetensors file",
            ),
            "weights.sha256": (bool(_SHA256.fullmatch(self.weights.sha256)), "must be 64 hex digits"),
        }
        for place, (holds, message) in rules.items():
            if not holds:
                problems.setdefault(place, []).append(message)
        return not problems


def _no_constant(name: str) -> NoReturn:
    """NaN and Infinity are not JSON."""
    raise InvalidCard(f"The model card holds {name}, which is not JSON")
