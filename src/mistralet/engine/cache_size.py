"""How large a cache the memory allows."""

from __future__ import annotations

import torch

from mistralet.checkpoint.plan import HEADROOM
from mistralet.config import KVType
from mistralet.machine import ram
from mistralet.model import MistralSmall
from mistralet.model.layers import Weight
from mistralet.ops import BLOCK_SIZE, blocks_for

# A context that is always tried: where even that is too much, the system may still find room.
LEAST_CONTEXT = 4096
# Beside weights and cache on a GPU: activations of a long prompt's step, a matrix turned into floats, recorded steps.
_GPU_HEADROOM = 2 << 30
# More would rarely be found again.
_CONTEXTS = 4


def blocks_that_fit(model: MistralSmall, kv_type: KVType) -> int:
    """Blocks for several whole contexts of the model, or as many as fit beside its weights.

    Raises:
        UsageError: the model's heads cannot be stored so.
    """
    block_bytes = BLOCK_SIZE * model.part.kv_bytes_per_token(kv_type)
    context = model.config.max_position_embeddings
    least = blocks_for(min(context, LEAST_CONTEXT))
    return min(blocks_for(_CONTEXTS * context), max(least, _free_bytes(model) // block_bytes))


def _free_bytes(model: MistralSmall) -> int:
    device = model.norm.weight.device
    if device.type == "cuda":
        free: int = torch.cuda.mem_get_info(device)[0]
        return free - _GPU_HEADROOM
    weights = {id(module.weight): module.weight.nbytes for module in model.modules() if isinstance(module, Weight)}
    return ram().nbytes - sum(weights.values()) - HEADROOM
