"""`Matcher`: how far one answer has come in its grammar."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mistralet.errors import ConstraintError

if TYPE_CHECKING:
    from llguidance import LLMatcher


class Matcher:
    """The state of one answer in its grammar; made by `ConstraintCompiler.compile`.

    Stop tokens are tokens like others: they are allowed where the text so far fits the grammar as it is, and accepted.
    Every method raises `ConstraintError` once the grammar has become too complex for the lexer's limits; the answer
    must then end, for nothing more can be held to it. Not to be used while a `MaskFiller` works on it.
    """

    def __init__(self, raw: LLMatcher) -> None:
        self.raw = raw
        self._after_end = 0  # stop tokens that followed the last text there can be: llguidance does not count them

    @property
    def is_complete(self) -> bool:
        """Whether the text so far fits the grammar, though more may follow."""
        return self.raw.is_accepting()

    @property
    def is_finished(self) -> bool:
        """Whether the text so far fits the grammar, and nothing but a stop token can follow."""
        return self.raw.is_stopped() and not self.raw.is_error()

    def accept(self, token: int) -> None:
        """Take the next token of the answer.

        Raises:
            ConstraintError: the grammar does not allow it here; nothing can follow then.
        """
        was_finished = self.is_finished
        self.raw.consume_token(token)
        self.check()
        self._after_end += was_finished

    def rollback(self, count: int) -> None:
        """Forget the last `count` tokens that were accepted."""
        uncounted = min(count, self._after_end)
        self._after_end -= uncounted
        self.raw.rollback(count - uncounted)
        self.check()

    def allowed_prefix(self, tokens: Sequence[int]) -> int:
        """How many of `tokens` could be accepted, one after the other."""
        return self.raw.validate_tokens(list(tokens))

    def forced_tokens(self) -> list[int]:
        """The tokens that spell what must come next, as the tokenizer would cut it; empty where there is a choice."""
        return self.raw.compute_ff_tokens()

    def fill(self, row: NDArray[np.int32]) -> None:
        """Write which tokens may come next: token t is bit t % 32 of `row[t // 32]`."""
        self.raw.unsafe_compute_mask_ptr(row.ctypes.data, row.nbytes)
        self.check()

    def check(self) -> None:
        """Raise what went wrong, if anything did."""
        if self.raw.is_error():
            raise ConstraintError(f"The answer cannot be held to its grammar any more: {self.raw.get_error()}.")
