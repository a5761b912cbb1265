"""Focal loss (Lin et al. 2017): cross-entropy in which pixels that are right already count for little."""

import torch
from torch import nn
from torch.nn import functional


class Focal(nn.Module):
    """Mean of alpha_t * (1 - p_t) ** gamma * -log(p_t), in fp32.

    alpha_t is `alpha` for tumour and 1 - `alpha` for the rest.
    """

    def __init__(self, gamma: float = 2.0, alpha: float = 0.25) -> None:
        super().__init__()
        self.gamma, self.alpha = gamma, alpha

    def forward(self, logits_B1HW: torch.Tensor, target_B1HW: torch.Tensor) -> torch.Tensor:
        """Logits and a 0/1 target of the same shape -> a scalar."""
        logits, target = logits_B1HW.float(), target_B1HW.float()
        cross_entropy = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
        # 1 - p_t, without the cancellation of 1 - exp(-cross_entropy) near 0.
        wrong = torch.sigmoid(logits * (1 - 2 * target))
        alpha_t = self.alpha * target + (1 - self.alpha) * (1 - target)
        return (alpha_t * wrong**self.gamma * cross_entropy).mean()
