"""What every network of the table offers: logits out, and pooled encoder features for telling strange images."""

import torch
from torch import nn


class SegmentationNetwork(nn.Module):
    """An encoder, a decoder and a head. Shapes: x_BCHW -> logits_BKHW; features_BF is the encoder, pooled."""

    def encode(self, x_BCHW: torch.Tensor) -> list[torch.Tensor]:
        """Feature maps from fine to coarse."""
        raise TypeError(f"{type(self).__name__} does not encode")

    def decode(self, maps: list[torch.Tensor]) -> torch.Tensor:
        """Feature maps -> logits_BKHW."""
        raise TypeError(f"{type(self).__name__} does not decode")

    def backbone(self) -> nn.Module | None:
        """The encoder of the table `encoders` in it, for ImageNet weights; None where it has one of its own."""
        return None

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """Logits only: what training needs."""
        return self.decode(self.encode(x_BCHW))

    def logits_and_features(self, x_BCHW: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits and the pooled feature maps (all but the first, the finest), in one pass."""
        maps = self.encode(x_BCHW)
        # Of the sizes that an encoder skips there is a map without channels.
        pooled = [stage.mean(dim=(2, 3)) for stage in maps[1:] if stage.shape[1]]
        return self.decode(maps), torch.cat(pooled, dim=1)
