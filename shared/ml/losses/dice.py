"""Soft Dice loss over the whole batch (Milletari et al. 2016; batch Dice as in nnU-Net, Isensee et al. 2021)."""

import torch
from torch import nn


class Dice(nn.Module):
    """1 - Dice of all pixels of the batch together, in fp32.

    Over the batch rather than per slice: a slice without tumour still pays for what is wrongly found in it, and
    a tumour of ten pixels does not weigh as much as one of a thousand.
    """

    def __init__(self, smooth: float = 1.0) -> None:
        super().__init__()
        self.smooth = smooth

    def forward(self, logits_B1HW: torch.Tensor, target_B1HW: torch.Tensor) -> torch.Tensor:
        """Logits and a 0/1 target of the same shape -> a scalar."""
        probability = logits_B1HW.float().sigmoid()
        target = target_B1HW.float()
        overlap = (probability * target).sum()
        return 1 - (2 * overlap + self.smooth) / (probability.sum() + target.sum() + self.smooth)
