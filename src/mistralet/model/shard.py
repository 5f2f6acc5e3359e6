"""`Shard`: the part of a model that one process of a tensor-parallel group has, and what joins the parts.

Matrices are split as in Megatron-LM (Shoeybi et al. 2019): those into the heads and into the feed-forward layer by
rows, those out of them by columns, so that a layer's two halves each end in one sum over the group. The vocabulary is
split by rows. Norms, the patch convolution and the projector are whole in every process.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from mistralet.config import ModelConfig
from mistralet.errors import EngineError, UsageError


@dataclass(frozen=True)
class Shard:
    """One of `size` processes that have a model together; alone if `size` is 1."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether there are others who do what this process tells them."""
        return self.size > 1 and not self.rank

    def joined(self, x: Tensor, block: Callable[[Tensor], Tensor]) -> Tensor:
        """`x` plus the sum over the group of what `block` adds to it.

        Args:
            block: takes `x`, whose memory it may use, and returns it with this process's part added.
        """
        if self.size == 1:
            return block(x)
        before = x.clone()
        return before + self.total(block(x) - before)

    def total(self, x: Tensor) -> Tensor:
        """The sum over the group, in the memory of `x`."""
        if self.size > 1:
            _together(lambda: dist.all_reduce(x))
        return x

    def gathered(self, x: Tensor) -> Tensor:
        """The parts of all processes side by side: `[tokens, n]` to `[tokens, size * n]`."""
        if self.size == 1:
            return x
        x = x.contiguous()
        parts = [torch.empty_like(x) for _ in range(self.size)]
        _together(lambda: dist.all_gather(parts, x))
        return torch.cat(parts, dim=-1)

    def lead(self, kind: str, *facts: Any, tensors: tuple[Tensor, ...] = ()) -> None:
        """Tell the other processes what to do now, which they do at the same time; the first process only.

        Args:
            kind: see `engine.tensor_parallel.follow`.
            tensors: what goes with it, in any number and shape.
        """
        if not self.leads:
            return
        shapes = [(tuple(tensor.shape), tensor.dtype) for tensor in tensors]
        _together(lambda: dist.broadcast_object_list([(kind, facts, shapes)], src=0))
        for tensor in tensors:
            sent = tensor.contiguous()
            _together(lambda sent=sent: dist.broadcast(sent, src=0))  # type: ignore[misc]

    def told(self, device: torch.device) -> tuple[str, tuple[Any, ...], list[Tensor]]:
        """What the first process tells to do next; the others only."""
        received: list[Any] = [None]
        _together(lambda: dist.broadcast_object_list(received, src=0))
        kind, facts, shapes = received[0]
        tensors = []
        for shape, dtype in shapes:
            tensor = torch.empty(shape, dtype=dtype, device=device)
            _together(lambda tensor=tensor: dist.broadcast(tensor, src=0))  # type: ignore[misc]
            tensors.append(tensor)
        return kind, facts, tensors


ALONE = Shard()


def shard_config(config: ModelConfig, size: int) -> ModelConfig:
    """The sizes of the part that each of `size` processes has.

    Raises:
        UsageError: something cannot be split into so many equal parts.
    """
    if size == 1:
        return config

    def part(name: str, count: int) -> int:
        if count % size:
            raise UsageError(
                f"The model's {name} ({count}) cannot be split among {size} processes; take another number."
            )
        return count // size

    vision = config.vision
    if vision is not None:
        vision = replace(
            vision,
            num_attention_heads=part("heads of vision", vision.num_attention_heads),
            intermediate_size=part("intermediate size of vision", vision.intermediate_size),
        )
    return replace(
        config,
        vocab_size=part("vocabulary", config.vocab_size),
        num_attention_heads=part("heads", config.num_attention_heads),
        num_key_value_heads=part("key heads", config.num_key_value_heads),
        intermediate_size=part("intermediate size", config.intermediate_size),
        vision=vision,
    )


def _together(collective: Callable[[], object]) -> None:
    try:
        collective()
    except (RuntimeError, ValueError) as error:  # the libraries below have no class for it
        raise EngineError(
            "Another process of the tensor-parallel group has ended or cannot be reached; start the model again."
        ) from error
