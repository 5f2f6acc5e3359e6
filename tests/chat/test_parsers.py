"""What is read from the tokens of an answer, for each template."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mistralet.chat import (
    ArgumentsDelta,
    ChatEvent,
    ChatFormat,
    ChatRequest,
    ContentDelta,
    Finish,
    FormatProblem,
    Message,
    ToolCall,
    ToolCallStart,
    chat_format,
)
from mistralet.chat.call_ids import CallIds
from mistralet.tokenizer import Tokenizer
from support.tokens import spelled

KINDS = ["v7", "v11-image", "v13", "chatml"]
ROME, NOW = '{"city": "Rome"}', "{}"


@pytest.fixture(scope="session")
def tokenizer_of(tekken: Callable[[str], Tokenizer], tiny_tokenizer: Tokenizer) -> Callable[[str], Tokenizer]:
    return lambda kind: tiny_tokenizer if kind == "chatml" else tekken(kind)


@pytest.fixture(scope="session")
def chat_of(tokenizer_of: Callable[[str], Tokenizer]) -> Callable[[str], ChatFormat]:
    return lambda kind: chat_format(tokenizer_of(kind), None)


Events = list[ChatEvent]


def joined(events: Events) -> tuple[str, list[ToolCall], list[str], str]:
    """Text, calls, problems and the reason of the end."""
    text, calls, problems, reason = "", list[ToolCall](), list[str](), ""
    for event in events:
        match event:
            case ContentDelta(piece):
                text += piece
            case ToolCallStart(index, call_id, name):
                assert index == len(calls)
                calls.append(ToolCall(call_id, name, ""))
            case ArgumentsDelta(index, piece):
                assert index == len(calls) - 1
                calls[index] = ToolCall(calls[index].id, calls[index].name, calls[index].arguments + piece)
            case FormatProblem(problem):
                problems.append(problem)
            case Finish(end):
                reason = end
    assert isinstance(events[-1], Finish)
    return text, calls, problems, reason


def read(
    chat: ChatFormat, ids: Sequence[int], cuts: Sequence[int] = (), reason: str = "stop", stop: Sequence[str] = ()
) -> tuple[str, list[ToolCall], list[str], str]:
    parser = chat.parser(CallIds(), stop)
    events: Events = []
    places = [0, *sorted(cut % (len(ids) + 1) for cut in cuts), len(ids)]
    for begin, end in pairwise(places):
        events += parser.push(ids[begin:end])
    return joined(events + parser.finish(reason, None))  # type: ignore[arg-type]


def answer_ids(chat: ChatFormat, tokenizer: Tokenizer, text: str, calls: Sequence[ToolCall]) -> list[int]:
    """The tokens the template writes for an answer, without those that end it."""
    user = Message("user", "Hi")
    results = [Message("tool", "x", tool_call_id=call.id) for call in calls]
    answer = Message("assistant", text, tuple(calls))
    before = chat.encode(ChatRequest([user])).ids
    whole = chat.encode(ChatRequest([user, answer, *results, user] if calls else [user, answer, user])).ids
    assert whole[: len(before)] == before
    end = next(place for place in range(len(before), len(whole)) if whole[place] in tokenizer.stop_ids)
    return whole[len(before) : end]


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
VALUES = st.recursive(TEXTS | st.integers() | st.booleans() | st.none(), lambda inner: st.lists(inner, max_size=2))
CALLS = st.lists(
    st.tuples(st.from_regex(r"[a-zA-Z0-9_-]{1,8}", fullmatch=True), st.dictionaries(TEXTS, VALUES, max_size=3)),
    max_size=3,
)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25, deadline=None)
@given(text=TEXTS, calls=CALLS, cuts=st.lists(st.integers(0, 200), max_size=4))
def test_what_the_template_writes_is_read_back(
    kind: str,
    text: str,
    calls: list[tuple[str, dict[str, object]]],
    cuts: list[int],
    chat_of: Callable[[str], ChatFormat],
    tokenizer_of: Callable[[str], Tokenizer],
) -> None:
    text = text.strip() or "x"  # templates strip some spaces, and an answer says something
    everything = text + json.dumps(calls, ensure_ascii=False)
    assume(tokenizer_of(kind).decode(tokenizer_of(kind).encode(everything)) == everything)  # ChatML's lacks some bytes
    written = [
        ToolCall(f"abcdefgh{index}", name, json.dumps(arguments, ensure_ascii=False))
        for index, (name, arguments) in enumerate(calls)
    ]
    ids = answer_ids(chat_of(kind), tokenizer_of(kind), text, written)
    got_text, got_calls, problems, reason = read(chat_of(kind), ids, cuts)
    assert problems == []
    assert got_text == text
    assert [(call.name, json.loads(call.arguments)) for call in got_calls] == calls
    assert reason == ("tool_calls" if calls else "stop")
    if kind == "v11-image":
        assert [call.id for call in got_calls] == [call.id for call in written]


NAMED = [
    # what is written; text, calls, problems, reason
    (["Hi"], "Hi", [], [], "stop"),
    (["[TOOL_CALLS]", "w", "[ARGS]", ROME], "", [("w", ROME)], [], "tool_calls"),
    (["[TOOL_CALLS]", "w", ROME], "", [("w", ROME)], ["[ARGS] is missing"], "tool_calls"),
    (["[TOOL_CALLS]", "w"], "", [("w", NOW)], ["no arguments"], "tool_calls"),
    (["[TOOL_CALLS]", "w", "[ARGS]"], "", [("w", NOW)], ["no arguments"], "tool_calls"),
    (["[TOOL_CALLS]", "w", "[ARGS]", "[1]"], "", [("w", "[1]")], ["no JSON object"], "tool_calls"),
    (["[TOOL_CALLS]", "w", "[ARGS]", '{"city": '], "", [("w", '{"city": ')], ["no JSON object"], "stop"),
    (["[TOOL_CALLS]", "w", "[ARGS]", ROME, " \n"], "", [("w", ROME)], [], "tool_calls"),
    (["[TOOL_CALLS]", "w", "[ARGS]", ROME, " and"], " and", [("w", ROME)], ["text follows"], "tool_calls"),
    (
        ["[TOOL_CALLS]", " w ", "[ARGS]", NOW, "[TOOL_CALLS]", "n", "[ARGS]", NOW],
        "",
        [("w", NOW), ("n", NOW)],
        [],
        "tool_calls",
    ),
    (["[TOOL_CALLS]", '[{"name": "w", "arguments": {}}]'], "", [("w", NOW)], ["a list of objects"], "tool_calls"),
    (["[TOOL_CALLS]"], "", [], ["before no call"], "stop"),
    (["[TOOL_CALLS]", "[TOOL_CALLS]", "w", "[ARGS]", NOW], "", [("w", NOW)], ["before no call"], "tool_calls"),
    (["a", "[ARGS]", "b"], "ab", [], ["[ARGS] stands where"], "stop"),
    (["a", "[INST]", "b"], "ab", [], ["control token 3"], "stop"),
    (["Look: ", "[TOOL_CALLS]", "w", "[ARGS]", ROME], "Look: ", [("w", ROME)], [], "tool_calls"),
]
V11 = [
    (["[TOOL_CALLS]", "w", "[CALL_ID]", "abcdefghi", "[ARGS]", ROME], "", [("w", ROME)], [], "tool_calls"),
    (["[TOOL_CALLS]", "w", "[CALL_ID]", "abcdefghi", ROME], "", [("w", ROME)], ["[ARGS] is missing"], "tool_calls"),
    (["[TOOL_CALLS]", "w", "[CALL_ID]", "[ARGS]", ROME], "", [("w", ROME)], [], "tool_calls"),
    (["a", "[CALL_ID]", "b"], "ab", [], ["[CALL_ID] stands where"], "stop"),
]
LISTS = [
    (["[TOOL_CALLS]", '[{"name": "w", "arguments": {"city": "Rome"}}]'], "", [("w", ROME)], [], "tool_calls"),
    (
        ["[TOOL_CALLS]", ' [ {"name":"w","arguments":{}} , {"name":"n","arguments":{}}]'],
        "",
        [("w", NOW), ("n", NOW)],
        [],
        "tool_calls",
    ),
    (["[TOOL_CALLS]", '{"name": "w", "arguments": {}}'], "", [("w", NOW)], [], "tool_calls"),
    (["[TOOL_CALLS]", '[{"arguments": {"city": "Rome"}, "name": "w"}]'], "", [("w", ROME)], [], "tool_calls"),
    (
        ["[TOOL_CALLS]", '[{"name": "w", "parameters": {"city": "Rome"}}]'],
        "",
        [("w", ROME)],
        ["'parameters'"],
        "tool_calls",
    ),
    (["[TOOL_CALLS]", '[{"name": "w", "arguments": "{}"}]'], "", [("w", NOW)], ["within a string"], "tool_calls"),
    (["[TOOL_CALLS]", '[{"name": "w"}]'], "", [("w", NOW)], ["no arguments"], "tool_calls"),
    (["[TOOL_CALLS]", '[{"city": "Rome"}]'], "", [], ["is left out"], "stop"),
    (["[TOOL_CALLS]", "[" + '{"name":' * 3000], "", [], ["is left out"], "stop"),
    (["[TOOL_CALLS]", '[{"name": "w", "arguments": {"city"'], "", [("w", '{"city"')], ["no JSON object"], "stop"),
    (["[TOOL_CALLS]", "w", ROME], "", [("w", ROME)], ["not a list of objects"], "tool_calls"),
    (["[TOOL_CALLS]", "[] no"], "no", [], ["text follows"], "stop"),
]
TAGS = [
    (["Hi <tool_cal"], "Hi <tool_cal", [], [], "stop"),
    (["Hi\n<b>"], "Hi\n<b>", [], [], "stop"),
    (['a\n<tool_call>\n{"name": "w", "arguments": {}}\n</tool_call>'], "a", [("w", NOW)], [], "tool_calls"),
    (['<tool_call>{"name": "w", "arguments": {}}</tool_call>'], "", [("w", NOW)], [], "tool_calls"),
    (['<tool_call>{"arguments": {}, "name": "w"}</tool_call> \n'], "", [("w", NOW)], [], "tool_calls"),
    (['<tool_call>{"name": "w", "arguments": {}}'], "", [("w", NOW)], ["</tool_call> is missing"], "tool_calls"),
    (['<tool_call>{"name": "w", "arguments": {}}</tool_call>\nSo'], "So", [("w", NOW)], ["text follows"], "tool_calls"),
    (['<tool_call>{"name": "w", "arguments": {}}\n<tool_call>{"name": "n", "arguments": {}}\n</tool_call>'], "", [("w", NOW), ("n", NOW)], ["</tool_call> is missing"], "tool_calls"),
    (["<tool_call>w</tool_call>"], "", [], ["is left out"], "stop"),
    (["<tool_call>"], "", [], ["is left out"], "stop"),
    (["a", "<|im_start|>", "b"], "ab", [], ["control token"], "stop"),
]  # fmt: skip
TABLE = (
    [(kind, *row) for kind in ("v11-image", "v13") for row in NAMED]
    + [("v11-image", *row) for row in V11]
    + [("v7", *row) for row in LISTS]
    + [("chatml", *row) for row in TAGS]
)


@pytest.mark.parametrize(("kind", "parts", "text", "calls", "problems", "reason"), TABLE)
def test_whatever_a_model_writes_is_read_and_nothing_is_repaired_in_silence(
    kind: str,
    parts: list[str],
    text: str,
    calls: list[tuple[str, str]],
    problems: list[str],
    reason: str,
    chat_of: Callable[[str], ChatFormat],
    tokenizer_of: Callable[[str], Tokenizer],
) -> None:
    ids = spelled(tokenizer_of(kind), *parts)
    got_text, got_calls, got_problems, got_reason = read(chat_of(kind), ids, cuts=range(len(ids)))
    assert got_text == text
    assert [(call.name, call.arguments) for call in got_calls] == calls
    assert [problem for problem, part in zip(got_problems, problems, strict=True) if part not in problem] == []
    assert got_reason == reason
    assert (got_text, got_problems, got_reason) == (lambda whole: (whole[0], whole[2], whole[3]))(
        read(chat_of(kind), ids)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_call_that_is_cut_says_so_and_nothing_else(
    kind: str, chat_of: Callable[[str], ChatFormat], tokenizer_of: Callable[[str], Tokenizer]
) -> None:
    call = ToolCall("abcdefghi", "weather", '{"city": "Rome"}')
    ids = answer_ids(chat_of(kind), tokenizer_of(kind), "So", [call])
    for length in range(len(ids)):
        text, calls, problems, reason = read(chat_of(kind), ids[:length], reason="length")
        assert (reason, problems) == ("length", [])
        assert "So".startswith(text[:2])
        assert all(got.name == "weather" and call.arguments.startswith(got.arguments) for got in calls)


def test_an_id_that_cannot_be_one_is_replaced(
    chat_of: Callable[[str], ChatFormat], tokenizer_of: Callable[[str], Tokenizer]
) -> None:
    one = ("[TOOL_CALLS]", "w", "[CALL_ID]", "abcdefghi", "[ARGS]", NOW)
    other = ("[TOOL_CALLS]", "w", "[CALL_ID]", "no-id", "[ARGS]", NOW)
    _, calls, _, _ = read(chat_of("v11-image"), spelled(tokenizer_of("v11-image"), *one, *one, *other))
    assert calls[0].id == "abcdefghi"
    assert len({call.id for call in calls}) == 3
    assert all(len(call.id) == 9 and call.id.isalnum() for call in calls)


@pytest.mark.parametrize(("kind", "mark"), [("v13", ("[TOOL_CALLS]", "STOP", "[ARGS]")), ("chatml", ())])
def test_a_stop_string_ends_the_text_but_no_call(
    kind: str,
    mark: tuple[str, ...],
    chat_of: Callable[[str], ChatFormat],
    tokenizer_of: Callable[[str], Tokenizer],
) -> None:
    call = (
        (*mark, '{"a": "STOP"}')
        if mark
        else ('<tool_call>\n{"name": "STOP", "arguments": {"a": "STOP"}}\n</tool_call>',)
    )
    ids = spelled(tokenizer_of(kind), "So ST", *call)
    text, calls, _, reason = read(chat_of(kind), ids, stop=["STOP"])
    assert (text, calls[0].name, calls[0].arguments, reason) == ("So ST", "STOP", '{"a": "STOP"}', "tool_calls")
    text, calls, _, reason = read(chat_of(kind), spelled(tokenizer_of(kind), "So STOP it", *call), stop=["STOP"])
    assert (text, calls, reason) == ("So ", [], "stop")
