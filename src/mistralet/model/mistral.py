"""Mistral Small 3 as a whole: tokens and images in, logits out.

Modules bear the names of Mistral's own checkpoints, which are the canonical tensor names of this project.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mistralet import ops
from mistralet.config import ModelConfig
from mistralet.model.batch import ForwardBatch
from mistralet.model.decoder import DecoderLayer
from mistralet.model.kv_cache import KVCache
from mistralet.model.layers import Embedding, Linear, RMSNorm
from mistralet.model.projector import PatchMerger, VisionLanguageAdapter
from mistralet.model.shard import ALONE, Shard, shard_config
from mistralet.model.vision import VisionEncoder


class MistralSmall(nn.Module):
    """The model. It is built without weights (meta device); `load_weights` in `engine` gives it some."""

    def __init__(self, config: ModelConfig, shard: Shard = ALONE) -> None:
        """
        Args:
            config: of the whole model.
            shard: which part of it this is.

        Raises:
            UsageError: the model cannot be split so.
        """
        super().__init__()
        self.config = config
        self.shard = shard
        self.part = part = shard_config(config, shard.size)
        self.dtype = torch.float32  # of activations
        self.tok_embeddings = Embedding(part.vocab_size, config.hidden_size, shard)
        self.layers = nn.ModuleList(DecoderLayer(part, shard) for _ in range(config.num_hidden_layers))
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.output = Linear(config.hidden_size, part.vocab_size)  # the embedding's own weight where they are tied
        if config.vision is not None and part.vision is not None:
            self.vision_encoder = VisionEncoder(part.vision, shard)
            self.pre_mm_projector_norm = RMSNorm(config.vision.hidden_size, config.vision.projector_norm_eps)
            self.patch_merger = PatchMerger(config.vision)
            self.vision_language_adapter = VisionLanguageAdapter(config.vision.hidden_size, config.hidden_size)

    def forward(self, batch: ForwardBatch, cache: KVCache) -> Tensor:
        """Run tokens through the decoder; their keys and values join the cache.

        Returns:
            Hidden states after the last layer, `[tokens, hidden_size]`; `logits` takes the rows that are wanted.
        """
        if self.shard.leads:
            self.shard.lead("forward", batch.as_lists(), tensors=batch.image_tensors())
        x = self._embed(batch)
        positions = batch.places.positions_on(x.device)
        rotations = ops.rotary_table(positions, self.config.head_dim, self.config.rope_theta)
        for layer, layer_cache in zip(self.layers, cache.layers, strict=True):
            x = layer(x, rotations, layer_cache, batch.places)
        return x

    def logits(self, hidden: Tensor) -> Tensor:
        """Float32 scores over the vocabulary: `[tokens, hidden_size]` to `[tokens, vocab_size]`."""
        return self.score(hidden)[0]

    def score(self, hidden: Tensor) -> tuple[Tensor, Tensor | None]:
        """`logits`, and where they cost nothing the largest of each block of a row (see `ops.score`)."""
        self.shard.lead("score", tensors=(hidden,))
        scores, maxima = ops.score(hidden, self.norm.weight, self.norm.eps, self.output.weight)
        if self.part.vocab_size % ops.SCORE_BLOCK and self.shard.size > 1:
            maxima = None  # blocks would not be those of the whole
        return self.shard.gathered(scores), None if maxima is None else self.shard.gathered(maxima)

    def encode_images(self, images: list[Tensor]) -> list[Tensor]:
        """Rows that take the place of each image's tokens.

        Args:
            images: preprocessed pixels, float `[3, height, width]` each (SPEC 4).

        Returns:
            For each image `[image tokens, hidden_size]`.
        """
        self.shard.lead("encode_images", tensors=tuple(images))
        features = self.vision_encoder([image.to(self.dtype) for image in images])
        return [self.vision_language_adapter(self.patch_merger(self.pre_mm_projector_norm(part))) for part in features]

    def _embed(self, batch: ForwardBatch) -> Tensor:
        ids = batch.input_ids.to(self.norm.weight.device)
        x = self.tok_embeddings(ids, self.dtype)
        if batch.images is not None:
            x[batch.images.places.to(x.device)] = batch.images.embeddings.to(x.dtype)
        return x
