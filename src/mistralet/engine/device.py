"""Where a model runs, if nobody says so."""

from __future__ import annotations

import logging
import os

import torch

from mistralet.checkpoint import Checkpoint
from mistralet.checkpoint.plan import plan_checkpoint
from mistralet.config import KVType, Rounding, is_layer_matrix
from mistralet.engine.cache_size import LEAST_CONTEXT
from mistralet.errors import UsageError
from mistralet.machine import format_bytes

log = logging.getLogger(__name__)

AUTO = "auto"
# Bits of a weight that is rounded while it is loaded, with its part of scales.
_ROUNDED_BITS = {Rounding.FP8: 8, Rounding.INT4: 4.5}


def choose_device(
    asked: str, checkpoint: Checkpoint, rounding: Rounding | None = None, shards: int = 1
) -> torch.device:
    """The device for a model: the one that is asked for; else a GPU that holds the model, else the CPU.

    The environment variable `MISTRALET_DEVICE` asks where nobody else does.

    Args:
        asked: "auto", "cpu", "cuda" or "cuda:1".
        rounding: what the weights are rounded to.
        shards: processes that have the model together, each on a GPU of its own.

    Raises:
        UsageError: there is no such device.
    """
    name = os.environ.get("MISTRALET_DEVICE", AUTO) if asked == AUTO else asked
    if name == AUTO:
        if not torch.cuda.is_available() or torch.cuda.device_count() < shards:
            return torch.device("cpu")
        needed, free = _needed(checkpoint, rounding) / shards, torch.cuda.mem_get_info(0)[0]
        if needed <= free:
            return torch.device("cuda")
        sizes = format_bytes(int(needed)), format_bytes(free)
        log.warning("%s takes %s of memory, and the GPU has %s free: it runs on the CPU.", checkpoint.path, *sizes)
        return torch.device("cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError(f"There is no device called '{name}'; it may be auto, cpu, cuda, or cuda:1.") from error
    if device.type not in ("cpu", "cuda"):
        raise UsageError(f"The device '{name}' is not one that models run on here; take auto, cpu or cuda.")
    if device.type == "cuda" and not torch.cuda.is_available():
        built = "for CUDA" if torch.version.cuda else "for CPUs only; install its build for CUDA"
        raise UsageError(f"PyTorch finds no GPU here (this one is built {built}); take the device cpu.")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UsageError(f"There is no GPU {device.index} here; the last is {torch.cuda.device_count() - 1}.")
    return device


def _needed(checkpoint: Checkpoint, rounding: Rounding | None) -> float:
    """Bytes of weights, a short context, and what is kept free."""
    needed: float = plan_checkpoint(checkpoint, KVType.BFLOAT16).needed(LEAST_CONTEXT)
    if rounding is not None:
        matrices = [t for t in checkpoint.tensors.values() if is_layer_matrix(t.name, t.shape)]
        needed -= sum(t.nbytes * (1 - _ROUNDED_BITS[rounding] / 16) for t in matrices)
    return needed
