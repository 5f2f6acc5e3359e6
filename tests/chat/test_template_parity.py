"""Conversations drawn at random give the ids of mistral-common, or are refused by both."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from mistral_common.exceptions import MistralCommonException
from mistral_common.protocol.instruct.normalize import get_normalizer
from mistral_common.protocol.instruct.validator import ValidationMode, get_validator
from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

from mistralet.chat import ChatFormat, ChatRequest, chat_format
from mistralet.config import VisionConfig
from mistralet.errors import PromptError, ToolError
from mistralet.tokenizer import BpeTokenizer, TekkenTokenizer
from support.conversations import broken, random_request, reference_request

Tekken = Callable[[str], TekkenTokenizer]
KINDS = ["v7-image", "v11-image", "v13"]
EACH = 200  # conversations per version

# Where mistral-common takes what no model can make sense of (docs/chat-format.md). Its v7 does not compare ids.
STRICTER = [
    r"messages\[\d+\] \(tool\) is the first",
    r"messages\[\d+\]\.tool_calls cannot begin a conversation",
    r"there are tools, but no message of the user",
    r"are both called",
    r"the JSON schema of the parameters has the type",
]
STRICTER_V7 = [
    r"\.tool_call_id '.*' is that of no call",
    r"\.tool_call_id '.*' has a result already",
]


def serving(reference: Any) -> Any:
    """The reference as it serves a model, with which every call needs its result."""
    version = reference.instruct_tokenizer.tokenizer.version
    validator = get_validator(version, ValidationMode.serving)
    return MistralTokenizer(reference.instruct_tokenizer, validator, get_normalizer(version))


@pytest.mark.parametrize("half", [0, 1])
@pytest.mark.parametrize("kind", KINDS)
def test_ids_are_those_of_the_reference(
    tekken: Tekken, reference_chat: Callable[[str], Any], vision: VisionConfig, kind: str, half: int
) -> None:
    template, reference = chat_format(tekken(kind), vision), serving(reference_chat(kind))
    for seed in range(half * EACH // 2, (half + 1) * EACH // 2):
        request = random_request(Random(seed), pictures=True)
        prompt, expected = template.encode(request), reference.encode_chat_completion(reference_request(request))
        assert prompt.ids == expected.tokens, f"seed {seed}: {request}"
        assert [image.pixels.shape for image in prompt.images] == [image.shape for image in expected.images]


def test_what_is_drawn() -> None:
    requests = [random_request(Random(seed), pictures=True) for seed in range(EACH)]
    messages = [message for request in requests for message in request.messages]
    assert {message.role for message in messages} == {"system", "user", "assistant", "tool"}
    assert sum(request.messages[-1].prefix for request in requests) > 20
    assert sum(request.messages[-1].role == "tool" for request in requests) > 10
    assert sum(len(message.tool_calls) > 1 for message in messages) > 50
    assert sum(bool(request.tools) for request in requests) > 50


@pytest.mark.parametrize("half", [0, 1])
@pytest.mark.parametrize("kind", KINDS)
def test_verdicts_are_those_of_the_reference(
    tekken: Tekken, reference_chat: Callable[[str], Any], kind: str, half: int
) -> None:
    template, reference = chat_format(tekken(kind), None), serving(reference_chat(kind))
    stricter = re.compile("|".join(STRICTER + STRICTER_V7 * (kind == "v7-image")))
    refused = 0
    for request in map(maybe_broken, range(half * EACH, (half + 1) * EACH)):
        expected = reference_ids(reference, request)
        problem = problem_of(template, request)
        if problem is None:
            assert template.encode(request).ids == expected, request
        else:
            assert expected is None or stricter.search(problem), f"{problem}: {request}"
            assert "does not fit the model's template" not in problem, f"not named: {request}"
            refused += 1
    assert EACH // 4 < refused < EACH - EACH // 4


def test_the_stand_in_gives_the_same_verdicts(tekken: Tekken, tiny_tokenizer: BpeTokenizer) -> None:
    tekken_chat, chatml = chat_format(tekken("v11-image"), None), chat_format(tiny_tokenizer, None)
    for request in map(maybe_broken, range(EACH)):
        assert problem_of(tekken_chat, request) == problem_of(chatml, request)


def maybe_broken(seed: int) -> ChatRequest:
    random = Random(seed)
    return broken(random, random_request(random, pictures=False))


def problem_of(template: ChatFormat, request: ChatRequest) -> str | None:
    """Why the request is refused; None if it is not."""
    try:
        template.encode(request)
    except (PromptError, ToolError) as error:
        return str(error)
    return None


def reference_ids(reference: Any, request: ChatRequest) -> list[int] | None:
    """None if the reference refuses the request."""
    try:
        ids: list[int] = reference.encode_chat_completion(reference_request(request)).tokens
    except (AssertionError, MistralCommonException, ValueError):
        return None
    return ids
