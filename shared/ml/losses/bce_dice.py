"""Binary cross-entropy plus batch Dice: the first gives gradients everywhere, the second is what we are scored by."""

import torch
from torch import nn
from torch.nn import functional

from shared.ml.losses.dice import Dice


class BceDice(nn.Module):
    """bce_weight * BCE + Dice, in fp32 whatever the autocast."""

    def __init__(self, bce_weight: float = 1.0, smooth: float = 1.0) -> None:
        super().__init__()
        self.bce_weight = bce_weight
        self.dice = Dice(smooth)

    def forward(self, logits_B1HW: torch.Tensor, target_B1HW: torch.Tensor) -> torch.Tensor:
        """Logits and a 0/1 target of the same shape -> a scalar."""
        bce = functional.binary_cross_entropy_with_logits(logits_B1HW.float(), target_B1HW.float())
        return self.bce_weight * bce + self.dice(logits_B1HW, target_B1HW)
