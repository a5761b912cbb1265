"""U-Net over a pretrained encoder (Ronneberger et al. 2015; encoders and decoder of segmentation-models-pytorch)."""

import segmentation_models_pytorch as smp
import torch

from shared.ml.models.network import SegmentationNetwork


class SmpUnet(SegmentationNetwork):
    """smp's U-Net behind our interface."""

    def __init__(self, encoder: str, in_channels: int, classes: int) -> None:
        super().__init__()
        self.net = smp.Unet(encoder, encoder_weights=None, in_channels=in_channels, classes=classes)

    def encode(self, x_BCHW: torch.Tensor) -> list[torch.Tensor]:
        """Feature maps from fine to coarse; the first is the input."""
        return self.net.encoder(x_BCHW)

    def decode(self, maps: list[torch.Tensor]) -> torch.Tensor:
        """Feature maps -> logits_BKHW."""
        return self.net.segmentation_head(self.net.decoder(maps))


def build(encoder: str, in_channels: int = 3, classes: int = 1) -> SmpUnet:
    """A U-Net with random weights; see shared.ml.encoder_weights for pretrained ones."""
    return SmpUnet(encoder, in_channels, classes)
