"""Attention U-Net (Oktay et al. 2018): the coarser map decides which places of a skip are let through."""

import torch
from torch import nn

from shared.ml.models.plain_unet import STAGES, PlainUnet


class AttentionGate(nn.Module):
    """Additive attention: each place of fine_BCHW times a weight in 0..1, from itself and coarse_BDhw (half the size).

    Then a 1x1 convolution, normalised, as in the authors' code.
    """

    def __init__(self, fine: int, coarse: int, between: int) -> None:
        super().__init__()
        self.halve = nn.AvgPool2d(2)
        # One convolution of both is the sum of one of each; OpenVINO fails on such a sum whose halves it computes in
        # different precision.
        self.add = nn.Conv2d(fine + coarse, between, 1)
        self.psi = nn.Conv2d(between, 1, 1)
        self.upsample = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
        self.out = nn.Sequential(nn.Conv2d(fine, fine, 1, bias=False), nn.BatchNorm2d(fine))

    def weight(self, fine: torch.Tensor, coarse: torch.Tensor) -> torch.Tensor:
        """weight_B1HW in 0..1."""
        both = torch.cat([self.halve(fine), coarse], dim=1)
        return self.upsample(torch.sigmoid(self.psi(torch.relu(self.add(both)))))

    def forward(self, fine: torch.Tensor, coarse: torch.Tensor) -> torch.Tensor:
        """What is left of `fine`, same shape."""
        return self.out(self.weight(fine, coarse) * fine)


class AttentionUnet(PlainUnet):
    """Gates on all skips but the finest, which "does not represent the input in a high dimensional space"."""

    def __init__(self, in_channels: int, classes: int, width: int) -> None:
        super().__init__(in_channels, classes, width, nn.BatchNorm2d)
        # A decoder's map has as many channels as the skip that it meets.
        skips = [width * factor for factor in STAGES[1:-1]]
        self.gates = nn.ModuleList(AttentionGate(skip, skip, skip // 2) for skip in skips)

    def skip(self, level: int, fine: torch.Tensor, coarse: torch.Tensor) -> torch.Tensor:
        """The map, gated."""
        return self.gates[level - 1](fine, coarse) if level else fine


def build(in_channels: int = 3, classes: int = 1, width: int = 64) -> AttentionUnet:
    """With random weights; `width` is the number of channels of the finest stage."""
    return AttentionUnet(in_channels, classes, width)
