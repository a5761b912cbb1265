"""Tells an image that is unlike what the model learned from, by what the network says of its strangeness."""

from collections.abc import Sequence

import numpy as np


def unlike_training_data(strangeness_S: np.ndarray, limits: Sequence[float]) -> bool:
    """True where any measure is above its limit (the card's `unlike.limits`, in the network's order)."""
    return bool(np.any(strangeness_S > np.asarray(limits)))
