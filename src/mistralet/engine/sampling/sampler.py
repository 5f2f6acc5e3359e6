"""`Sampler`: chooses the next tokens of a batch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mistralet.engine.sampling import native, on_device, reference
from mistralet.engine.sampling.row import SamplerRow
from mistralet.engine.sampling.sampled import Sampled
from mistralet.native import kernels


class Sampler:
    """Chooses a token for each row of scores: on the GPU that has them, or else by the native kernel, if there is one.

    What comes out for a row is the same, bit for bit, whatever other rows there are. It keeps nothing between calls:
    the random number of an output token follows from the request's seed and the token's place.
    """

    def __init__(self, use_native: bool = True) -> None:
        self._use_native = use_native and kernels is not None

    def __call__(self, logits: Tensor, rows: Sequence[SamplerRow], maxima: Tensor | None = None) -> list[Sampled]:
        """One token for each row.

        Args:
            logits: float32 `[rows, vocab_size]`, on any device. On the CPU they are worked on in place: afterwards,
                those of tokens that the row's `allowed` forbids may be -inf.
            rows: the sequence of each. A sequence may come several times, with other drafted tokens.
            maxima: the largest logits of each block of a row, if they are known (see `ops.score`): saves time.
        """
        if len(logits) != len(rows):
            raise ValueError(f"{len(logits)} rows of logits were given for {len(rows)} sequences")
        if logits.is_cuda:
            return on_device.sample(logits.float(), rows)
        scores = _on_cpu(logits)
        if self._use_native:
            return native.sample(scores, rows, maxima)
        return [reference.sample(*pair) for pair in zip(scores, rows, strict=True)]

    def prompt_logprobs(self, logits: Tensor, ids: Sequence[int], alternatives: int) -> list[Sampled]:
        """How likely each token of a prompt was, and which tokens were the likeliest in its place.

        Args:
            logits: float32 `[len(ids), vocab_size]`: row i is what the model said before it read `ids[i]`.
            alternatives: how many of the likeliest tokens to name; 0 for none.
        """
        vocab_size = logits.shape[1]
        if len(logits) != len(ids) or not all(0 <= token < vocab_size for token in ids):
            raise ValueError(f"{len(logits)} rows of logits over {vocab_size} tokens do not fit {len(ids)} token ids")
        if logits.is_cuda:
            return on_device.score(logits.float(), ids, alternatives)
        scores = _on_cpu(logits)
        if self._use_native:
            return native.score(scores, ids, alternatives)
        return [reference.score(row, token, alternatives) for row, token in zip(scores, ids, strict=True)]


def _on_cpu(logits: Tensor) -> Tensor:
    if logits.is_cpu and logits.dtype is torch.float32 and logits.is_contiguous():
        return logits
    return logits.to("cpu", torch.float32).contiguous()
