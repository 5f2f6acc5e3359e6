"""The Pixtral vision encoder: images of any size, packed into one sequence of patches (SPEC 1.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mistralet import ops
from mistralet.config import KVType, VisionConfig
from mistralet.model.layers import Attention, FeedForward, RMSNorm, Weight
from mistralet.model.shard import ALONE, Shard
from mistralet.quant import PackedTensor


class VisionLayer(nn.Module):
    """One of the encoder's layers."""

    def __init__(self, config: VisionConfig, shard: Shard = ALONE) -> None:
        super().__init__()
        self.attention_norm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.attention = Attention(
            config.hidden_size, config.num_attention_heads, config.num_attention_heads, config.head_dim, shard
        )
        self.ffn_norm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.feed_forward = FeedForward(config.hidden_size, config.intermediate_size, shard)

    def forward(self, x: Tensor, rotations: Tensor, cache: ops.LayerCache, batch: ops.PagedBatch) -> Tensor:
        """`[patches, hidden_size]` to the same shape; `cache` holds keys and values while they are attended to."""
        x = self.attention(x, self.attention_norm, rotations, cache, batch)
        return self.feed_forward(x, self.ffn_norm)


class VisionTransformer(nn.Module):
    """The stack of layers."""

    def __init__(self, config: VisionConfig, shard: Shard = ALONE) -> None:
        super().__init__()
        self.config = config
        self.layers = nn.ModuleList(VisionLayer(config, shard) for _ in range(config.num_hidden_layers))

    def forward(self, x: Tensor, rotations: Tensor, lengths: list[int]) -> Tensor:
        """`[patches, hidden_size]` to the same shape; a patch sees its own image, `lengths` are their patches."""
        batch = ops.PagedBatch.of_segments(lengths)
        blocks = sum(map(ops.blocks_for, lengths))
        cache = ops.LayerCache.empty(
            blocks, self.config.num_attention_heads, self.config.head_dim, self._cache_type(x), x.device
        )
        for layer in self.layers:
            x = layer(x, rotations, cache, batch)
        return x

    def _cache_type(self, x: Tensor) -> KVType:
        # Where matrices are rounded, more than half precision of keys and values would be lost on what they come from.
        is_rounded = isinstance(self.layers[0].get_submodule("attention.wk").weight, PackedTensor)
        return KVType.FLOAT16 if is_rounded else KVType(str(x.dtype).removeprefix("torch."))


class PatchConvolution(Weight):
    """A convolution whose stride is its kernel: one product per patch. Weight `[hidden, channels, size, size]`."""

    weight: Tensor

    def forward(self, image: Tensor) -> Tensor:
        """An image `[channels, height, width]` to its patches `[patches, hidden_size]`, row by row."""
        hidden, channels, size, _ = self.weight.shape
        patches = image.unflatten(1, (-1, size)).unflatten(3, (-1, size))  # [channels, rows, size, columns, size]
        patches = patches.permute(1, 3, 0, 2, 4).reshape(-1, channels * size * size)
        return ops.linear(patches, self.weight.view(hidden, -1))


class VisionEncoder(nn.Module):
    """Images to features, one row per patch."""

    def __init__(self, config: VisionConfig, shard: Shard = ALONE) -> None:
        super().__init__()
        self.config = config
        self.patch_conv = PatchConvolution(
            config.hidden_size, config.num_channels, config.patch_size, config.patch_size
        )
        self.ln_pre = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.transformer = VisionTransformer(config, shard)

    def forward(self, images: list[Tensor]) -> list[Tensor]:
        """Features of each image.

        Args:
            images: `[channels, height, width]` each, height and width multiples of the patch size.

        Returns:
            For each image `[height / patch_size, width / patch_size, hidden_size]`.
        """
        size = self.config.patch_size
        grids = [(image.shape[1] // size, image.shape[2] // size) for image in images]
        lengths = [rows * columns for rows, columns in grids]
        x = self.ln_pre(torch.cat([self.patch_conv(image) for image in images]))
        features = self.transformer(x, self._rotations(grids, x.device), lengths)
        return [part.unflatten(0, grid) for part, grid in zip(features.split(lengths), grids, strict=True)]

    def _rotations(self, grids: list[tuple[int, int]], device: torch.device) -> Tensor:
        places = [
            torch.cartesian_prod(torch.arange(rows, device=device), torch.arange(columns, device=device))
            for rows, columns in grids
        ]
        rows, columns = torch.cat([place.view(-1, 2) for place in places]).unbind(-1)
        return ops.rotary_table_2d(rows, columns, self.config.head_dim, self.config.rope_theta)
