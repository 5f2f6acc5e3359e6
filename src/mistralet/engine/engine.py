"""Generation of one sequence at a time, keeping the cache of the last one for prompts that begin alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from mistralet.config import KVType
from mistralet.engine.cache_size import blocks_that_fit
from mistralet.engine.sampling import Sampler, SamplingParams
from mistralet.errors import PromptError
from mistralet.model import ForwardBatch, KVCache, MistralSmall, Prompt
from mistralet.ops import BLOCK_SIZE

# Tokens that go through the model together while a prompt is read: bounds the memory of activations.
PREFILL_CHUNK = 512

FinishReason = Literal["stop", "length"]


@dataclass
class GenerationStats:
    """What a generation did, and how long it took; filled while it runs."""

    prompt_tokens: int
    cached_tokens: int = 0  # of the prompt, taken from the cache
    output_tokens: int = 0
    time_to_first_token: float = 0.0  # seconds
    decode_seconds: float = 0.0  # from the first token to the last
    finish_reason: FinishReason | None = None  # None: not finished, or interrupted

    @property
    def tokens_per_second(self) -> float:
        """Speed after the first token; 0 if there was no second one."""
        return (self.output_tokens - 1) / self.decode_seconds if self.decode_seconds > 0 else 0.0


class Generation:
    """A running generation: iterate over it for the token ids, the stop token excluded."""

    def __init__(self, stats: GenerationStats, tokens: Iterator[int]) -> None:
        self.stats = stats
        self._tokens = tokens

    def __iter__(self) -> Iterator[int]:
        return self._tokens


class Engine:
    """Runs a model on one sequence at a time."""

    def __init__(self, model: MistralSmall, stop_ids: frozenset[int], kv_type: KVType | None = None) -> None:
        """
        Args:
            stop_ids: tokens that end an answer.
            kv_type: of the cache; by default the 16-bit type that keeps most of the activations' precision.

        Raises:
            UsageError: the model's heads cannot be stored so.
        """
        self.model = model
        self.stop_ids = stop_ids
        self.device = model.norm.weight.device
        kv_type = kv_type or (KVType.BFLOAT16 if model.dtype == torch.bfloat16 else KVType.FLOAT16)
        self.cache = KVCache(model.config, kv_type, self.device, blocks_that_fit(model, kv_type))
        self.context = min(model.config.max_position_embeddings, self.cache.blocks * BLOCK_SIZE)  # tokens at most
        self._cached = Prompt([])  # what the cache holds
        self._running = 0  # the number of the generation that the cache belongs to

    def generate(
        self, prompt: Prompt, params: SamplingParams, on_prefill: Callable[[int, int], None] | None = None
    ) -> Generation:
        """Continue `prompt`.

        Args:
            on_prefill: called with the tokens of the prompt that are read, and all of them, as reading goes on.

        Raises:
            PromptError: the prompt is empty or leaves no room in the context.
        """
        if not prompt.ids:
            raise PromptError("The prompt is empty; say something.")
        if len(prompt.ids) >= self.context:
            reader, remedy = "the model reads", "shorten it"
            if self.context < self.model.config.max_position_embeddings:
                reader, remedy = "memory holds", "shorten it, or store less per token (--kv-type)"
            raise PromptError(
                f"The prompt has {len(prompt.ids)} tokens, but {reader} at most {self.context - 1}; {remedy}."
            )
        stats = GenerationStats(prompt_tokens=len(prompt.ids))
        return Generation(stats, self._run(prompt, params, stats, on_prefill))

    @torch.inference_mode()
    def _run(
        self,
        prompt: Prompt,
        params: SamplingParams,
        stats: GenerationStats,
        on_prefill: Callable[[int, int], None] | None,
    ) -> Iterator[int]:
        started = first_token_at = time.perf_counter()
        room = self.context - len(prompt.ids)
        limit = min(room, params.max_tokens or room)
        sampler = Sampler(params)
        self._running += 1
        mine = self._running
        stats.cached_tokens = self._keep_common_prefix(prompt)
        logits = self._prefill(prompt, stats.cached_tokens, on_prefill)
        while True:
            token = sampler(logits)
            if token in self.stop_ids:
                stats.finish_reason = "stop"
                return
            stats.output_tokens += 1
            now = time.perf_counter()
            if stats.output_tokens == 1:
                stats.time_to_first_token, first_token_at = now - started, now
            stats.decode_seconds = now - first_token_at
            if stats.output_tokens == limit:
                stats.finish_reason = "length"
            yield token
            if stats.finish_reason is not None:
                return
            if mine != self._running:
                raise RuntimeError("another generation has begun on this engine; it runs one at a time")
            logits = self._forward([token])

    def _keep_common_prefix(self, prompt: Prompt) -> int:
        """Keep of the cache what it shares with the prompt; at least the prompt's last token is left to run."""
        shared = min(common_prefix(self._cached, prompt), len(prompt.ids) - 1)
        # An image is encoded whole or not at all.
        shared = next((image.start for image in prompt.images if image.start < shared < image.end), shared)
        self._cached = Prompt(prompt.ids[:shared], [image for image in prompt.images if image.end <= shared])
        return shared

    def _prefill(self, prompt: Prompt, start: int, on_prefill: Callable[[int, int], None] | None) -> Tensor:
        """Read the prompt from `start` on; scores for the token after it, float32 `[vocab_size]`."""
        images = [image for image in prompt.images if image.start >= start]
        rows = (
            torch.cat(self.model.encode_images([image.pixels.to(self.device) for image in images])) if images else None
        )
        logits = torch.empty(0)
        for begin in range(start, len(prompt.ids), PREFILL_CHUNK):
            chunk = prompt.ids[begin : begin + PREFILL_CHUNK]
            if rows is not None and self.model.config.vision is not None:
                used = chunk.count(self.model.config.vision.image_token_id)
                logits = self._forward(chunk, rows[:used])
                rows = rows[used:]
            else:
                logits = self._forward(chunk)
            if on_prefill is not None:
                on_prefill(begin + len(chunk), len(prompt.ids))
        self._cached.images.extend(images)
        return logits

    def _forward(self, ids: list[int], image_rows: Tensor | None = None) -> Tensor:
        batch = ForwardBatch.alone(ids, len(self._cached.ids), self.cache, image_rows)
        hidden = self.model(batch, self.cache)
        self._cached.ids.extend(ids)
        return self.model.logits(hidden[-1:])[0]


def common_prefix(a: Prompt, b: Prompt) -> int:
    """How many tokens two prompts share from the start; the tokens of an image are shared if the image is."""
    pairs = enumerate(zip(a.ids, b.ids, strict=False))
    length = next((index for index, (x, y) in pairs if x != y), min(len(a.ids), len(b.ids)))
    shared = 0
    for image, other in zip(a.images, b.images, strict=False):
        if (image.start, image.digest) != (other.start, other.digest):
            break
        shared += 1
    return min([length, *(image.start for image in a.images[shared:] + b.images[shared:])])
