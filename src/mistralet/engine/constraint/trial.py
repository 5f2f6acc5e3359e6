"""The compilation of a grammar, and a process to try it in.

Nothing inside the compiler bounds its time: `{"multipleOf": 999983}` takes it longer than anyone waits, and a chain of
20,000 rules ends the process by overflowing its stack. So a grammar is first compiled by this file, run as a script and
stopped after a while; only if that ends well it is compiled in the process of the model, where the same work ends as
soon.

The script reads lines of JSON: first a vocabulary, then grammars. It answers each grammar by what is wrong with it, or
null, and the vocabulary by null. It imports nothing of mistralet, to start at once.
"""

from __future__ import annotations

import contextlib
import json
import sys
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llguidance import LLMatcher, LLTokenizer

# Of the script. The process of the model has eight times this stack, and so does not overflow where the script did not.
_STACK_BYTES = 1 << 20
_MEMORY_BYTES = 4 << 30
# Of the lexer of one answer, at 1 to 2 kB each; text in JSON takes a few hundred.
_LEXER_STATES = 50_000


class Vocabulary:
    """The tokens of a model, in the form that llguidance asks for."""

    bos_token_id = None

    def __init__(self, pieces: Sequence[bytes], stop_ids: Sequence[int], encode: Callable[[str], list[int]]) -> None:
        """
        Args:
            pieces: the bytes of each token; empty for control tokens, which then can be no part of any text.
            encode: text to tokens, the way the model is used to.
        """
        self.eos_token_id = stop_ids[0]
        self.special_token_ids = [index for index, piece in enumerate(pieces) if not piece]
        self.tokens = [piece or f"<control {index}>".encode() for index, piece in enumerate(pieces)]
        self._encode = encode

    def __call__(self, text: str) -> list[int]:
        """The tokens of `text`."""
        return self._encode(text)


def load_vocabulary(
    pieces: Sequence[bytes], stop_ids: Sequence[int], encode: Callable[[str], list[int]]
) -> LLTokenizer:
    """The tokens as a trie; half a second for 131,072. For the arguments see `Vocabulary`."""
    from llguidance import LLTokenizer, TokenizerWrapper

    wrapped = TokenizerWrapper(Vocabulary(pieces, stop_ids, encode))
    return LLTokenizer(wrapped, n_vocab=len(pieces), eos_token=list(stop_ids))


def compile_grammar(vocabulary: LLTokenizer, grammar: str) -> LLMatcher:
    """The state before the first token of a grammar. Its `get_error()` says what is wrong, if anything."""
    from llguidance import LLMatcher, LLParserLimits

    limits = LLParserLimits(max_lexer_states=_LEXER_STATES, verbose_errors=False)
    matcher = LLMatcher(vocabulary, grammar, log_level=0, limits=limits)
    if not matcher.is_error():
        matcher.compute_bitmask()  # only this finds that there is no first token
    return matcher


def _answer_lines() -> None:
    pieces, stop_ids = json.loads(sys.stdin.readline())

    def encode(text: str) -> list[int]:  # any way will do here
        return vocabulary.greedy_tokenize(text)

    vocabulary = load_vocabulary([piece.encode("latin-1") for piece in pieces], stop_ids, encode)
    print("null", flush=True)
    for line in sys.stdin:
        problem = compile_grammar(vocabulary, json.loads(line)).get_error()
        print(json.dumps(problem or None), flush=True)


def _main() -> None:
    with contextlib.suppress(ImportError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    threading.stack_size(_STACK_BYTES)
    thread = threading.Thread(target=_answer_lines)
    thread.start()
    thread.join()


if __name__ == "__main__":
    _main()
