"""Answers in every template are read back as what was written, however they are cut."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mistralet.chat import ChatFormat, ChatRequest, ContentDelta, Message, Tool, ToolCall, ToolCallStart
from mistralet.chat.events import ChatEvent
from mistralet.tokenizer import Tokenizer
from support.answers import TEMPLATES, joined, parsed, said, written

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
REQUEST = ChatRequest([Message("user", "Go.")], [Tool("weather", parameters=CITY), Tool("now")])

# No text that ends in whitespace, which the templates strip, and none that begins a call of ChatML.
TEXTS = st.text(max_size=30).filter(lambda text: text.strip() == text and "<tool_call>" not in text)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
ARGUMENTS = st.dictionaries(st.text(max_size=6), VALUES, max_size=3).map(json.dumps)
CALLS = st.lists(st.tuples(st.sampled_from(["weather", "now"]), ARGUMENTS), max_size=3)


def turn_of(chat: ChatFormat, tokenizer: Tokenizer, message: Message) -> list[int]:
    """The tokens of the assistant's message, as the template writes it."""
    results = [Message("tool", "1", tool_call_id=call.id) for call in message.tool_calls] or [Message("user", "x")]
    before = chat.encode(ChatRequest(REQUEST.messages)).ids
    after = chat.encode(ChatRequest([*REQUEST.messages, message, *results])).ids[len(before) :]
    return after[: min(after.index(stop) for stop in tokenizer.stop_ids if stop in after)]


@pytest.mark.parametrize("template", TEMPLATES)
def test_what_a_template_writes_is_read_back(
    template: str, chat_of: Callable[[str], ChatFormat], tokenizer_of: Callable[[str], Tokenizer]
) -> None:
    chat, tokenizer = chat_of(template), tokenizer_of(template)

    @settings(max_examples=15, deadline=None, derandomize=True)
    @given(TEXTS, CALLS)
    def check(text: str, calls: list[tuple[str, str]]) -> None:
        if not text and not calls:
            return
        if template == "chatml":  # whose vocabulary lacks some characters
            text, calls = tokenizer.decode(tokenizer.encode(text)), [(n, _kept(tokenizer, a)) for n, a in calls]
        ids = [f"abcdefgh{index}" for index in range(len(calls))]
        tool_calls = tuple(ToolCall(i, *call) for i, call in zip(ids, calls, strict=True))
        answer = turn_of(chat, tokenizer, Message("assistant", text, tool_calls))
        read = parsed(chat, REQUEST, answer)
        assert read.content == text
        assert [(name, json.loads(a)) for name, a in read.calls] == [(name, json.loads(a)) for name, a in calls]
        assert read.problems == []
        assert read.finish == ("tool_calls" if calls else "stop")
        if template == "v11-image":
            assert read.ids == ids

    check()


def _kept(tokenizer: Tokenizer, arguments: str) -> str:
    """Arguments of characters that the vocabulary has, also when they are written without escapes."""
    whole = json.dumps(json.loads(arguments), ensure_ascii=False)
    return whole if tokenizer.decode(tokenizer.encode(whole)) == whole else "{}"


# Whatever a model may put together from what it has learnt.
PIECES = [
    *("[TOOL_CALLS]", "[ARGS]", "[CALL_ID]", "[INST]", "weather", "now", "abcdefghi", " ", "\n", "{", "}", "[", "]"),
    *(",", ":", '"', "\\", '"name"', '"arguments"', '"parameters"', '"id"', '"weather"', '{"city": "Rome"}', "{}"),
    *('{"name": "now", "arguments": ', "1", "null", "<tool_call>", "</tool_call>", "<tool", "\n<", "é", "👩‍👩‍👧", "Hi"),
    '\n<tool_call>\n{"name": "weather", "arguments": {"city": "Rome"}}\n</tool_call>',
    '[TOOL_CALLS]weather[CALL_ID]abcdefghi[ARGS]{"city": "Rome"}',
    '[TOOL_CALLS][{"name": "weather", "arguments": {"city": "Rome"}, "id": "abcdefghi"}]',
]


