"""Numbers as JSON has them: what is not defined is null, never NaN."""

import math
from collections.abc import Iterable

Interval = list[float | None]


def number(value: float) -> float | None:
    """Six significant digits; None where it is not finite."""
    return float(f"{value:.6g}") if math.isfinite(value) else None


def interval(ends: Iterable[float]) -> Interval | None:
    """Both ends, or None where either is not finite."""
    low, high = (number(value) for value in ends)
    return None if low is None or high is None else [low, high]
