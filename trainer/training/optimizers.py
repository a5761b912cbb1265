"""Optimizers of the table that are more than a class of torch's with its defaults."""

from collections.abc import Iterable
from typing import Any

import torch


def sgd(groups: Iterable[dict[str, Any]], lr: float) -> torch.optim.SGD:
    """Stochastic gradient descent with Nesterov's momentum of 0.9."""
    return torch.optim.SGD(groups, lr=lr, momentum=0.9, nesterov=True)
