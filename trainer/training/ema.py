"""Exponential moving average of the weights: smoother than the last step's, at no cost when serving."""

import copy

import torch
from torch import nn

from shared.ml.models.network import SegmentationNetwork


class Ema:
    """Keeps a second network whose weights follow the trained one's; its buffers are copied."""

    def __init__(self, network: SegmentationNetwork, decay: float) -> None:
        self.network = copy.deepcopy(network).eval()
        self.decay = decay

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Move towards `network`; early steps move faster, so that the random start is soon forgotten."""
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(list(self.network.parameters()), list(network.parameters()), 1 - decay)
        if buffers := list(network.buffers()):  # group normalisation has none
            torch._foreach_copy_(list(self.network.buffers()), buffers)
