"""U-Net over a pretrained encoder (Ronneberger et al. 2015; encoders and decoder of segmentation-models-pytorch)."""

import segmentation_models_pytorch as smp

from shared.ml.models.smp_network import SmpNetwork


def build(encoder: str, in_channels: int = 3, classes: int = 1) -> SmpNetwork:
    """With random weights; see shared.ml.encoder_weights for pretrained ones."""
    return SmpNetwork(smp.Unet(encoder, encoder_weights=None, in_channels=in_channels, classes=classes))
