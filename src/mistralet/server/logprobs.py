"""Logprobs, in the two shapes OpenAI has for them and in vLLM's for those of the prompt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mistralet.engine.sampling import Sampled
from mistralet.server.tokens import token_text
from mistralet.tokenizer import Tokenizer

# JSON has no infinity.
_LOWEST = -9999.0


class TextLogprobs:
    """Those of `/v1/completions`: a list for each fact, with the place of each token in the text."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._offset = 0
        self.has_begun = False
        self._clear()

    def _clear(self) -> None:
        self._told: dict[str, list[Any]] = {"tokens": [], "token_logprobs": [], "top_logprobs": [], "text_offset": []}

    def add_first(self, token: int) -> None:
        """The first token of a prompt, before which there is nothing to follow from."""
        self._append(token_text(self._tokenizer, token), None, None)

    def add(self, drawn: Sequence[Sampled]) -> None:
        """The next tokens."""
        for sampled in drawn:
            top = {token_text(self._tokenizer, token): _number(logprob) for token, logprob in sampled.top_logprobs}
            text = token_text(self._tokenizer, sampled.token)
            top.setdefault(text, _number(sampled.logprob))
            self._append(text, _number(sampled.logprob), top)

    def take(self) -> dict[str, list[Any]]:
        """What was added since the last time."""
        told = self._told
        self._clear()
        return told

    def _append(self, text: str, logprob: float | None, top: dict[str, float] | None) -> None:
        self.has_begun = True
        for name, value in zip(self._told, (text, logprob, top, self._offset), strict=True):
            self._told[name].append(value)
        self._offset += len(text)


def chat_logprobs(tokenizer: Tokenizer, drawn: Sequence[Sampled]) -> list[dict[str, Any]]:
    """Those of `/v1/chat/completions`: an object for each token."""
    return [
        _token(tokenizer, sampled.token, sampled.logprob)
        | {"top_logprobs": [_token(tokenizer, *pair) for pair in sampled.top_logprobs]}
        for sampled in drawn
    ]


def prompt_logprobs(tokenizer: Tokenizer, drawn: Sequence[Sampled]) -> list[dict[str, Any] | None]:
    """Those of a prompt, as vLLM tells them; the first token has none."""
    return [None, *(_of_prompt(tokenizer, sampled) for sampled in drawn)]


def _of_prompt(tokenizer: Tokenizer, sampled: Sampled) -> dict[str, Any]:
    ranked = [(token, logprob, rank) for rank, (token, logprob) in enumerate(sampled.top_logprobs, start=1)]
    facts = {
        str(token): {"logprob": _number(logprob), "rank": rank, "decoded_token": token_text(tokenizer, token)}
        for token, logprob, rank in ranked
    }
    own = {"logprob": _number(sampled.logprob), "decoded_token": token_text(tokenizer, sampled.token)}
    return {str(sampled.token): own} | facts


def _token(tokenizer: Tokenizer, token: int, logprob: float | None) -> dict[str, Any]:
    piece = tokenizer.token_bytes(token)
    return {"token": piece.decode("utf-8", "replace"), "logprob": _number(logprob), "bytes": list(piece)}


def _number(logprob: float | None) -> float:
    return max(_LOWEST, logprob if logprob is not None else _LOWEST)
