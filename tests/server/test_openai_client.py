"""OpenAI's own client finds what it expects, on every endpoint that is here."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from math import hypot
from typing import Any

import httpx2
import openai
import pytest
from openai import AsyncOpenAI
from pydantic import BaseModel

from mistralet.engine import Request, RequestStats, StepOutput
from mistralet.errors import EngineError
from mistralet.server.app import create_app
from support.pictures import as_bytes, noise
from support.scripted import Caller, NewCaller, ScriptedEngine, output

MODEL = "tiny"
HELLO: Any = [{"role": "user", "content": "hello"}]


class Point(BaseModel):
    x: int
    y: int


@asynccontextmanager
async def opened(caller: Caller, key: str = "any") -> AsyncIterator[AsyncOpenAI]:
    transport = httpx2.ASGITransport(create_app(caller.service, caller.keys))
    async with (
        httpx2.AsyncClient(transport=transport) as http,
        AsyncOpenAI(api_key=key, base_url="http://127.0.0.1/v1", http_client=http, max_retries=0) as client,
    ):
        yield client


def run(caller: Caller, use: Callable[[AsyncOpenAI], Coroutine[Any, Any, None]], key: str = "any") -> None:
    async def whole() -> None:
        async with opened(caller, key) as client:
            await use(client)
        engine = caller.service.engine
        assert not engine.unfinished

    asyncio.run(whole())


def asked(caller: Caller) -> Request:
    engine = caller.service.engine
    assert isinstance(engine, ScriptedEngine)
    return engine.asked[-1]


class TestChat:
    def test_whole(self, new_caller: NewCaller) -> None:
        async def use(client: AsyncOpenAI) -> None:
            answer = await client.chat.completions.create(model=MODEL, messages=HELLO)
            (choice,) = answer.choices
            assert (choice.message.role, choice.message.content) == ("assistant", "hello there")
            assert choice.finish_reason == "stop"
            assert answer.usage is not None
            assert answer.usage.total_tokens == answer.usage.prompt_tokens + 2
            assert (answer.object, answer.model) == ("chat.completion", MODEL)
            assert answer.id.startswith("chatcmpl-")

        run(new_caller(), use)

    def test_streamed(self, new_caller: NewCaller) -> None:
        async def use(client: AsyncOpenAI) -> None:
            chunks = [
                chunk
                async for chunk in await client.chat.completions.create(
                    model=MODEL, messages=HELLO, stream=True, stream_options={"include_usage": True}
                )
            ]
            assert chunks[0].choices[0].delta.role == "assistant"
            assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1]) == "hello there"
            assert [chunk.choices[0].finish_reason for chunk in chunks[:-1]][-1] == "stop"
            assert chunks[-1].choices == []
            assert chunks[-1].usage is not None
            assert chunks[-1].usage.completion_tokens == 2
            assert len({chunk.id for chunk in chunks}) == 1

        run(new_caller(), use)

    def test_no_usage_chunk_unless_asked_for(self, new_caller: NewCaller) -> None:
        async def use(client: AsyncOpenAI) -> None:
            stream = await client.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
            assert all([chunk.choices and chunk.usage is None async for chunk in stream])

        run(new_caller(), use)

    @pytest.mark.parametrize("stream", [False, True])
    def test_several_answers(self, new_caller: NewCaller, stream: bool) -> None:
        async def use(client: AsyncOpenAI) -> None:
            if stream:
                texts = {0: "", 1: "", 2: ""}
                async for chunk in await client.chat.completions.create(model=MODEL, messages=HELLO, n=3, stream=True):
                    texts[chunk.choices[0].index] += chunk.choices[0].delta.content or ""
            else:
                answer = await client.chat.completions.create(model=MODEL, messages=HELLO, n=3)
                texts = {choice.index: choice.message.content or "" for choice in answer.choices}
            assert texts == dict.fromkeys(range(3), "hello there")

        run(new_caller(), use)

    @pytest.mark.parametrize("stream", [False, True])
    def test_logprobs(self, new_caller: NewCaller, stream: bool) -> None:
        async def use(client: AsyncOpenAI) -> None:
            facts: Any = {"model": MODEL, "messages": HELLO, "logprobs": True, "top_logprobs": 1}
            if stream:
                told = []
                async for chunk in await client.chat.completions.create(**facts, stream=True):
                    if chunk.choices[0].logprobs:
                        told += chunk.choices[0].logprobs.content or []
            else:
                answer = await client.chat.completions.create(**facts)
                assert answer.choices[0].logprobs is not None
                told = answer.choices[0].logprobs.content or []
            assert "".join(token.token for token in told) == "hello there"
            assert bytes(told[0].bytes or ()) == b"hello"
            assert [token.logprob for token in told] == [-0.5, -0.5]
            assert [top.token for top in told[0].top_logprobs] == ["hello"]

        run(new_caller(), use)

    def test_every_parameter_reaches_the_engine(self, new_caller: NewCaller) -> None:
        caller = new_caller()

        async def use(client: AsyncOpenAI) -> None:
            await client.chat.completions.create(
                model=MODEL,
                messages=HELLO,
                temperature=0.5,
                top_p=0.9,
                seed=7,
                stop=["\n", "END"],
                max_completion_tokens=9,
                presence_penalty=0.1,
                frequency_penalty=0.2,
                logit_bias={"5": -100},
                extra_body={
                    "top_k": 5,
                    "min_p": 0.05,
                    "repetition_penalty": 1.1,
                    "min_tokens": 2,
                    "ignore_eos": True,
                    "stop_token_ids": [3],
                    "prompt_logprobs": 2,
                    "repetition_detection": {"max_pattern_size": 4, "min_count": 3},
                    "guided_regex": "[a-z]+",
                    "priority": 3,
                },
            )

        run(caller, use)
        request = asked(caller)
        params = request.params
        assert (params.temperature, params.top_p, params.top_k, params.min_p) == (0.5, 0.9, 5, 0.05)
        assert (params.seed, params.stop, params.max_tokens, params.min_tokens) == (7, ("\n", "END"), 9, 2)
        assert (params.presence_penalty, params.frequency_penalty, params.repetition_penalty) == (0.1, 0.2, 1.1)
        assert (params.logit_bias, params.stop_token_ids, params.ignore_eos) == ({5: -100}, (3,), True)
        assert (params.prompt_logprobs, request.priority) == (2, 3)
        assert (request.repetition.max_pattern_size, request.repetition.min_count) == (4, 3)
        assert request.constraint is not None
        assert request.constraint.kind == "regex"

    def test_parse(self, new_caller: NewCaller) -> None:
        async def use(client: AsyncOpenAI) -> None:
            answer = await client.chat.completions.parse(model=MODEL, messages=HELLO, response_format=Point)
            assert answer.choices[0].message.parsed == Point(x=1, y=2)

        caller = new_caller('{"x": 1, "y": 2}')
        run(caller, use)
        assert asked(caller).constraint is not None

    def test_an_image(self, seeing_caller: Caller) -> None:
        picture = base64.b64encode(as_bytes(noise(40, 30))).decode()
        url = {"url": f"data:image/png;base64,{picture}"}

        async def use(client: AsyncOpenAI) -> None:
            content: Any = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": url}]
            answer = await client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": content}])
            assert answer.choices[0].message.content == "I see"

        run(seeing_caller, use)
        (image,) = asked(seeing_caller).prompt.images
        assert tuple(image.pixels.shape) == (3, 56, 56)


class TestCompletions:
    @pytest.mark.parametrize("stream", [False, True])
    def test_several_prompts(self, new_caller: NewCaller, stream: bool) -> None:
        async def use(client: AsyncOpenAI) -> None:
            texts = dict.fromkeys(range(4), "")
            facts: Any = {"model": MODEL, "prompt": ["one", "two"], "n": 2, "echo": True}
            if stream:
                async for chunk in await client.completions.create(**facts, stream=True):
                    texts[chunk.choices[0].index] += chunk.choices[0].text
            else:
                answer = await client.completions.create(**facts)
                texts = {choice.index: choice.text for choice in answer.choices}
                assert answer.usage is not None
                assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (2, 8)
            assert texts == {0: "onehello there", 1: "onehello there", 2: "twohello there", 3: "twohello there"}

        run(new_caller(), use)

    def test_token_ids_and_logprobs(self, new_caller: NewCaller) -> None:
        async def use(client: AsyncOpenAI) -> None:
            answer = await client.completions.create(model=MODEL, prompt=[504, 3575], logprobs=1, max_tokens=1)
            told = answer.choices[0].logprobs
            assert told is not None
            assert (told.tokens, told.token_logprobs, told.text_offset) == (["hello"], [-0.5], [0])
            assert told.top_logprobs == [{"hello": -0.5}]
            assert answer.choices[0].finish_reason == "length"

        run(new_caller(), use)


class TestErrors:
    @pytest.mark.parametrize(
        ("error", "facts"),
        [
            (openai.BadRequestError, {"temperature": 1000}),
            (openai.NotFoundError, {"model": "gpt-4o"}),
        ],
    )
    def test_the_client_raises_its_own(self, new_caller: NewCaller, error: Any, facts: dict[str, Any]) -> None:
        async def use(client: AsyncOpenAI) -> None:
            with pytest.raises(error):
                await client.chat.completions.create(**{"model": MODEL, "messages": HELLO} | facts)

        run(new_caller(), use)

    def test_a_wrong_key(self, new_caller: NewCaller) -> None:
        async def wrong(client: AsyncOpenAI) -> None:
            with pytest.raises(openai.AuthenticationError, match="The API key is wrong"):
                await client.models.list()

        async def right(client: AsyncOpenAI) -> None:
            assert [model.id async for model in client.models.list()] == [MODEL]

        caller = new_caller(keys=("first", "second"))
        run(caller, wrong, key="third")
        run(caller, right, key="second")

    def test_too_many_at_once(self, new_caller: NewCaller) -> None:
        caller = new_caller(max_requests=1)
        engine = caller.service.engine
        assert isinstance(engine, ScriptedEngine)

        async def use(client: AsyncOpenAI) -> None:
            engine.hold = asyncio.Event()
            first = asyncio.create_task(client.chat.completions.create(model=MODEL, messages=HELLO))
            while not engine.running:
                await asyncio.sleep(0)
            with pytest.raises(openai.RateLimitError) as caught:
                await client.chat.completions.create(model=MODEL, messages=HELLO)
            assert caught.value.response.headers["retry-after"] == "1"
            engine.hold.set()
            assert (await first).choices[0].message.content == "hello there"

        run(caller, use)

    @pytest.mark.parametrize("stream", [False, True])
    def test_a_constraint_that_cannot_be_used_is_known_before_the_first_byte(
        self, new_caller: NewCaller, stream: bool
    ) -> None:
        def refuses(request: Request) -> list[StepOutput]:
            return [output(request, 0, [], "", "error", RequestStats(1), error="The regex is impossible.")]

        async def use(client: AsyncOpenAI) -> None:
            with pytest.raises(openai.BadRequestError, match="The regex is impossible") as caught:
                await client.chat.completions.create(
                    model=MODEL, messages=HELLO, stream=stream, extra_body={"guided_regex": "a"}
                )
            assert caught.value.code == "invalid_constraint"

        run(new_caller(refuses), use)

    @pytest.mark.parametrize("stream", [False, True])
    def test_an_engine_that_dies(self, new_caller: NewCaller, stream: bool) -> None:
        def dies(request: Request) -> list[StepOutput | EngineError]:
            first = output(request, 0, [1], "he", None, RequestStats(1, read_tokens=1))
            return [first, EngineError("The engine's process was killed; ask again.")]

        async def use(client: AsyncOpenAI) -> None:
            if stream:
                answer = await client.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
                with pytest.raises(openai.APIError, match="was killed"):
                    _ = [chunk async for chunk in answer]
            else:
                with pytest.raises(openai.InternalServerError, match="was killed") as caught:
                    await client.chat.completions.create(model=MODEL, messages=HELLO)
                assert caught.value.status_code == 503

        run(new_caller(dies), use)

    def test_a_failure_of_ours_shows_nothing_of_the_inside(self, new_caller: NewCaller) -> None:
        def breaks(_: Request) -> list[StepOutput]:
            raise RuntimeError("secret of the house")

        answer = new_caller(breaks)("POST", "/v1/chat/completions", json={"messages": HELLO})
        assert answer.status_code == 500
        assert answer.json()["error"]["code"] == "internal_error"
        assert "secret" not in answer.text


class TestOthers:
    def test_models(self, new_caller: NewCaller) -> None:
        async def use(client: AsyncOpenAI) -> None:
            model = await client.models.retrieve(MODEL)
            assert (model.id, model.object, model.created) == (MODEL, "model", 1_700_000_000)

        run(new_caller(), use)

    @pytest.mark.parametrize("encoding", ["float", "base64", None])
    def test_embeddings(self, new_caller: NewCaller, encoding: Any) -> None:
        def embeds(request: Request) -> list[StepOutput]:
            last = output(request, 0, [], "", "stop", RequestStats(len(request.prompt.ids)))
            last.embedding = [3.0, 4.0, float(len(request.prompt.ids) - 1)]
            return [last]

        async def use(client: AsyncOpenAI) -> None:
            given = {} if encoding is None else {"encoding_format": encoding}
            answer = await client.embeddings.create(model=MODEL, input=["one", "two three"], **given)
            vectors = [each.embedding for each in answer.data]
            if encoding == "base64":
                assert all(isinstance(vector, str) for vector in vectors)
                return
            assert vectors[0] == pytest.approx([0.6, 0.8, 0])
            assert hypot(*vectors[1]) == pytest.approx(1)
            assert answer.usage.prompt_tokens == answer.usage.total_tokens == 3

        caller = new_caller(embeds)
        run(caller, use)
        assert asked(caller).embed


class TestResponses:
    def test_whole(self, new_caller: NewCaller) -> None:
        async def use(client: AsyncOpenAI) -> None:
            answer = await client.responses.create(model=MODEL, input="hello", instructions="Be short.")
            assert answer.output_text == "hello there"
            assert (answer.status, answer.output[0].type) == ("completed", "message")
            assert answer.usage is not None
            assert answer.usage.output_tokens == 2

        run(new_caller(), use)

    def test_cut_off(self, new_caller: NewCaller) -> None:
        async def use(client: AsyncOpenAI) -> None:
            answer = await client.responses.create(model=MODEL, input="hello", max_output_tokens=1)
            assert (answer.status, answer.output_text) == ("incomplete", "hello")
            assert answer.incomplete_details is not None
            assert answer.incomplete_details.reason == "max_output_tokens"

        run(new_caller(), use)

    def test_streamed(self, new_caller: NewCaller) -> None:
        async def use(client: AsyncOpenAI) -> None:
            async with client.responses.stream(model=MODEL, input="hello") as stream:
                kinds = [event.type async for event in stream]
                final = await stream.get_final_response()
            assert final.output_text == "hello there"
            assert kinds == [
                "response.created",
                "response.in_progress",
                "response.output_item.added",
                "response.content_part.added",
                "response.output_text.delta",
                "response.output_text.delta",
                "response.output_text.done",
                "response.content_part.done",
                "response.output_item.done",
                "response.completed",
            ]

        run(new_caller(), use)

    def test_parse(self, new_caller: NewCaller) -> None:
        async def use(client: AsyncOpenAI) -> None:
            answer = await client.responses.parse(model=MODEL, input="a point", text_format=Point)
            assert answer.output_parsed == Point(x=1, y=2)

        run(new_caller(json.dumps({"x": 1, "y": 2})), use)

    def test_an_image(self, seeing_caller: Caller) -> None:
        picture = base64.b64encode(as_bytes(noise(40, 30))).decode()

        async def use(client: AsyncOpenAI) -> None:
            content: Any = [
                {"type": "input_text", "text": "What is it?"},
                {"type": "input_image", "image_url": f"data:image/png;base64,{picture}", "detail": "auto"},
            ]
            answer = await client.responses.create(model=MODEL, input=[{"role": "user", "content": content}])
            assert answer.output_text == "I see"

        run(seeing_caller, use)
        assert len(asked(seeing_caller).prompt.images) == 1
