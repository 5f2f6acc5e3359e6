"""Masks of the tokens that may come next, filled while the model computes.

A mask is int32 `[rows, mask_width(vocab_size)]`; token t of a row is bit t % 32 of its word t // 32, and 1 allows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mistralet.engine.constraint.matcher import Matcher
from mistralet.errors import ConstraintError

if TYPE_CHECKING:
    from llguidance import LLExecutor

Mask = NDArray[np.int32]


class MaskRow(NamedTuple):
    """One answer in a mask: its state, its first row, and tokens that may follow, each of which has a row after it."""

    matcher: Matcher
    row: int
    draft: Sequence[int] = ()


class FillingMask:
    """A mask that is being filled. Neither it nor the matchers may be touched before `wait` returns."""

    def __init__(self, work: Future[None], rows: Sequence[MaskRow]) -> None:
        self._work = work
        self._rows = rows

    def wait(self) -> dict[int, ConstraintError]:
        """Wait until the mask is filled.

        Returns:
            What went wrong, by the first row of the answer, which must then end.
        """
        self._work.result()
        failures = {}
        for row in self._rows:
            try:
                row.matcher.check()
            except ConstraintError as error:
                failures[row.row] = error
        return failures


class MaskFiller:
    """Fills masks beside the thread that asks for them, without the interpreter's lock."""

    def __init__(self, threads: int | None = None) -> None:
        """
        Args:
            threads: for the rows of one mask; None for four of five processors.
        """
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="masks")
        self._threads = threads
        self._executor: LLExecutor | None = None

    def start(self, rows: Sequence[MaskRow], mask: Mask) -> FillingMask:
        """Begin to write the rows of `mask` that `rows` name; the others keep what they hold.

        The row of a draft's token says what may follow it; rows after the first that may not come stay.
        """
        return FillingMask(self._worker.submit(self._fill, rows, mask), rows)

    def close(self) -> None:
        """Wait for what was begun and end the threads."""
        self._worker.shutdown()

    def _fill(self, rows: Sequence[MaskRow], mask: Mask) -> None:
        from llguidance import LLExecutor
        from llguidance.numpy import fill_next_token_bitmask_par, fill_next_token_bitmask_par_with_draft_tokens

        if self._executor is None:
            self._executor = LLExecutor(self._threads)
        plain = [(row.matcher.raw, row.row) for row in rows if not row.draft]
        drafted = [(row.matcher.raw, row.row, list(row.draft)) for row in rows if row.draft]
        if plain:
            fill_next_token_bitmask_par(self._executor, plain, mask)
        if drafted:
            fill_next_token_bitmask_par_with_draft_tokens(self._executor, drafted, mask)


def mask_width(vocab_size: int) -> int:
    """Words in a row."""
    return -(-vocab_size // 32)


def new_mask(rows: int, vocab_size: int) -> Mask:
    """A mask that allows everything."""
    return np.full((rows, mask_width(vocab_size)), -1, dtype=np.int32)


def forbid(logits: Tensor, mask: Mask) -> None:
    """Set the scores of tokens that `mask` forbids, and of those beyond it, to minus infinity.

    Args:
        logits: float `[rows, tokens]`, on any device; changed in place.
    """
    bits = np.unpackbits(mask.view(np.uint8), axis=1, bitorder="little")[:, : logits.shape[1]]
    forbidden = torch.from_numpy(bits == 0).to(logits.device)
    logits[:, : bits.shape[1]].masked_fill_(forbidden, -torch.inf)
    logits[:, bits.shape[1] :] = -torch.inf
