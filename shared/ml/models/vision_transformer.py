"""A vision transformer over the places of a feature map (Dosovitskiy et al. 2021), normalised before each part.

Written out rather than nn.TransformerEncoder, whose fast path in eval mode no converter of graphs reads.
Shapes: tokens_BND, N = places of the map, D = channels of a token; H heads.
"""

import torch
from torch import nn
from torch.nn import functional

# Side of the learned table of positions: a map of 8x8, a picture of 256x256 over an encoder of stride 32.
GRID = 8
DEVIATION = 0.02


class SelfAttention(nn.Module):
    """Multi-head self-attention (Vaswani et al. 2017)."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query_key_value = nn.Linear(channels, 3 * channels)
        self.out = nn.Linear(channels, channels)

    def forward(self, tokens_BND: torch.Tensor) -> torch.Tensor:
        """Each token becomes a mixture of all of them."""
        batch, count, channels = tokens_BND.shape
        parts = self.query_key_value(tokens_BND).reshape(batch, count, 3, self.heads, channels // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4).unbind(0)  # (B, H, N, D / H) each
        mixed = functional.scaled_dot_product_attention(query, key, value)
        return self.out(mixed.transpose(1, 2).reshape(batch, count, channels))


class TransformerLayer(nn.Module):
    """Attention and a perceptron of four times the width, each added to what came in."""

    def __init__(self, channels: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.norm_attention, self.norm_mlp = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.attention = SelfAttention(channels, heads)
        self.mlp = nn.Sequential(
            nn.Linear(channels, 4 * channels),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(4 * channels, channels),
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens_BND: torch.Tensor) -> torch.Tensor:
        """Same shape."""
        tokens_BND = tokens_BND + self.dropout(self.attention(self.norm_attention(tokens_BND)))
        return tokens_BND + self.dropout(self.mlp(self.norm_mlp(tokens_BND)))


class VisionTransformer(nn.Module):
    """x_BCHW -> x_BDHW: each place of the map is a token; D = `channels`."""

    def __init__(
        self, in_channels: int, channels: int, layers: int, heads: int, dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.embed = nn.Conv2d(in_channels, channels, 1)
        self.position_1DHW = nn.Parameter(torch.empty(1, channels, GRID, GRID))
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.Sequential(*(TransformerLayer(channels, heads, dropout) for _ in range(layers)))
        self.norm = nn.LayerNorm(channels)
        nn.init.trunc_normal_(self.position_1DHW, std=DEVIATION)
        for module in self.layers.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=DEVIATION)
                nn.init.zeros_(module.bias)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """See the class; the table of positions is interpolated to the map's size."""
        size = x_BCHW.shape[2:]
        position = functional.interpolate(self.position_1DHW, size=size, mode="bilinear", align_corners=False)
        x_BDHW = self.dropout(self.embed(x_BCHW) + position)
        tokens_BND = self.norm(self.layers(x_BDHW.flatten(2).transpose(1, 2)))
        return tokens_BND.transpose(1, 2).unflatten(2, size)
