"""The classic U-Net with group normalisation (Wu and He 2018), which small batches do not disturb."""

import math

from torch import nn

from shared.ml.models.plain_unet import PlainUnet


def build(in_channels: int = 3, classes: int = 1, width: int = 64, groups: int = 32) -> PlainUnet:
    """With random weights; where `groups` does not divide the channels, the largest number that divides both."""
    return PlainUnet(
        in_channels, classes, width, lambda channels: nn.GroupNorm(math.gcd(groups, channels), channels)
    )
