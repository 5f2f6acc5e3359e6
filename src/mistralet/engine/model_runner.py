"""`ModelRunner`: batches through the model; on a GPU, steps that only decode are recorded once and replayed."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from mistralet.config import KVType
from mistralet.model import ForwardBatch, KVCache, MistralSmall
from mistralet.ops import PagedBatch, PagedTables, blocks_for
from mistralet.ops.gpu import gpu_kernels
from mistralet.ops.paged import fill_block_table

_MOST_SEQUENCES = 256  # of a recorded step; with more, launching is not what takes the time
_LEAST_CONTEXT = 512


class ModelRunner:
    """Runs a model over a cache.

    A step of one token for each sequence launches some four hundred kernels, most of them shorter than a launch. On a
    GPU it is recorded as a CUDA graph, one for each power of two of sequences and of the longest context, when such a
    step first comes.
    """

    def __init__(self, model: MistralSmall, cache: KVCache) -> None:
        self.model = model
        self.cache = cache
        self._device = model.norm.weight.device
        self._records = (
            gpu_kernels(model.norm.weight) is not None
            and cache.kv_type is not KVType.INT4  # whose attention goes sequence by sequence
            and model.shard.size == 1
        )
        self._steps: dict[tuple[int, int], RecordedStep] = {}
        self._pool: object | None = None  # of memory, which all graphs share, as they never run at once

    def __call__(self, batch: ForwardBatch) -> Tensor:
        """Hidden states, `[tokens, hidden_size]`; they hold until the next call."""
        spans = batch.places.spans
        if not self._records or not batch.places.is_decoding or len(spans) > _MOST_SEQUENCES:
            return self.model(batch, self.cache)  # type: ignore[no-any-return]
        longest = max(span.context for span in spans)
        step = self._step(_power_of_two(len(spans)), max(_LEAST_CONTEXT, _power_of_two(longest)))
        step.fill(batch)
        return step.replay()[: len(spans)]

    @torch.inference_mode()
    def prepare(self) -> None:
        """Record the step of one sequence, so that the first answer need not wait until kernels are compiled."""
        if self._records:
            self._step(1, _LEAST_CONTEXT)

    def _step(self, size: int, longest: int) -> RecordedStep:
        step = self._steps.get((size, longest))
        if step is None:
            step = self._steps[size, longest] = RecordedStep(self.model, self.cache, size, longest)
            self._pool = step.record(self._pool)
        return step

    def wait(self) -> None:
        """Until the device has done all that it was asked."""
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)


class RecordedStep:
    """One token of each of at most `size` sequences, in tensors that stay where they are."""

    def __init__(self, model: MistralSmall, cache: KVCache, size: int, longest: int) -> None:
        """
        Args:
            longest: no context is longer, in tokens.
        """
        device = model.norm.weight.device
        self._model, self._cache = model, cache
        # What is written here goes to the device in one copy each.
        self._numbers = _staging(device, 4, size, dtype=torch.int64)
        self._numbers[2] = -1  # so that nothing is kept of the runs that come before the first batch
        self._table = _staging(device, size, blocks_for(longest), dtype=torch.int32)
        self._numbers_there = self._numbers.to(device, copy=True)
        self._table_there = self._table.to(device, copy=True)
        ids, positions, slots, contexts = self._numbers_there
        places = PagedBatch.of_tables(PagedTables(positions, slots, self._table_there, contexts, longest))
        self._batch = ForwardBatch(ids, places)
        self.replay: Callable[[], Tensor] = self._run

    def fill(self, batch: ForwardBatch) -> None:
        """Put a batch in the place of the one before. Rows without a sequence are not kept and attend to nothing."""
        spans = batch.places.spans
        count = len(spans)
        ids, positions, slots, contexts = self._numbers
        ids[:count] = batch.input_ids
        positions[:count] = batch.places.positions
        slots[:count] = batch.places.slots
        slots[count:] = -1
        contexts[:count] = torch.tensor([span.context for span in spans])
        contexts[count:] = 0
        fill_block_table(self._table, spans)
        self._numbers_there.copy_(self._numbers, non_blocking=True)
        self._table_there.copy_(self._table, non_blocking=True)

    def record(self, pool: object | None) -> object:
        """From now on, `replay` does at one launch what running it does.

        Args:
            pool: memory that other recordings use, too.

        Returns:
            The pool that this one uses.
        """
        # Kernels are compiled, and libraries take their memory, before anything is recorded.
        current, aside = torch.cuda.current_stream(), torch.cuda.Stream()
        aside.wait_stream(current)
        with torch.cuda.stream(aside):
            for _ in range(2):
                self._run()
        current.wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        # Other threads may use the GPU meanwhile, as the KV library's does.
        with torch.cuda.graph(graph, pool=pool, capture_error_mode="thread_local"):  # type: ignore[arg-type]
            hidden = self._run()

        def replay() -> Tensor:
            graph.replay()
            return hidden

        self.replay = replay
        return graph.pool()

    def _run(self) -> Tensor:
        return self._model(self._batch, self._cache)  # type: ignore[no-any-return]


def _staging(device: torch.device, *shape: int, dtype: torch.dtype) -> Tensor:
    return torch.zeros(shape, dtype=dtype, pin_memory=device.type == "cuda")


def _power_of_two(number: int) -> int:
    return 1 << (number - 1).bit_length()
