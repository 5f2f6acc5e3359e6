from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mistralet.chat import ChatRequest, ImagePart, Message, TextPart, chat_format
from mistralet.errors import PromptError
from mistralet.tokenizer import BpeTokenizer, TekkenTokenizer

USER, ANSWER, SYSTEM = Message("user", "Hi"), Message("assistant", "Hello"), Message("system", "Be brief.")

BROKEN = {
    "nothing": ([], r"the conversation is empty; add a message of the user"),
    "unknown role": ([USER, Message("judge", "x")], r"messages\[1\] \(judge\) has a role that is not known"),  # type: ignore[arg-type]
    "ends with the assistant": ([USER, ANSWER], r"messages\[1\] \(assistant\) is the last"),
    "only the assistant": ([ANSWER], r"messages\[0\] \(assistant\) is the last"),
    "system after the assistant": ([USER, ANSWER, SYSTEM, USER], r"messages\[2\] \(system\) follows the assistant"),
    "empty answer": ([USER, Message("assistant", ""), USER], r"messages\[1\] \(assistant\) is empty"),
    "empty answer in parts": ([USER, Message("assistant", (TextPart(""),)), USER], r"messages\[1\].* is empty"),
    "no answer": ([USER, Message("assistant", ()), USER], r"messages\[1\].* is empty"),
    "picture of the system": (
        [Message("system", (ImagePart(b""),)), USER],
        r"messages\[0\] \(system\) holds a picture",
    ),
    "picture of the assistant": (
        [USER, Message("assistant", (ImagePart(b""),)), USER],
        r"messages\[1\] \(assistant\) holds a picture",
    ),
    "half a character": ([USER, Message("user", "a\udc00")], r"messages\[1\] \(user\) holds half a character"),
    "endless spaces": ([Message("user", " " * 600_000)], r"messages\[0\] \(user\) holds more than 500000 spaces"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_rules_tekken(tekken: Callable[[str], TekkenTokenizer], name: str) -> None:
    messages, problem = BROKEN[name]
    with pytest.raises(PromptError, match=problem):
        chat_format(tekken("v11-image"), None).encode(ChatRequest(messages))


@pytest.mark.parametrize("name", BROKEN)
def test_rules_chatml(tiny_tokenizer: BpeTokenizer, name: str) -> None:
    messages, problem = BROKEN[name]
    with pytest.raises(PromptError, match=problem):
        chat_format(tiny_tokenizer, None).encode(ChatRequest(messages))


@pytest.mark.parametrize("roles", [f"{a}{b}{c}".strip() for a in " sua" for b in " sua" for c in "sua"])
@pytest.mark.parametrize("kind", ["v7", "v13"])
def test_the_order_rules_are_those_of_the_reference(
    tekken: Callable[[str], TekkenTokenizer], reference_chat: Callable[[str], Any], kind: str, roles: str
) -> None:
    from mistral_common.exceptions import MistralCommonException
    from mistral_common.protocol.instruct.request import ChatCompletionRequest

    messages = [{"s": SYSTEM, "u": USER, "a": ANSWER}[role] for role in roles.replace(" ", "")]
    request = ChatCompletionRequest(messages=[{"role": m.role, "content": m.content} for m in messages])
    try:
        expected = reference_chat(kind).encode_chat_completion(request).tokens
    except MistralCommonException:
        with pytest.raises(PromptError):
            chat_format(tekken(kind), None).encode(ChatRequest(messages))
    else:
        assert chat_format(tekken(kind), None).encode(ChatRequest(messages)).ids == expected
