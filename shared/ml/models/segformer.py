"""SegFormer (Xie et al. 2021): a light decoder of linear layers, made for the MiT encoders; by smp."""

import segmentation_models_pytorch as smp

from shared.ml.models.smp_network import SmpNetwork


def build(encoder: str, in_channels: int = 3, classes: int = 1) -> SmpNetwork:
    """The network over this encoder, with random weights."""
    return SmpNetwork(smp.Segformer(encoder, encoder_weights=None, in_channels=in_channels, classes=classes))
