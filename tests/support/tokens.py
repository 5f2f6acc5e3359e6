"""Token ids of texts with control tokens among them."""

from __future__ import annotations

from mistralet.tokenizer import Tokenizer


def spelled(tokenizer: Tokenizer, *parts: str) -> list[int]:
    """The ids of all parts; one that is the name of a control token is that token."""
    ids: list[int] = []
    for part in parts:
        is_control = part.startswith("<|") or (part.startswith("[") and part[1:-1].replace("_", "").isupper())
        ids += [tokenizer.control_id(part)] if is_control else tokenizer.encode(part)
    return ids
