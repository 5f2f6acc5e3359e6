"""What a model needs of a machine, worked out before anything is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from mistralet.checkpoint.base import Checkpoint
from mistralet.checkpoint.ggml_types import GGML_TYPES
from mistralet.config import KVType, ModelConfig, part_of, tensor_shapes
from mistralet.machine import Memory

# Context lengths a plan shows, up to the model's own.
CONTEXTS = (4096, 16_384, 32_768, 65_536, 131_072)
# Kept free beside weights and cache: the program itself and the activations of one chunk of a prompt.
HEADROOM = 1 << 30

_TYPES = {ggml_type.name: ggml_type for ggml_type in GGML_TYPES.values()}


@dataclass(frozen=True)
class Plan:
    """Bytes a model needs."""

    config: ModelConfig
    weights: dict[str, int]  # bytes of "text", "vision" and "projector"
    kv_type: KVType = KVType.FLOAT16

    @property
    def weight_bytes(self) -> int:
        """Bytes of all weights."""
        return sum(self.weights.values())

    @property
    def kv_bytes_per_token(self) -> int:
        """Bytes that a token adds to the cache."""
        return self.config.kv_bytes_per_token(self.kv_type)

    def kv_bytes(self, context: int) -> int:
        """Bytes of the cache of `context` tokens."""
        return context * self.kv_bytes_per_token

    def needed(self, context: int) -> int:
        """Bytes to have for running with `context` tokens, headroom included."""
        return self.weight_bytes + self.kv_bytes(context) + HEADROOM

    def largest_context(self, memory: Memory) -> int:
        """The longest context that fits, up to the model's own; 0 if the weights alone do not fit."""
        free = memory.nbytes - self.weight_bytes - HEADROOM
        return max(0, min(free // self.kv_bytes_per_token, self.config.max_position_embeddings))


def plan_checkpoint(checkpoint: Checkpoint, kv_type: KVType = KVType.FLOAT16) -> Plan:
    """The plan of a model on disk, from the sizes of its tensors as they are stored."""
    weights: dict[str, int] = {}
    for tensor in checkpoint.tensors.values():
        part = part_of(tensor.name)
        weights[part] = weights.get(part, 0) + tensor.nbytes
    return Plan(checkpoint.config, weights, kv_type)


def plan_release(config: ModelConfig, quantization: str, kv_type: KVType = KVType.FLOAT16) -> Plan:
    """The plan of a model that is not here.

    Args:
        quantization: "BF16" (as released), or "Q4_K_M" (GGUF, with an F16 mmproj).
    """
    weights: dict[str, int] = {}
    for name, shape in tensor_shapes(config).items():
        stored = _TYPES["BF16" if quantization == "BF16" else q4_k_m_type(name, shape, config)]
        part = part_of(name)
        weights[part] = weights.get(part, 0) + prod(shape) // stored.block_size * stored.block_bytes
    return Plan(config, weights, kv_type)


def q4_k_m_type(name: str, shape: tuple[int, ...], config: ModelConfig) -> str:
    """How llama.cpp's Q4_K_M mix stores a tensor (SPEC 2.3): more bits where errors weigh most."""
    if len(shape) == 1:
        return "F32"
    if part_of(name) != "text":
        return "F16"
    if name == "output.weight":
        return "Q6_K"
    if name.endswith(("attention.wv.weight", "feed_forward.w2.weight")):
        layer, layers = int(name.split(".")[1]), config.num_hidden_layers
        eighth = layers // 8
        if layer < eighth or layer >= 7 * layers // 8 or (layer - eighth) % 3 == 2:
            return "Q6_K"
    return "Q4_K"
