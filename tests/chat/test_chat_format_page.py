"""The examples of docs/chat-format.md are what the templates write."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from mistralet.chat import ChatRequest, chat_format
from mistralet.chat.openai_json import messages_from_json, tools_from_json
from mistralet.tokenizer import BpeTokenizer, TekkenTokenizer, Tokenizer

PAGE = (Path(__file__).parents[2] / "docs" / "chat-format.md").read_text(encoding="utf-8")
TEKKEN_TOKENS = [
    *("<s>", "</s>", "[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[AVAILABLE_TOOLS]"),
    *("[/AVAILABLE_TOOLS]", "[TOOL_CALLS]", "[TOOL_RESULTS]", "[/TOOL_RESULTS]"),
]
LATER_TOKENS = {"v7": ["[TOOL_CONTENT]"], "v11": ["[TOOL_CONTENT]", "[ARGS]", "[CALL_ID]"], "v13": ["[ARGS]"]}


def request() -> ChatRequest:
    (example,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    facts = json.loads(example)
    return ChatRequest(messages_from_json(facts["messages"]), tools_from_json(facts["tools"]))


def example(title: str) -> str:
    found = re.search(rf"### {title}\n\n```text\n(.*?)\n```", PAGE, re.DOTALL)
    assert found is not None
    return found.group(1)


def ids_of(tokenizer: Tokenizer, text: str, names: list[str]) -> list[int]:
    """The ids of `text`, where the names of control tokens stand for them."""
    pieces = re.split("(" + "|".join(map(re.escape, names)) + ")", text)
    return [
        token_id
        for piece in pieces
        for token_id in ([tokenizer.control_id(piece)] if piece in names else tokenizer.encode(piece))
    ]


@pytest.mark.parametrize(("kind", "version"), [("v7-image", "v7"), ("v11-image", "v11"), ("v13", "v13")])
def test_tekken(tekken: Callable[[str], TekkenTokenizer], kind: str, version: str) -> None:
    tokenizer = tekken(kind)
    text = example(f"Tekken {version}").replace("\n", "")
    expected = ids_of(tokenizer, text, TEKKEN_TOKENS + LATER_TOKENS[version])
    assert chat_format(tokenizer, None).encode(request()).ids == expected


def test_chatml(tiny_tokenizer: BpeTokenizer) -> None:
    expected = ids_of(tiny_tokenizer, example("ChatML"), ["<|im_start|>", "<|im_end|>"])
    assert chat_format(tiny_tokenizer, None).encode(request()).ids == expected
