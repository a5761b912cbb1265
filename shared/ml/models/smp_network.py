"""The networks of segmentation-models-pytorch behind our interface."""

import torch
from segmentation_models_pytorch.base import SegmentationModel
from torch import nn

from shared.ml.models.network import SegmentationNetwork


class SmpNetwork(SegmentationNetwork):
    """`net`: a model of smp, built without weights and without a classifier."""

    def __init__(self, net: SegmentationModel) -> None:
        super().__init__()
        self.net = net

    def encode(self, x_BCHW: torch.Tensor) -> list[torch.Tensor]:
        """Feature maps from fine to coarse; the first has the input's size."""
        return self.net.encoder(x_BCHW)

    def decode(self, maps: list[torch.Tensor]) -> torch.Tensor:
        """Feature maps -> logits_BKHW."""
        return self.net.segmentation_head(self.net.decoder(maps))

    def backbone(self) -> nn.Module:
        """The encoder."""
        return self.net.encoder
