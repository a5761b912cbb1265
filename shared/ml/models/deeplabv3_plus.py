"""DeepLabV3+ (Chen et al. 2018): dilated convolutions of several widths side by side; by smp."""

import segmentation_models_pytorch as smp

from shared.ml.models.smp_network import SmpNetwork


def build(encoder: str, in_channels: int = 3, classes: int = 1) -> SmpNetwork:
    """The network over this encoder, with random weights."""
    return SmpNetwork(
        smp.DeepLabV3Plus(encoder, encoder_weights=None, in_channels=in_channels, classes=classes)
    )
