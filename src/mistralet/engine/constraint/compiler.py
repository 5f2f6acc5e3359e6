"""`ConstraintCompiler`: from constraints to matchers, for the vocabulary of one model."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING

from mistralet.engine.constraint.constraint import Constraint
from mistralet.engine.constraint.matcher import Matcher
from mistralet.engine.constraint.reasons import reason
from mistralet.engine.constraint.trial import compile_grammar, load_vocabulary
from mistralet.engine.constraint.trial_process import Trial
from mistralet.errors import ConstraintError
from mistralet.tokenizer import Tokenizer

if TYPE_CHECKING:
    from llguidance import LLMatcher, LLTokenizer

COMPILE_SECONDS = 5.0
_KEPT = 128  # constraints


class ConstraintCompiler:
    """Compiles constraints, one at a time, and keeps what the last ones compiled to, also if that was a refusal.

    Used from any thread. Starts its process, and reads the vocabulary, with the first constraint.
    """

    def __init__(self, tokenizer: Tokenizer, stop_ids: Iterable[int], seconds: float = COMPILE_SECONDS) -> None:
        """
        Args:
            stop_ids: the tokens that end an answer, allowed wherever the answer may end.
            seconds: for one constraint, after which it is refused.
        """
        self._tokenizer = tokenizer
        self._stop_ids = sorted(stop_ids)
        self._seconds = seconds
        self._compiling = threading.Lock()
        self._kept: OrderedDict[Constraint, LLMatcher | str] = OrderedDict()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="constraints")

    def compile(self, constraint: Constraint) -> Matcher:
        """The state before the first token.

        Raises:
            ConstraintError: the constraint cannot be read, asks for what cannot be held to, fits nothing, or takes too
                long.
        """
        with self._compiling:
            if constraint not in self._kept:
                self._kept[constraint] = self._compile(constraint)
                if len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(constraint)
            compiled = self._kept[constraint]
            if isinstance(compiled, str):
                raise ConstraintError(compiled)
            return Matcher(compiled.deep_copy())

    def submit(self, constraint: Constraint) -> Future[Matcher]:
        """`compile` in another thread."""
        return self._worker.submit(self.compile, constraint)

    def close(self) -> None:
        """Wait for what was submitted, and end the thread and the process."""
        self._worker.shutdown()
        self._trial.close()

    def _compile(self, constraint: Constraint) -> LLMatcher | str:
        if problem := self._trial.problem(constraint.grammar):
            return f"The {constraint.kind} {reason(problem)}."
        return compile_grammar(self._vocabulary, constraint.grammar)

    @cached_property
    def _pieces(self) -> list[bytes]:
        return [self._tokenizer.token_bytes(index) for index in range(self._tokenizer.vocab_size)]

    @cached_property
    def _ends(self) -> list[int]:
        """The stop tokens; llguidance needs one, so for a vocabulary without any its first control token."""
        return self._stop_ids or [self._pieces.index(b"") if b"" in self._pieces else 0]

    @cached_property
    def _trial(self) -> Trial:
        return Trial(self._pieces, self._ends, self._seconds)

    @cached_property
    def _vocabulary(self) -> LLTokenizer:
        return load_vocabulary(self._pieces, self._ends, self._tokenizer.encode)
