"""Anthropic's own client finds what it expects."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Coroutine
from typing import Any

import anthropic
import httpx2
import pytest
from anthropic import AsyncAnthropic

from mistralet.server.app import create_app
from support.pictures import as_bytes, noise
from support.scripted import Caller, NewCaller, ScriptedEngine

FACTS: Any = {"model": "tiny", "max_tokens": 20, "messages": [{"role": "user", "content": "hello"}]}


def run(caller: Caller, use: Callable[[AsyncAnthropic], Coroutine[Any, Any, None]], key: str = "any") -> None:
    async def whole() -> None:
        transport = httpx2.ASGITransport(create_app(caller.service, caller.keys))
        async with (
            httpx2.AsyncClient(transport=transport) as http,
            AsyncAnthropic(api_key=key, base_url="http://127.0.0.1", http_client=http, max_retries=0) as client,
        ):
            await use(client)
        assert not caller.service.engine.unfinished

    asyncio.run(whole())


def test_whole(new_caller: NewCaller) -> None:
    async def use(client: AsyncAnthropic) -> None:
        answer = await client.messages.create(**FACTS, system="Be short.")
        assert [block.text for block in answer.content if block.type == "text"] == ["hello there"]
        assert (answer.role, answer.stop_reason, answer.stop_sequence) == ("assistant", "end_turn", None)
        assert answer.usage.output_tokens == 2

    run(new_caller(), use)


def test_streamed(new_caller: NewCaller) -> None:
    async def use(client: AsyncAnthropic) -> None:
        async with client.messages.stream(**FACTS) as stream:
            kinds = [event.type async for event in stream]
            final = await stream.get_final_message()
        assert final.content[0].type == "text"
        assert final.content[0].text == "hello there"
        assert final.usage.output_tokens == 2
        assert [kind for kind in kinds if kind != "text"] == [
            "message_start",
            "content_block_start",
            "content_block_delta",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop",
        ]

    run(new_caller(), use)


def test_cut_off(new_caller: NewCaller) -> None:
    async def use(client: AsyncAnthropic) -> None:
        assert (await client.messages.create(**FACTS | {"max_tokens": 1})).stop_reason == "max_tokens"

    run(new_caller(), use)


def test_an_answer_is_gone_on_with(new_caller: NewCaller) -> None:
    caller = new_caller()

    async def use(client: AsyncAnthropic) -> None:
        messages = [*FACTS["messages"], {"role": "assistant", "content": "Well,"}]
        await client.messages.create(**FACTS | {"messages": messages})

    run(caller, use)
    engine = caller.service.engine
    assert isinstance(engine, ScriptedEngine)
    assert caller.service.tokenizer.decode(engine.asked[0].prompt.ids).endswith("Well,")


def test_an_image(seeing_caller: Caller) -> None:
    data = base64.b64encode(as_bytes(noise(40, 30))).decode()
    source = {"type": "base64", "media_type": "image/png", "data": data}
    content = [{"type": "text", "text": "What is it?"}, {"type": "image", "source": source}]

    async def use(client: AsyncAnthropic) -> None:
        answer = await client.messages.create(**FACTS | {"messages": [{"role": "user", "content": content}]})
        assert answer.content[0].type == "text"
        assert answer.content[0].text == "I see"

    run(seeing_caller, use)


def test_tokens_are_counted(new_caller: NewCaller) -> None:
    async def use(client: AsyncAnthropic) -> None:
        short = await client.messages.count_tokens(model="tiny", messages=FACTS["messages"])
        long = await client.messages.count_tokens(model="tiny", messages=FACTS["messages"], system="Be short.")
        assert short.input_tokens > 5
        assert long.input_tokens != short.input_tokens

    run(new_caller(), use)


@pytest.mark.parametrize(
    ("error", "facts", "key"),
    [
        (anthropic.BadRequestError, {"max_tokens": 0}, "right"),
        (anthropic.NotFoundError, {"model": "claude"}, "right"),
        (anthropic.AuthenticationError, {}, "wrong"),
    ],
)
def test_the_client_raises_its_own(new_caller: NewCaller, error: Any, facts: dict[str, Any], key: str) -> None:
    async def use(client: AsyncAnthropic) -> None:
        with pytest.raises(error) as caught:
            await client.messages.create(**FACTS | facts)
        assert caught.value.body["error"]["message"].endswith(".")

    run(new_caller(keys=("right",)), use, key)
