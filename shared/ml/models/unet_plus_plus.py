"""U-Net++ (Zhou et al. 2018): nested blocks between encoder and decoder; by segmentation-models-pytorch."""

import segmentation_models_pytorch as smp
from torch import nn

from shared.ml.models.smp_network import SmpNetwork


def build(encoder: str, in_channels: int = 3, classes: int = 1) -> SmpNetwork:
    """The network over this encoder, with random weights."""
    net = smp.UnetPlusPlus(encoder, encoder_weights=None, in_channels=in_channels, classes=classes)
    net.decoder.center = nn.Identity()  # over VGG smp makes a block here that it never calls
    return SmpNetwork(net)
