"""Feature pyramid network (Lin et al. 2017, Kirillov et al. 2019); by segmentation-models-pytorch."""

import segmentation_models_pytorch as smp

from shared.ml.models.smp_network import SmpNetwork


def build(encoder: str, in_channels: int = 3, classes: int = 1) -> SmpNetwork:
    """The network over this encoder, with random weights."""
    return SmpNetwork(smp.FPN(encoder, encoder_weights=None, in_channels=in_channels, classes=classes))
