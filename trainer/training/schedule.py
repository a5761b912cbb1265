"""Learning rates as pure functions: a resumed run needs no schedule state.

Each takes the progress in 0..1 and the validation losses so far, and returns a share of the recipe's learning rate.
"""

import math
from collections.abc import Sequence

PATIENCE = 3  # validations without a better loss, before `plateau` comes down a step
STEP = 0.5


def constant(_progress: float, _losses: Sequence[float] = ()) -> float:
    """1 throughout."""
    return 1.0


def cosine(progress: float, _losses: Sequence[float] = (), end: float = 1e-3) -> float:
    """From 1 down to `end` along half a cosine (Loshchilov and Hutter 2017)."""
    return end + (1 - end) * (1 + math.cos(math.pi * progress)) / 2


def one_cycle(
    progress: float,
    _losses: Sequence[float] = (),
    warm_up: float = 0.15,
    start: float = 0.04,
    end: float = 1e-3,
) -> float:
    """Cosine up from `start` to 1 during `warm_up`, cosine down to `end` (Smith and Topin 2018)."""
    if progress < warm_up:
        return start + (1 - start) * (1 - math.cos(math.pi * progress / warm_up)) / 2
    return cosine((progress - warm_up) / (1 - warm_up), end=end)


def plateau(_progress: float, losses: Sequence[float] = ()) -> float:
    """A STEP down after each PATIENCE validations in a row that brought no lower loss."""
    factor, best, waited = 1.0, math.inf, 0
    for loss in losses:
        waited = 0 if loss < best else waited + 1
        best = min(best, loss)
        if waited == PATIENCE:
            factor, waited = factor * STEP, 0
    return factor
