"""A chat request on its way through an engine: what the engine is asked, and what its outputs say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mistralet.chat import ChatFormat, ChatRequest, ContentDelta, Finish, Message, Tool
from mistralet.chat.turn import Turn
from mistralet.engine import RequestStats, SamplingParams, StepOutput
from mistralet.engine.request import FinishReason
from mistralet.errors import PromptError
from mistralet.tokenizer import Tokenizer
from support.answers import said, written

PLAIN = ChatRequest([Message("user", "Go.")])
TOOLS = ChatRequest(PLAIN.messages, [Tool("now")])
STATS = RequestStats(3)

Output = Callable[..., StepOutput]


@pytest.fixture
def chat(chat_of: Callable[[str], ChatFormat]) -> ChatFormat:
    return chat_of("v11-image")


@pytest.fixture
def output(tokenizer_of: Callable[[str], Tokenizer]) -> Output:
    """What a step adds to an answer."""

    def make(text: str = "", reason: FinishReason | None = None, index: int = 0, **others: Any) -> StepOutput:
        ids = written(tokenizer_of("v11-image"), text)
        return StepOutput("", index, ids, others.pop("shown", text), reason, STATS, **others)

    return make


def test_the_engine_is_asked_for_what_the_request_says(chat: ChatFormat) -> None:
    turn = Turn(chat, TOOLS, SamplingParams(stop=("x",), n=2), priority=3, id="a")
    assert turn.request.prompt.ids == chat.encode(TOOLS).ids
    assert turn.request.constraint == chat.constraint(TOOLS)
    assert (turn.request.priority, turn.request.id, turn.request.params.n) == (3, "a", 2)
    with pytest.raises(PromptError):
        Turn(chat, ChatRequest([]), SamplingParams())


def test_without_tools_the_text_is_the_engines(chat: ChatFormat, output: Output) -> None:
    turn = Turn(chat, PLAIN, SamplingParams(stop=("END",)))
    assert turn.request.params.stop == ("END",)
    assert turn.request.constraint is None
    assert turn.read(output("Hi EN", shown="Hi ")) == [ContentDelta("Hi ")]
    assert turn.read(output()) == []
    assert turn.read(output("D", "stop", shown="")) == [Finish("stop", STATS)]
    assert turn.is_finished


def test_a_stop_string_ends_the_text_but_no_call(chat: ChatFormat, output: Output) -> None:
    turn = Turn(chat, TOOLS, SamplingParams(stop=("{}", "now")))
    assert turn.request.params.stop == ()
    calls = [*turn.read(output("Hi no")), *turn.read(output("[TOOL_CALLS]now[ARGS]{}")), *turn.read(output("", "stop"))]
    read = said(calls)
    assert (read.content, read.calls, read.finish) == ("Hi no", [("now", "{}")], "tool_calls")

    turn = Turn(chat, TOOLS, SamplingParams(stop=("now",)))
    read = said([*turn.read(output("Right no")), *turn.read(output("w it is")), *turn.read(output(" said", "stop"))])
    assert (read.content, read.calls, read.finish) == ("Right ", [], "stop")
    assert turn.is_finished


@pytest.mark.parametrize("request_", [PLAIN, TOOLS])
def test_the_end_names_the_stop_string(chat: ChatFormat, output: Output, request_: ChatRequest) -> None:
    turn = Turn(chat, request_, SamplingParams(stop=("now", "then")))
    last = output("Right then") if request_.tools else output("Right then", "stop", shown="", stop_string="then")
    assert turn.read(last)[-1] == Finish("stop", STATS, stop_string="then")


def test_each_answer_is_read_by_itself(chat: ChatFormat, output: Output) -> None:
    turn = Turn(chat, TOOLS, SamplingParams(n=2, stop=("!",)))
    first = turn.read(output("[TOOL_CALLS]now[AR"[:12], index=0))
    second = turn.read(output("Hi! there", index=1))
    assert said(second).finish == "stop"
    assert not turn.is_finished
    assert turn.read(output(" more", index=1)) == []
    first += turn.read(output("now[ARGS]{}", index=0)) + turn.read(output("", "stop", index=0))
    assert said(first).finish == "tool_calls"
    assert turn.is_finished


@pytest.mark.parametrize("request_", [PLAIN, TOOLS])
def test_an_answer_that_fails_says_why(chat: ChatFormat, output: Output, request_: ChatRequest) -> None:
    turn = Turn(chat, request_, SamplingParams())
    events = [*turn.read(output("Hi")), *turn.read(output("", "error", error="It broke."))]
    assert events == [ContentDelta("Hi"), Finish("error", STATS, "It broke.")]
    assert turn.is_finished
