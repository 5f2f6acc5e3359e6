"""What a token costs: bytes to read, operations to do. Limits and the scaling of slices are worked out from it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod

from mistralet.checkpoint import StoredTensor
from mistralet.config import KVType, ModelConfig

_EMBEDDING = "tok_embeddings.weight"


@dataclass(frozen=True)
class Work:
    """The matrices of a text decoder, as they are stored."""

    weight_bytes: int  # of all that is read for one token
    layer_weights: int  # that every token of a prompt is multiplied by
    output_weights: int  # that only its last token is multiplied by
    kv_bytes_per_token: int

    def decode_bytes(self, context: int) -> int:
        """Bytes read from memory for one token after `context` others."""
        return self.weight_bytes + context * self.kv_bytes_per_token

    def prefill_operations(self, tokens: int) -> int:
        """Multiplications and additions in the matrices for a prompt; those of attention are few, and not counted."""
        return 2 * (self.layer_weights * tokens + self.output_weights)


def work_of(tensors: Iterable[StoredTensor], config: ModelConfig, kv_type: KVType = KVType.FLOAT16) -> Work:
    """The work of a model with these tensors of its text decoder, and that type of cache."""
    weight_bytes = layer_weights = output_weights = 0
    for tensor in tensors:
        # An embedding is looked up, row by row, unless it serves as the output matrix too.
        if tensor.name == _EMBEDDING and not config.tie_word_embeddings:
            continue
        weight_bytes += tensor.nbytes
        if len(tensor.shape) == 2:
            weights = prod(tensor.shape)
            if tensor.name.startswith("layers."):
                layer_weights += weights
            else:
                output_weights += weights
    return Work(weight_bytes, layer_weights, output_weights, config.kv_bytes_per_token(kv_type))


def picture_operations(config: ModelConfig, side: int) -> int:
    """Multiplications and additions of encoder and projector for a square picture: matrices and attention.

    Args:
        side: pixels.
    """
    vision = config.vision
    assert vision is not None
    patches, size = (side // vision.patch_size) ** 2, vision.hidden_size
    layer = 2 * patches * (4 * size**2 + 3 * size * vision.intermediate_size) + 4 * patches**2 * size
    convolution = 2 * patches * size * vision.num_channels * vision.patch_size**2
    merged, text = vision.spatial_merge_size**2, config.hidden_size
    projector = 2 * patches // merged * (merged * size * size + size * text + text * text)
    return vision.num_hidden_layers * layer + convolution + projector


@dataclass(frozen=True)
class Scale:
    """From speeds of a slice of a model to those of the whole, in proportion to what a token costs.

    Whatever a program spends on a token beside its matrices is scaled as well, so the whole model is a little faster
    than this says.
    """

    measured: Work
    whole: Work

    def decode(self, context: int) -> float:
        """What to multiply a decoding speed by."""
        return self.measured.decode_bytes(context) / self.whole.decode_bytes(context)

    def prefill(self, tokens: int) -> float:
        """What to multiply the speed of reading a prompt by."""
        return self.measured.prefill_operations(tokens) / self.whole.prefill_operations(tokens)
