"""Calls of tools, as each API tells them, whole and streamed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

import httpx2
import openai
import pytest
from anthropic import AsyncAnthropic
from openai import AsyncOpenAI
from pydantic import BaseModel

from mistralet.server.app import create_app
from support.scripted import Caller, NewCaller, ScriptedEngine

CALL = '<tool_call>\n{"name": "weather", "arguments": {"city": "Paris"}}\n</tool_call>'
TWO = f"Let me look.\n{CALL}\n{CALL.replace('Paris', 'Rome')}"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
FUNCTION = {"name": "weather", "description": "The weather.", "parameters": SCHEMA, "strict": True}
HELLO: Any = [{"role": "user", "content": "What is the weather?"}]
CHAT: Any = {"model": "tiny", "messages": HELLO, "tools": [{"type": "function", "function": FUNCTION}]}
RESPONSE: Any = {"model": "tiny", "input": HELLO, "tools": [{"type": "function", **FUNCTION}]}
TOOL = {"name": "weather", "description": "The weather.", "input_schema": SCHEMA}
MESSAGE: Any = {"model": "tiny", "max_tokens": 200, "messages": HELLO, "tools": [TOOL]}


class Weather(BaseModel):
    """The weather."""

    city: str


def run(caller: Caller, use: Callable[[AsyncOpenAI, AsyncAnthropic], Coroutine[Any, Any, None]]) -> None:
    async def whole() -> None:
        transport = httpx2.ASGITransport(create_app(caller.service, caller.keys))
        async with httpx2.AsyncClient(transport=transport) as http:
            given: Any = {"api_key": "any", "http_client": http, "max_retries": 0}
            first = AsyncOpenAI(base_url="http://127.0.0.1/v1", **given)
            await use(first, AsyncAnthropic(base_url="http://127.0.0.1", **given))
        assert not caller.service.engine.unfinished

    asyncio.run(whole())


def prompt_of(caller: Caller) -> str:
    engine = caller.service.engine
    assert isinstance(engine, ScriptedEngine)
    return caller.service.tokenizer.decode(engine.asked[-1].prompt.ids)


class TestChat:
    def test_whole(self, new_caller: NewCaller) -> None:
        async def use(client: AsyncOpenAI, _: AsyncAnthropic) -> None:
            (choice,) = (await client.chat.completions.create(**CHAT)).choices
            assert choice.finish_reason == "tool_calls"
            assert choice.message.content == "Let me look."
            calls = choice.message.tool_calls or []
            assert [(call.type, call.function.name) for call in calls if call.type == "function"] == [
                ("function", "weather"),
                ("function", "weather"),
            ]
            told = [json.loads(call.function.arguments) for call in calls if call.type == "function"]
            assert told == [{"city": "Paris"}, {"city": "Rome"}]
            assert len({call.id for call in calls}) == 2

        run(new_caller(TWO), use)

    def test_nothing_but_a_call(self, new_caller: NewCaller) -> None:
        async def use(client: AsyncOpenAI, _: AsyncAnthropic) -> None:
            (choice,) = (await client.chat.completions.create(**CHAT)).choices
            assert choice.message.content is None
            assert len(choice.message.tool_calls or ()) == 1

        run(new_caller(CALL), use)

    def test_streamed(self, new_caller: NewCaller) -> None:
        async def use(client: AsyncOpenAI, _: AsyncAnthropic) -> None:
            text, calls, reasons = "", {}, []
            async for chunk in await client.chat.completions.create(**CHAT, stream=True):
                (choice,) = chunk.choices
                text += choice.delta.content or ""
                reasons.append(choice.finish_reason)
                for part in choice.delta.tool_calls or ():
                    assert part.function is not None
                    if part.id:
                        assert (part.type, part.function.name) == ("function", "weather")
                    calls[part.index] = calls.get(part.index, "") + (part.function.arguments or "")
            assert text == "Let me look."
            assert {index: json.loads(arguments) for index, arguments in calls.items()} == {
                0: {"city": "Paris"},
                1: {"city": "Rome"},
            }
            assert [reason for reason in reasons if reason] == ["tool_calls"]

        run(new_caller(TWO), use)

    def test_the_clients_helpers(self, new_caller: NewCaller) -> None:
        tools = [openai.pydantic_function_tool(Weather, name="weather")]

        async def use(client: AsyncOpenAI, _: AsyncAnthropic) -> None:
            parsed = await client.chat.completions.parse(model="tiny", messages=HELLO, tools=tools)
            call = (parsed.choices[0].message.tool_calls or [])[0]
            assert call.function.parsed_arguments == Weather(city="Paris")
            async with client.chat.completions.stream(model="tiny", messages=HELLO, tools=tools) as stream:
                async for _event in stream:
                    pass
                final = await stream.get_final_completion()
            call = (final.choices[0].message.tool_calls or [])[0]
            assert call.function.parsed_arguments == Weather(city="Paris")

        run(new_caller(CALL), use)

    def test_results_go_back(self, new_caller: NewCaller) -> None:
        caller = new_caller(CALL)

        async def use(client: AsyncOpenAI, _: AsyncAnthropic) -> None:
            message = (await client.chat.completions.create(**CHAT)).choices[0].message
            (call,) = message.tool_calls or []
            result: Any = {"role": "tool", "tool_call_id": call.id, "content": "sunny"}
            again = [*HELLO, message.model_dump(exclude_none=True), result]
            await client.chat.completions.create(**CHAT | {"messages": again})

        run(caller, use)
        assert "Paris" in prompt_of(caller)
        assert "sunny" in prompt_of(caller)

    def test_the_answer_is_held_to_the_schema(self, new_caller: NewCaller) -> None:
        caller = new_caller(CALL)

        async def use(client: AsyncOpenAI, _: AsyncAnthropic) -> None:
            await client.chat.completions.create(**CHAT, tool_choice="required", parallel_tool_calls=False)
            with pytest.raises(openai.BadRequestError, match="leave it out, or the tools"):
                await client.chat.completions.create(**CHAT, extra_body={"guided_regex": "a"})

        run(caller, use)
        engine = caller.service.engine
        assert isinstance(engine, ScriptedEngine)
        (request,) = engine.asked
        assert request.constraint is not None
        assert "weather" in request.constraint.grammar


class TestResponses:
    def test_whole(self, new_caller: NewCaller) -> None:
        async def use(client: AsyncOpenAI, _: AsyncAnthropic) -> None:
            answer = await client.responses.create(**RESPONSE)
            assert [item.type for item in answer.output] == ["message", "function_call", "function_call"]
            assert answer.output_text == "Let me look."
            call = answer.output[1]
            assert call.type == "function_call"
            assert (call.name, json.loads(call.arguments), call.status) == ("weather", {"city": "Paris"}, "completed")

        run(new_caller(TWO), use)

    def test_streamed(self, new_caller: NewCaller) -> None:
        async def use(client: AsyncOpenAI, _: AsyncAnthropic) -> None:
            async with client.responses.stream(**RESPONSE) as stream:
                events = [event async for event in stream]
                final = await stream.get_final_response()
            assert [item.type for item in final.output] == ["message", "function_call", "function_call"]
            assert [event.sequence_number for event in events] == list(range(len(events)))
            places = [event.output_index for event in events if event.type == "response.output_item.done"]
            assert places == [0, 1, 2]
            done = [event for event in events if event.type == "response.function_call_arguments.done"]
            assert [json.loads(event.arguments) for event in done] == [{"city": "Paris"}, {"city": "Rome"}]
            assert len({event.item_id for event in done}) == 2

        run(new_caller(TWO), use)

    def test_results_go_back(self, new_caller: NewCaller) -> None:
        caller = new_caller(TWO)

        async def use(client: AsyncOpenAI, _: AsyncAnthropic) -> None:
            answer = await client.responses.create(**RESPONSE)
            results = [
                {"type": "function_call_output", "call_id": item.call_id, "output": f"sunny {index}"}
                for index, item in enumerate(answer.output)
                if item.type == "function_call"
            ]
            given = [*HELLO, *(item.model_dump(exclude_none=True) for item in answer.output), *results]
            await client.responses.create(**RESPONSE | {"input": given})

        run(caller, use)
        prompt = prompt_of(caller)
        assert all(part in prompt for part in ("Let me look.", "Paris", "Rome", "sunny 1", "sunny 2"))


class TestMessages:
    def test_whole(self, new_caller: NewCaller) -> None:
        async def use(_: AsyncOpenAI, client: AsyncAnthropic) -> None:
            answer = await client.messages.create(**MESSAGE)
            assert answer.stop_reason == "tool_use"
            assert [block.type for block in answer.content] == ["text", "tool_use", "tool_use"]
            block = answer.content[1]
            assert block.type == "tool_use"
            assert (block.name, block.input) == ("weather", {"city": "Paris"})

        run(new_caller(TWO), use)

    def test_streamed(self, new_caller: NewCaller) -> None:
        async def use(_: AsyncOpenAI, client: AsyncAnthropic) -> None:
            async with client.messages.stream(**MESSAGE) as stream:
                async for _event in stream:
                    pass
                answer = await stream.get_final_message()
            assert answer.stop_reason == "tool_use"
            assert [block.input for block in answer.content if block.type == "tool_use"] == [
                {"city": "Paris"},
                {"city": "Rome"},
            ]

        run(new_caller(TWO), use)

    def test_results_go_back(self, new_caller: NewCaller) -> None:
        caller = new_caller(CALL)

        async def use(_: AsyncOpenAI, client: AsyncAnthropic) -> None:
            answer = await client.messages.create(**MESSAGE)
            (block,) = answer.content
            assert block.type == "tool_use"
            content = [{"type": "text", "text": "sunny"}]
            result = {"type": "tool_result", "tool_use_id": block.id, "content": content}
            turns = [
                {"role": "assistant", "content": [block.model_dump(exclude_none=True)]},
                {"role": "user", "content": [result, {"type": "text", "text": "And now?"}]},
            ]
            await client.messages.create(**MESSAGE | {"messages": [*HELLO, *turns]})

        run(caller, use)
        assert all(part in prompt_of(caller) for part in ("Paris", "sunny", "And now?"))

    @pytest.mark.parametrize(
        ("choice", "expected"),
        [({"type": "any"}, True), ({"type": "tool", "name": "weather"}, True), ({"type": "none"}, False)],
    )
    def test_the_choice_is_theirs(self, new_caller: NewCaller, choice: dict[str, Any], expected: bool) -> None:
        caller = new_caller("sunny" if not expected else CALL)

        async def use(_: AsyncOpenAI, client: AsyncAnthropic) -> None:
            given: Any = choice
            answer = await client.messages.create(**MESSAGE, tool_choice=given)
            assert (answer.stop_reason == "tool_use") == expected

        run(caller, use)


class TestStopStrings:
    """What ends the text is named where tools are offered, too."""

    def test_chat(self, new_caller: NewCaller) -> None:
        async def use(client: AsyncOpenAI, _: AsyncAnthropic) -> None:
            (choice,) = (await client.chat.completions.create(**CHAT, stop=["look", "nowhere"])).choices
            assert (choice.message.content, choice.finish_reason) == ("Let me ", "stop")
            assert choice.model_dump()["stop_reason"] == "look"
            chunks = [c async for c in await client.chat.completions.create(**CHAT, stop=["look"], stream=True)]
            assert chunks[-1].choices[0].model_dump()["stop_reason"] == "look"

        run(new_caller(TWO), use)

    def test_messages(self, new_caller: NewCaller) -> None:
        async def use(_: AsyncOpenAI, client: AsyncAnthropic) -> None:
            answer = await client.messages.create(**MESSAGE, stop_sequences=["look"])
            assert (answer.stop_reason, answer.stop_sequence) == ("stop_sequence", "look")

        run(new_caller(TWO), use)


def test_a_call_that_is_cut_off_is_left_out_of_a_message(new_caller: NewCaller) -> None:
    async def use(_: AsyncOpenAI, client: AsyncAnthropic) -> None:
        for most in (18, 22):  # before its arguments, and in them
            answer = await client.messages.create(**MESSAGE | {"max_tokens": most})
            assert (answer.stop_reason, [block.type for block in answer.content]) == ("max_tokens", ["text"])

    run(new_caller(f"Let me look.\n{CALL}"), use)
