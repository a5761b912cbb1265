"""TransUNet (Chen et al. 2021): a CNN, a transformer over its deepest map, and a U-Net's decoder with the CNN's skips.

The paper's is a ResNet-50 with 12 layers of 12 heads. Here the CNN is any encoder of the table, and its deepest map
(stride 32 instead of 16) gives the tokens: all of a pretrained encoder is used, and attention costs little.
"""

import torch
from segmentation_models_pytorch.base import SegmentationHead
from segmentation_models_pytorch.base.initialization import initialize_decoder, initialize_head
from segmentation_models_pytorch.decoders.unet.decoder import UnetDecoder
from segmentation_models_pytorch.encoders import get_encoder
from torch import nn

from shared.ml.models.network import SegmentationNetwork
from shared.ml.models.vision_transformer import VisionTransformer

# Of the paper: what the tokens are brought to, and the decoder's blocks.
DEEPEST = 512
DECODER = (256, 128, 64, 32, 16)


class TransUnet(SegmentationNetwork):
    """`width` is that of one head; a token has heads * width channels."""

    def __init__(
        self, encoder: str, in_channels: int, classes: int, layers: int, heads: int, width: int
    ) -> None:
        super().__init__()
        self.cnn = get_encoder(encoder, in_channels=in_channels, weights=None)
        *skips, deepest = self.cnn.out_channels
        self.transformer = VisionTransformer(deepest, heads * width, layers, heads)
        self.bring = nn.Sequential(
            nn.Conv2d(heads * width, DEEPEST, 3, padding=1, bias=False), nn.BatchNorm2d(DEEPEST), nn.ReLU()
        )
        self.decoder = UnetDecoder([*skips, DEEPEST], DECODER)
        self.head = SegmentationHead(DECODER[-1], classes)
        initialize_decoder(self.decoder)
        initialize_head(self.head)

    def encode(self, x_BCHW: torch.Tensor) -> list[torch.Tensor]:
        """Feature maps of the CNN from fine to coarse, the coarsest after the transformer."""
        *skips, deepest = self.cnn(x_BCHW)
        return [*skips, self.transformer(deepest)]

    def decode(self, maps: list[torch.Tensor]) -> torch.Tensor:
        """Feature maps -> logits_BKHW."""
        *skips, tokens = maps
        return self.head(self.decoder([*skips, self.bring(tokens)]))

    def backbone(self) -> nn.Module:
        """The CNN."""
        return self.cnn


def build(
    encoder: str, in_channels: int = 3, classes: int = 1, layers: int = 6, heads: int = 6, width: int = 64
) -> TransUnet:
    """With random weights; 12 layers, 12 heads is the paper's transformer (ViT-B)."""
    return TransUnet(encoder, in_channels, classes, layers, heads, width)
