"""Soft Dice loss of each slice by itself (Milletari et al. 2016): a small tumour weighs as much as a large one."""

import torch
from torch import nn


class DicePerSample(nn.Module):
    """1 - the mean of the slices' Dice, in fp32.

    A slice without tumour costs 1 - smooth / (what was found in it + smooth): nothing found is right.
    """

    def __init__(self, smooth: float = 1.0) -> None:
        super().__init__()
        self.smooth = smooth

    def forward(self, logits_B1HW: torch.Tensor, target_B1HW: torch.Tensor) -> torch.Tensor:
        """Logits and a 0/1 target of the same shape -> a scalar."""
        probability_BN = logits_B1HW.float().sigmoid().flatten(1)
        target_BN = target_B1HW.float().flatten(1)
        overlap_B = (probability_BN * target_BN).sum(1)
        total_B = probability_BN.sum(1) + target_BN.sum(1)
        return 1 - ((2 * overlap_B + self.smooth) / (total_B + self.smooth)).mean()
