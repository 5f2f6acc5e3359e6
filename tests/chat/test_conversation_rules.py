from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from mistralet.chat import ChatRequest, ImagePart, Message, TextPart, ToolCall, chat_format
from mistralet.errors import PromptError
from mistralet.tokenizer import BpeTokenizer, TekkenTokenizer

USER, ANSWER, SYSTEM = Message("user", "Hi"), Message("assistant", "Hello"), Message("system", "Be brief.")
BEGUN = Message("assistant", "It is", prefix=True)

BROKEN: dict[str, tuple[list[Message], str]] = {
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


def called(**fields: str) -> list[Message]:
    """A call with other fields than it should have, and its result."""
    call = replace(CALL, **fields)
    return [USER, Message("assistant", "", (call,)), Message("tool", "x", tool_call_id=call.id)]


CALL = ToolCall("call_1", "weather", "{}")
CALLS = Message("assistant", "I look.", (CALL, ToolCall("call_2", "weather", "{}")))
FIRST, SECOND = (Message("tool", "x", tool_call_id=call.id) for call in CALLS.tool_calls)
ARGUMENTS = r"messages\[1\]\.tool_calls\[0\]\.arguments "

BROKEN |= {
    "a result of nothing": ([USER, FIRST], r"messages\[1\] \(tool\) follows the user; put results right after"),
    "a result first": ([FIRST, USER], r"messages\[0\] \(tool\) is the first"),
    "a result after the system": ([USER, SYSTEM, FIRST], r"messages\[2\] \(tool\) follows the system"),
    "an unknown id": (
        [USER, CALLS, FIRST, Message("tool", "x", tool_call_id="call_3")],
        r"messages\[3\]\.tool_call_id 'call_3' is that of no call in the message before; correct it",
    ),
    "an id of an earlier turn": (
        [USER, CALLS, FIRST, SECOND, ANSWER, FIRST],
        r"messages\[5\]\.tool_call_id 'call_1' is that of no call",
    ),
    "two results": ([USER, CALLS, FIRST, FIRST], r"messages\[3\]\.tool_call_id 'call_1' has a result already"),
    "no results": ([USER, CALLS, USER], r"messages\[1\]\.tool_calls\[0\] has no result; add a message of the tool"),
    "a missing result": ([USER, CALLS, FIRST, ANSWER, USER], r"messages\[1\]\.tool_calls\[1\] has no result"),
    "a missing result at the end": ([USER, CALLS, SECOND], r"messages\[1\]\.tool_calls\[0\] has no result"),
    "calls first": ([CALLS, FIRST, SECOND], r"messages\[0\]\.tool_calls cannot begin a conversation"),
    "calls last": ([USER, CALLS], r"messages\[1\] \(assistant\) is the last"),
    "calls of the user": (
        [replace(USER, tool_calls=(CALL,))],
        r"messages\[0\]\.tool_calls are set, but the role is user",
    ),
    "an id of the user": (
        [replace(USER, tool_call_id="a")],
        r"messages\[0\]\.tool_call_id is set, but the role is user",
    ),
    "a result without id": ([USER, CALLS, Message("tool", "x")], r"messages\[2\]\.tool_call_id is missing"),
    "a call without id": (called(id=""), r"messages\[1\]\.tool_calls\[0\]\.id is empty; give each call an id"),
    "one id twice": (
        [USER, replace(CALLS, tool_calls=(CALL, CALL)), FIRST],
        r"messages\[1\]\.tool_calls\[1\]\.id 'call_1' is that of another call",
    ),
    "a name that is none": (called(name="a b"), r"messages\[1\]\.tool_calls\[0\]\.name 'a b' is no name of a tool"),
    "no name": (called(name=""), r"messages\[1\]\.tool_calls\[0\]\.name '' is no name"),
    "arguments cut short": (called(arguments='{"a": 1'), ARGUMENTS + r"is no JSON object \(.*\); give one, such as {}"),
    "arguments in a list": (called(arguments="[1]"), ARGUMENTS + "is no JSON object but a list"),
    "arguments that are a text": (called(arguments='"x"'), ARGUMENTS + "is no JSON object but a str"),
    "only a space": (called(arguments=" "), ARGUMENTS + "is no JSON object"),
    "no number": (called(arguments='{"a": NaN}'), ARGUMENTS + r"is no JSON object \(NaN is no number of JSON\)"),
    "a number too long": (called(arguments=f'{{"a": {"1" * 9999}}}'), ARGUMENTS + "is no JSON object"),
    "half a character in arguments": (called(arguments='{"a": "\\ud800"}'), ARGUMENTS + "holds half a character"),
    "arguments too deep": (
        called(arguments=f'{{"a": {"[" * 64}{"]" * 64}}}'),
        ARGUMENTS + "is nested more than 64 deep",
    ),
    "arguments without bottom": (called(arguments='{"a":' * 99_999), ARGUMENTS + "is nested more than 64 deep"),
    "a picture of a tool": (
        [USER, CALLS, replace(FIRST, content=(ImagePart(b""),))],
        r"messages\[2\] \(tool\) holds a picture",
    ),
    "half a character of a tool": (
        [USER, CALLS, replace(FIRST, content="\ud800")],
        r"messages\[2\] \(tool\) holds half",
    ),
    "a system after a result": ([USER, CALLS, FIRST, SECOND, SYSTEM], r"messages\[4\] \(system\) follows a result"),
    "a prefix in the middle": ([USER, BEGUN, USER], r"messages\[1\]\.prefix is set, but only the last message"),
    "a prefix of the user": ([replace(USER, prefix=True)], r"messages\[0\]\.prefix is set, but the role is user"),
    "a prefix alone": ([BEGUN], r"messages\[0\] \(assistant\) is the only one"),
    "an empty prefix": ([USER, Message("assistant", "", prefix=True)], r"messages\[1\] \(assistant\) is empty"),
    "a prefix with calls": ([USER, replace(CALLS, prefix=True)], r"messages\[1\]\.prefix is set beside tool_calls"),
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


@pytest.mark.parametrize("arguments", ["", "{}", f'{{"a": {"[" * 63}{"]" * 63}}}', '{"a": 1e999}', ' {"a":\n1}\n'])
def test_arguments_that_are_taken(
    tekken: Callable[[str], TekkenTokenizer], tiny_tokenizer: BpeTokenizer, arguments: str
) -> None:
    for tokenizer in (tekken("v11-image"), tiny_tokenizer):
        assert chat_format(tokenizer, None).encode(ChatRequest(called(arguments=arguments))).ids


def test_the_id_of_an_earlier_turn_may_come_again(tekken: Callable[[str], TekkenTokenizer]) -> None:
    turn = called()
    prompt = chat_format(tekken("v11-image"), None).encode(ChatRequest([*turn, ANSWER, *turn]))
    assert prompt.ids.count(tekken("v11-image").control_id("[CALL_ID]")) == 2
