"""Learning rates as pure functions of progress in 0..1: a resumed run needs no schedule state."""

import math


def constant(_progress: float) -> float:
    """1 throughout."""
    return 1.0


def one_cycle(progress: float, warm_up: float = 0.15, start: float = 0.04, end: float = 1e-3) -> float:
    """Cosine up from `start` to 1 during `warm_up`, cosine down to `end` (Smith and Topin 2018)."""
    if progress < warm_up:
        return start + (1 - start) * (1 - math.cos(math.pi * progress / warm_up)) / 2
    return end + (1 - end) * (1 + math.cos(math.pi * (progress - warm_up) / (1 - warm_up))) / 2