@pytest.mark.parametrize("template", TEMPLATES)
def test_any_answer_gives_the_same_events_however_it_is_cut(
    template: str, chat_of: Callable[[str], ChatFormat], tokenizer_of: Callable[[str], Tokenizer]
) -> None:
    chat, tokenizer = chat_of(template), tokenizer_of(template)
    known = [piece for piece in PIECES if not re.search(_unknown(template), piece)]

    @settings(max_examples=120, deadline=None, derandomize=True)
    @given(
        st.lists(st.sampled_from(known), max_size=14),
        st.lists(st.integers(0, 40), max_size=8),
        st.sampled_from(["stop", "length", "repetition", "cancelled"]),
    )
    def check(pieces: list[str], cuts: list[int], reason: str) -> None:
        ids = [token for piece in pieces for token in written(tokenizer, piece)]
        whole = chat.parser(REQUEST)
        expected = joined(whole.push(ids) + whole.finish(reason))
        places = sorted({0, *(min(cut, len(ids)) for cut in cuts), len(ids)})
        cut = chat.parser(REQUEST)
        events: list[ChatEvent] = []
        for begin, end in pairwise(places):
            events += cut.push(ids[begin:end])
        assert joined(events + cut.finish(reason)) == expected
        read = said(expected)
        assert read.finish in (reason, "tool_calls")
        assert "[TOOL_CALLS]" not in read.content

    check()


def _unknown(template: str) -> str:
    return {"chatml": r"\[[A-Z_]+\]", "v7": r"\[ARGS\]|\[CALL_ID\]"}.get(template, "$^")


@pytest.mark.parametrize("template", TEMPLATES)
def test_arguments_come_as_they_are_written(
    template: str, chat_of: Callable[[str], ChatFormat], tokenizer_of: Callable[[str], Tokenizer]
) -> None:
    call = Message("assistant", "Hm.", (ToolCall("abcdefghi", "weather", '{"city": "' + "x " * 50 + '"}'),))
    chat, parser = chat_of(template), chat_of(template).parser(REQUEST)
    steps = [parser.push([token]) for token in turn_of(chat, tokenizer_of(template), call)]
    begun = next(place for place, events in enumerate(steps) if any(isinstance(e, ToolCallStart) for e in events))
    assert isinstance(steps[0][0], ContentDelta)
    assert sum(bool(events) for events in steps[begun:]) > 30


def test_half_a_character_is_never_shown(
    chat_of: Callable[[str], ChatFormat], tokenizer_of: Callable[[str], Tokenizer]
) -> None:
    tokenizer, parser = tokenizer_of("v7"), chat_of("v7").parser(REQUEST)
    ids = tokenizer.encode("🜨")
    assert len(ids) > 1
    pieces = [parser.push([token]) for token in ids]
    assert pieces == [*([[]] * (len(ids) - 1)), [ContentDelta("🜨")]]


def test_an_id_the_conversation_has_is_not_given_again(
    chat_of: Callable[[str], ChatFormat], tokenizer_of: Callable[[str], Tokenizer]
) -> None:
    messages = [
        Message("user", "Go."),
        Message("assistant", tool_calls=(ToolCall("abcdefghi", "now", "{}"),)),
        Message("tool", "1", tool_call_id="abcdefghi"),
    ]
    request = ChatRequest(messages, REQUEST.tools)
    call = "[TOOL_CALLS]now[CALL_ID]{}[ARGS]{{}}"
    ids = written(tokenizer_of("v11-image"), "".join(call.format(i) for i in ("abcdefghi", "123456789", "123456789")))
    read = parsed(chat_of("v11-image"), request, ids)
    assert read.ids[1] == "123456789"
    assert len({*read.ids, "abcdefghi"}) == 4
    assert [index for _, index in read.problems] == [0, 2]
    assert all(re.fullmatch("[a-zA-Z0-9]{9}", each) for each in read.ids)
