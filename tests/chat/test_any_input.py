"""Whatever a caller sends becomes a prompt or a sentence, never another exception."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mistralet.chat import ChatFormat, ChatRequest, chat_format
from mistralet.chat.openai_json import messages_from_json, tool_choice_from_json, tools_from_json
from mistralet.errors import MistraletError
from mistralet.tokenizer import BpeTokenizer, TekkenTokenizer

KEYS = [
    *("role", "content", "tool_calls", "tool_call_id", "prefix", "type", "text", "image_url", "url", "id", "function"),
    *("name", "arguments", "parameters", "properties", "required", "$ref", "anyOf", "items", "strict", "description"),
]
WORDS = [
    *("user", "assistant", "tool", "system", "text", "image_url", "function", "object", "auto", "#", "abcdefghi", "f"),
    *("{}", "[", "", "\ud800", "data:image/png;base64,AAAA"),
]
WORD = st.sampled_from(WORDS)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), WORD),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=8,
)


def mostly(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """What fits in most places, so that the faults lie deep."""
    return st.one_of(strategy, strategy, strategy, strategy, JSON)


CALL = st.fixed_dictionaries(
    {
        "id": mostly(WORD),
        "function": mostly(st.fixed_dictionaries({"name": mostly(st.just("f")), "arguments": mostly(WORD)})),
    }
)
MESSAGE = st.fixed_dictionaries(
    {"role": mostly(st.sampled_from(WORDS[:4])), "content": mostly(WORD)},
    optional={"tool_calls": st.lists(mostly(CALL), max_size=2), "tool_call_id": mostly(WORD), "prefix": JSON},
)
MESSAGES = mostly(st.lists(mostly(MESSAGE), max_size=4))
TOOL = st.fixed_dictionaries(
    {
        "type": mostly(st.just("function")),
        "function": mostly(st.fixed_dictionaries({"name": mostly(WORD), "parameters": JSON})),
    }
)


@pytest.fixture(scope="module")
def templates(tekken: Callable[[str], TekkenTokenizer], tiny_tokenizer: BpeTokenizer) -> list[ChatFormat]:
    return [chat_format(tokenizer, None) for tokenizer in (tekken("v11-image"), tiny_tokenizer)]


@settings(max_examples=150, deadline=None, derandomize=True)
@given(MESSAGES, mostly(st.lists(mostly(TOOL), max_size=2)), JSON)
def test_any_json(templates: list[ChatFormat], messages: object, tools: object, choice: object) -> None:
    verdicts = [verdict(template, messages, tools, choice) for template in templates]
    assert verdicts[0] == verdicts[1]
    assert "\n" not in verdicts[0]


def verdict(template: ChatFormat, messages: object, tools: object, choice: object) -> str:
    try:
        request = ChatRequest(messages_from_json(messages), tools_from_json(tools), tool_choice_from_json(choice))
        assert template.encode(request).ids
    except MistraletError as error:
        return str(error)
    return "fine"
