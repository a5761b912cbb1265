"""Cross-entropy plus batch Dice for several classes of tumour (as in nnU-Net, Isensee et al. 2021)."""

import torch
from torch import nn
from torch.nn import functional


class CeDice(nn.Module):
    """ce_weight * cross-entropy + 1 - the mean of the classes' Dice over the batch, in fp32.

    The background has no Dice of its own: it is large and easy. A class that the batch does not show still charges
    for what is found of it.
    """

    def __init__(self, ce_weight: float = 1.0, smooth: float = 1.0) -> None:
        super().__init__()
        self.ce_weight, self.smooth = ce_weight, smooth

    def forward(self, logits_BCHW: torch.Tensor, target_B1HW: torch.Tensor) -> torch.Tensor:
        """Logits of background and classes, labels 0..C-1 of any type -> a scalar."""
        logits_BCHW = logits_BCHW.float()
        labels_BHW = target_B1HW[:, 0].long()
        cross_entropy = functional.cross_entropy(logits_BCHW, labels_BHW)
        probability_BCHW = logits_BCHW.softmax(dim=1)
        shown_BCHW = functional.one_hot(labels_BHW, logits_BCHW.shape[1]).movedim(-1, 1).float()
        overlap_C = (probability_BCHW * shown_BCHW).sum(dim=(0, 2, 3))
        total_C = (probability_BCHW + shown_BCHW).sum(dim=(0, 2, 3))
        dice_C = (2 * overlap_C + self.smooth) / (total_C + self.smooth)
        return self.ce_weight * cross_entropy + 1 - dice_C[1:].mean()
