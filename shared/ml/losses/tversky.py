"""Tversky loss (Salehi et al. 2017): Dice with prices of its own for what is found wrongly and for what is missed."""

import torch
from torch import nn


class Tversky(nn.Module):
    """1 - TP / (TP + alpha * FP + beta * FN) of all pixels of the batch together, in fp32; 0.5 and 0.5 is Dice."""

    def __init__(self, alpha: float = 0.3, beta: float = 0.7, smooth: float = 1.0) -> None:
        super().__init__()
        self.alpha, self.beta, self.smooth = alpha, beta, smooth

    def forward(self, logits_B1HW: torch.Tensor, target_B1HW: torch.Tensor) -> torch.Tensor:
        """Logits and a 0/1 target of the same shape -> a scalar."""
        probability, target = logits_B1HW.float().sigmoid(), target_B1HW.float()
        right = (probability * target).sum()
        wrong = (probability * (1 - target)).sum()
        missed = ((1 - probability) * target).sum()
        return 1 - (right + self.smooth) / (right + self.alpha * wrong + self.beta * missed + self.smooth)
