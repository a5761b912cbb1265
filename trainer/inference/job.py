"""A claimed job on its way through the stages."""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np

from shared.jobs.segmentations import Claim
from shared.masks.measure import Spacing
from trainer.engines.warm_models import ServedModel


@dataclass(slots=True)
class Job:
    """`x_CHW` and `size` (height, width of the upload) once prepared; times in ms."""

    claim: Claim
    claimed_at: datetime
    model: ServedModel | None = None
    x_CHW: np.ndarray | None = None
    size: tuple[int, int] = (0, 0)
    image: dict[str, Any] | None = None  # of a volume, once it was decoded here
    decode_ms: float = 0.0
    preprocess_ms: float = 0.0
    forward_ms: float = 0.0
    postprocess_ms: float = 0.0

    @property
    def spacing(self) -> Spacing | None:
        """(row, column) in millimetres, if the API knew it."""
        spacing = self.claim.image.get("pixel_spacing_mm")
        return (spacing[0], spacing[1]) if spacing else None

    def timings(self, now: datetime) -> dict[str, float]:
        """Milliseconds: waiting for a worker, each step, and since the upload was decoded, decoding included."""
        decode = float(self.claim.image.get("decode_ms", 0.0))
        return {
            "decode": round(decode + self.decode_ms, 2),
            "queue": _between_ms(self.claim.created_at, self.claimed_at),
            "preprocess": round(self.preprocess_ms, 2),
            "forward": round(self.forward_ms, 2),
            "postprocess": round(self.postprocess_ms, 2),
            "total": round(decode + _between_ms(self.claim.created_at, now), 2),
        }


@dataclass(slots=True)
class Stopwatch:
    """Milliseconds since it was made."""

    started: float = field(default_factory=time.perf_counter)

    def ms(self) -> float:
        """So far."""
        return (time.perf_counter() - self.started) * 1000


def now_utc() -> datetime:
    """Aware, in UTC."""
    return datetime.now(UTC)


def _between_ms(earlier: datetime, later: datetime) -> float:
    """Never negative: the API's clock and ours may differ."""
    return round(max(0.0, (later - earlier).total_seconds() * 1000), 2)
