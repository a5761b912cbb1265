"""The classic U-Net with batch normalisation (Ronneberger et al. 2015), upsampled bilinearly; 17.3 M parameters."""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import nn

from shared.ml.models.network import SegmentationNetwork

Normalisation = Callable[[int], nn.Module]
# Channels of the stages, finest first, in multiples of the width.
STAGES = (1, 2, 4, 8, 8)


class PlainUnet(SegmentationNetwork):
    """Pairs of 3x3 convolutions, four times down and four times up; sides must be multiples of 16.

    `normalisation` makes the layer behind a convolution from its number of channels.
    """

    def __init__(self, in_channels: int, classes: int, width: int, normalisation: Normalisation) -> None:
        super().__init__()
        widths = [width * factor for factor in STAGES]
        self.down = nn.ModuleList(
            double_convolution(before, after, after, normalisation)
            for before, after in pairwise([in_channels, *widths])
        )
        self.pool = nn.MaxPool2d(2)
        self.upsample = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
        # What comes up has as many channels as the skip that it meets; the last block does not halve again.
        outs = [*widths[2::-1], width]
        self.up = nn.ModuleList(
            double_convolution(2 * skip, skip, out, normalisation)
            for skip, out in zip(widths[-2::-1], outs, strict=True)
        )
        self.head = nn.Conv2d(width, classes, 1)

    def encode(self, x_BCHW: torch.Tensor) -> list[torch.Tensor]:
        """Feature maps of the five stages, from fine to coarse."""
        maps: list[torch.Tensor] = []
        for stage in self.down:
            maps.append(stage(self.pool(maps[-1]) if maps else x_BCHW))
        return maps

    def decode(self, maps: list[torch.Tensor]) -> torch.Tensor:
        """Feature maps -> logits_BKHW."""
        x = maps[-1]
        for level, block in zip(range(len(self.up) - 1, -1, -1), self.up, strict=True):
            x = block(torch.cat([self.skip(level, maps[level], x), self.upsample(x)], dim=1))
        return self.head(x)

    def skip(self, level: int, fine: torch.Tensor, coarse: torch.Tensor) -> torch.Tensor:
        """What is handed over of the encoder's map of this level (0 is the finest); here all of it."""
        return fine


def double_convolution(before: int, middle: int, after: int, normalisation: Normalisation) -> nn.Sequential:
    """Two 3x3 convolutions, each normalised and rectified."""
    layers: list[nn.Module] = []
    for channels_in, channels_out in ((before, middle), (middle, after)):
        convolution = nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False)
        layers += [convolution, normalisation(channels_out), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


def build(in_channels: int = 3, classes: int = 1, width: int = 64) -> PlainUnet:
    """With random weights; `width` is the number of channels of the finest stage."""
    return PlainUnet(in_channels, classes, width, nn.BatchNorm2d)
