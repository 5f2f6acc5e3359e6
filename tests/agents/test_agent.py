"""The loop: calls are run, their results go back in order, and every limit ends a run with its name."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from types import TracebackType

import pytest

from mistralet.agents import (
    Agent,
    AgentEvent,
    AgentTool,
    CallArguments,
    CallStarted,
    ConsentAsked,
    Finished,
    Limits,
    RunStarted,
    StepEnd,
    TextDelta,
    ToolResult,
    ToolStarted,
    function_tool,
)
from mistralet.chat import Message, Tool, ToolCall
from mistralet.engine import SamplingParams
from mistralet.errors import EngineError, ToolError, UsageError
from support.scripted_chat import Call, ScriptedChat, Turn, calls


def weather(city: str) -> str:
    """The weather in a city."""
    return f"{city}: 21 degrees, sunny"


def last_result(messages: Sequence[Message]) -> str:
    """A turn that repeats the last result."""
    content = messages[-1].content
    assert isinstance(content, str)
    return content


async def events_of(agent: Agent, task: str = "go") -> list[AgentEvent]:
    return [event async for event in agent.stream(task)]


def results(model: ScriptedChat) -> list[str | tuple[object, ...]]:
    """What the model was told of calls, in its last request."""
    return [message.content for message in model.requests[-1].messages if message.role == "tool"]


def test_the_weather_is_asked_for_and_told() -> None:
    model = ScriptedChat([calls(Call("weather", {"city": "Paris"})), last_result])
    result = Agent(model, [weather], system="Be brief.").run("How is Paris?")
    assert (result.text, result.reason) == ("Paris: 21 degrees, sunny", "answered")
    assert [message.role for message in result.messages] == ["system", "user", "assistant", "tool", "assistant"]
    assert result.messages[3] == Message("tool", "Paris: 21 degrees, sunny", tool_call_id="turn0call0")
    assert (result.used.steps, result.used.prompt_tokens, result.used.output_tokens) == (2, 200, 20)
    assert [tool.name for tool in model.requests[0].tools] == ["weather"]


def test_events_come_in_the_order_of_what_happens() -> None:
    turn = Turn("Let me look.", [Call("weather", {"city": "Rome"})])
    agent = Agent(ScriptedChat([turn, "It is sunny."]), [weather])
    run_started, *events = asyncio.run(events_of(agent))
    call = ToolCall("turn0call0", "weather", '{"city": "Rome"}')
    assert isinstance(run_started, RunStarted)
    assert events[:8] == [
        *(TextDelta(text) for text in ("Let", " ", "me look.")),
        CallStarted(call.id, "weather"),
        CallArguments(call.id, '{"city":'),
        CallArguments(call.id, ' "Rome"}'),
        StepEnd(1, 100, 10),
        ToolStarted(call),
    ]
    result = events[8]
    assert isinstance(result, ToolResult)
    assert (result.call, result.text, result.is_error) == (call, "Rome: 21 degrees, sunny", False)
    assert [type(event) for event in events[9:]] == [TextDelta] * 3 + [StepEnd, Finished]


def test_two_calls_overlap_and_their_results_keep_the_order_of_the_calls() -> None:
    second_runs = threading.Event()

    def first() -> str:
        assert second_runs.wait(10)  # cannot end before the second has begun
        return "1"

    def second() -> str:
        second_runs.set()
        return "2"

    model = ScriptedChat([calls(Call("first"), Call("second")), "done"])
    Agent(model, [first, second]).run("go")
    assert results(model) == ["1", "2"]


def test_a_conversation_goes_on() -> None:
    model = ScriptedChat(["", "and again"])
    earlier = [Message("user", "one"), Message("assistant", "1"), Message("user", "two")]
    result = Agent(model).run(earlier)
    assert [message.content for message in result.messages] == ["one", "1", "two", "and again"]


def test_an_empty_answer_leaves_a_conversation_that_can_go_on() -> None:
    result = Agent(ScriptedChat([""])).run("go")
    assert (result.text, result.reason, list(result.messages)) == ("", "answered", [Message("user", "go")])


class TestCallsThatCannotRun:
    @pytest.mark.parametrize(
        ("call", "told"),
        [
            (Call("wether"), "there is no tool called 'wether'; there are: weather"),
            (Call("we ther!"), "there is no tool called 'we ther!'"),
            (Call("weather", "[1]"), "is no JSON object"),
            (Call("weather", '{"city": "Par'), "is no JSON object"),
            (Call("weather", '{"city": NaN}'), "NaN"),
            (Call("weather", {}), "'city' is a required property"),
            (Call("weather", {"city": 7}), "$.city: 7 is not of type 'string'"),
            (Call("weather", {"city": "Rome", "unit": "C"}), "'unit' was unexpected"),
        ],
        ids=lambda value: value if isinstance(value, str) else value.text,
    )
    def test_the_model_is_told_why(self, call: Call, told: str) -> None:
        model = ScriptedChat([calls(call), "I see."])
        assert Agent(model, [weather]).run("go").reason == "answered"
        (text,) = results(model)
        assert isinstance(text, str)
        assert text.startswith("Error: ")
        assert told in text

    def test_what_goes_back_is_a_valid_conversation(self) -> None:
        from mistralet.chat.conversation import check_conversation

        model = ScriptedChat([calls(Call("we ther!", "nonsense")), "I see."])
        Agent(model, [weather]).run("go")
        check_conversation(model.requests[-1].messages)

    def test_the_others_of_the_turn_run(self) -> None:
        model = ScriptedChat([calls(Call("nothing"), Call("weather", {"city": "Rome"})), "I see."])
        Agent(model, [weather]).run("go")
        assert results(model)[1] == "Rome: 21 degrees, sunny"

    def test_a_turn_that_was_cut_runs_nothing(self) -> None:
        ran = []
        turn = Turn("Now", [Call("note", {"text": "a"}), Call("note", '{"text": "b')], reason="length")

        def note(text: str) -> None:
            ran.append(text)

        result = Agent(ScriptedChat([turn]), [note]).run("go")
        assert (result.reason, result.text, ran) == ("length", "Now", [])
        assert result.messages[-1] == Message("assistant", "Now")


class TestLimits:
    def test_steps(self) -> None:
        model = ScriptedChat([calls(Call("weather", {"city": "Rome"}))] * 9)
        result = Agent(model, [weather], limits=Limits(steps=3)).run("go")
        assert (result.reason, result.used.steps) == ("steps", 3)
        assert [message.role for message in result.messages].count("tool") == 2  # nobody would read the third result

    def test_tokens_bound_each_turn_by_what_is_left(self) -> None:
        model = ScriptedChat([calls(Call("weather", {"city": "Rome"})), Turn("cut", reason="length", tokens=5)])
        result = Agent(model, [weather], limits=Limits(tokens=15)).run("go")
        assert [params.max_tokens for params in model.params] == [15, 5]
        assert (result.reason, result.used.output_tokens, result.text) == ("tokens", 15, "cut")

    def test_tokens_are_counted_where_a_server_does_not_tell(self) -> None:
        model = ScriptedChat([Turn(calls=[Call("weather", {"city": "Rome"})], tokens=None), "done"])
        result = Agent(model, [weather], limits=Limits(tokens=3), params=SamplingParams(min_tokens=2)).run("go")
        assert (result.reason, result.used.output_tokens) == ("tokens", 3)

    def test_wall_time_while_the_model_writes(self) -> None:
        assert (
            Agent(ScriptedChat([Turn("late", seconds=60)]), limits=Limits(seconds=0.02)).run("go").reason == "seconds"
        )

    def test_wall_time_while_a_tool_runs(self) -> None:
        async def sleep() -> None:
            await asyncio.sleep(60)

        agent = Agent(ScriptedChat([calls(Call("sleep")), "done"]), [sleep], limits=Limits(seconds=0.05))
        assert agent.run("go").reason == "seconds"

    def test_nonsense_is_refused(self) -> None:
        with pytest.raises(UsageError, match="'steps' of an agent is 0"):
            Limits(steps=0)


class TestConsent:
    @staticmethod
    def dangerous(ran: list[str]) -> AgentTool:
        return function_tool(lambda: ran.append("ran"), name="delete", needs_consent=True)

    @pytest.mark.parametrize("agreed", [True, False])
    def test_a_person_decides(self, agreed: bool) -> None:
        ran: list[str] = []
        asked: list[ToolCall] = []
        seen: list[AgentEvent] = []

        async def consent(call: ToolCall) -> bool:
            assert seen[-1] == ConsentAsked(call)  # the watcher has shown all that came before
            asked.append(call)
            return agreed

        async def watch() -> None:
            agent = Agent(model, [self.dangerous(ran)], consent=consent)
            async for event in agent.stream("go"):  # one by one, as `consent` looks at what has come
                seen.append(event)  # noqa: PERF401

        model = ScriptedChat([calls(Call("delete")), "done"])
        asyncio.run(watch())
        assert [call.name for call in asked] == ["delete"]
        assert ran == ["ran"] * agreed
        assert ("the user refused this call" in str(results(model))) is not agreed

    def test_where_nobody_can_be_asked_it_is_refused(self) -> None:
        ran: list[str] = []
        model = ScriptedChat([calls(Call("delete")), "done"])
        Agent(model, [self.dangerous(ran)]).run("go")
        assert not ran
        assert "nobody to ask" in str(results(model))

    def test_one_question_at_a_time(self) -> None:
        asking = 0

        async def consent(_call: ToolCall) -> bool:
            nonlocal asking
            asking += 1
            assert asking == 1
            await asyncio.sleep(0)
            asking -= 1
            return True

        ran: list[str] = []
        model = ScriptedChat([calls(Call("delete"), Call("delete")), "done"])
        Agent(model, [self.dangerous(ran)], consent=consent).run("go")
        assert len(ran) == 2


class Source:
    """Gives one tool while it is open."""

    def __init__(self) -> None:
        self.is_open = False

    async def __aenter__(self) -> list[AgentTool]:
        self.is_open = True

        async def state(_arguments: dict[str, object]) -> object:
            return self.is_open

        return [AgentTool(Tool("state"), state)]

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.is_open = False


class TestTools:
    def test_a_source_is_open_while_the_run_lasts(self) -> None:
        source, model = Source(), ScriptedChat([calls(Call("state")), "done"])
        Agent(model, [source]).run("go")
        assert results(model) == ["true"]
        assert not source.is_open

    def test_leaving_early_cancels_what_runs_and_closes_the_source(self) -> None:
        source = Source()
        cancelled = []

        async def hang() -> None:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                cancelled.append(True)
                raise

        async def leave_early() -> None:
            stream = Agent(ScriptedChat([calls(Call("hang"))]), [source, hang]).stream("go")
            async for event in stream:
                if isinstance(event, ToolStarted):
                    await asyncio.sleep(0)
                    break
            await stream.aclose()

        asyncio.run(leave_early())
        assert cancelled
        assert not source.is_open

    def test_two_of_one_name_are_refused(self) -> None:
        with pytest.raises(ToolError, match="Two tools are called 'weather'"):
            Agent(ScriptedChat([]), [weather, weather]).run("go")

    def test_a_bad_schema_is_refused(self) -> None:
        tool = AgentTool(Tool("bad", parameters={"type": 7}), function_tool(weather).run)
        with pytest.raises(ToolError, match="schema of the tool 'bad'"):
            Agent(ScriptedChat([]), [tool]).run("go")

    def test_what_is_no_tool_is_refused(self) -> None:
        with pytest.raises(ToolError, match="given as int"):
            Agent(ScriptedChat([]), [7]).run("go")  # type: ignore[list-item]


def test_the_choice_holds_for_the_first_turn() -> None:
    model = ScriptedChat([calls(Call("weather", {"city": "Rome"})), "done"])
    Agent(model, [weather], parallel_tool_calls=False).run("go", tool_choice="required")
    assert [request.tool_choice for request in model.requests] == ["required", "auto"]
    assert not model.requests[0].parallel_tool_calls


def test_a_failed_answer_is_an_error() -> None:
    with pytest.raises(EngineError, match="out of ideas"):
        Agent(ScriptedChat([Turn("hm", reason="error", error="out of ideas")])).run("go")


def test_it_does_not_run_inside_a_running_loop() -> None:
    async def inside() -> None:
        Agent(ScriptedChat(["hi"])).run("go")

    with pytest.raises(UsageError, match="iterate over its stream"):
        asyncio.run(inside())


def test_the_last_event_is_the_result() -> None:
    *_, last = asyncio.run(events_of(Agent(ScriptedChat(["hi"]))))
    assert isinstance(last, Finished)
    assert last.result.text == "hi"
