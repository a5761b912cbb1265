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

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """Logits only: what training needs."""
        return self.decode(self.encode(x_BCHW))

    def logits_and_features(self, x_BCHW: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits and the pooled feature maps (all but the input itself), in one pass."""
        maps = self.encode(x_BCHW)
        return self.decode(maps), torch.cat([stage.mean(dim=(2, 3)) for stage in maps[1:]], dim=1)
