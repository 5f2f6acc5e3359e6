"""From the vision encoder's patches to rows that take the place of image tokens (SPEC 1.3)."""

from __future__ import annotations

from torch import Tensor, nn

from mistralet import ops
from mistralet.config import VisionConfig
from mistralet.model.layers import Linear


class PatchMerger(nn.Module):
    """Joins a square of neighbouring patches into one row."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.side = config.spatial_merge_size
        self.merging_layer = Linear(config.hidden_size * self.side**2, config.hidden_size)

    def forward(self, features: Tensor) -> Tensor:
        """`[rows, columns, hidden_size]` to `[rows * columns / side ** 2, hidden_size]`, row by row."""
        squares = features.unflatten(1, (-1, self.side)).unflatten(0, (-1, self.side))
        # The features of a square are ordered channel first, then place: index = channel * 4 + dy * 2 + dx (SPEC G5).
        merged = squares.permute(0, 2, 4, 1, 3).flatten(2).flatten(0, 1)
        return self.merging_layer(merged)


class VisionLanguageAdapter(nn.Module):
    """Two matrices with a GELU between, from the encoder's width to the decoder's."""

    def __init__(self, vision_size: int, text_size: int) -> None:
        super().__init__()
        self.w_in = Linear(vision_size, text_size)
        self.w_out = Linear(text_size, text_size)

    def forward(self, x: Tensor) -> Tensor:
        """`[tokens, vision_size]` to `[tokens, text_size]`."""
        return self.w_out(ops.gelu(self.w_in(x)))
