"""`litellm` against a running server, by each of the roads it has to one."""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any

import pytest
from pydantic import BaseModel

from support.served import Served

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # or it is fetched from the web
litellm = pytest.importorskip("litellm", reason="needs the extra 'conformance'")
pytestmark = pytest.mark.filterwarnings("ignore")  # of libraries that are not ours

HELLO = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is the capital of France?"}]
WEATHER = {
    "name": "weather",
    "description": "The weather.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
TOOLS = {
    "tools": [{"type": "function", "function": WEATHER}],
    "tool_choice": {"type": "function", "function": {"name": "weather"}},
    "parallel_tool_calls": False,
}
# What stands before the model's name chooses the road; Anthropic's takes no /v1.
ROADS = [("openai", "/v1"), ("hosted_vllm", "/v1"), ("anthropic", "")]


class Point(BaseModel):
    x: int
    y: int


@pytest.fixture(params=ROADS, ids=[road for road, _ in ROADS])
def asked(served: Served, request: pytest.FixtureRequest) -> dict[str, Any]:
    road, path = request.param
    return facts(served, road, path)


def facts(served: Served, road: str = "openai", path: str = "/v1") -> dict[str, Any]:
    return {
        "model": f"{road}/tiny",
        "api_base": served.url + path,
        "api_key": "any",
        "temperature": 0,
        "max_tokens": 40,
        "num_retries": 0,
    }


def test_an_answer(asked: dict[str, Any]) -> None:
    answer = litellm.completion(messages=HELLO, **asked)
    assert "Paris" in answer.choices[0].message.content
    assert answer.choices[0].finish_reason in ("stop", "length")
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_a_stream_joins_to_the_answer(asked: dict[str, Any]) -> None:
    chunks = list(litellm.completion(messages=HELLO, stream=True, stream_options={"include_usage": True}, **asked))
    whole = litellm.stream_chunk_builder(chunks, messages=HELLO)
    assert whole.choices[0].message.content == litellm.completion(messages=HELLO, **asked).choices[0].message.content
    assert whole.usage.completion_tokens > 5


def test_asynchronously(asked: dict[str, Any]) -> None:
    async def ask() -> list[Any]:
        return await asyncio.gather(*(litellm.acompletion(messages=HELLO, **asked) for _ in range(3)))

    assert len({answer.choices[0].message.content for answer in asyncio.run(ask())}) == 1


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_a_tool_is_called_and_its_result_read(asked: dict[str, Any], streamed: bool) -> None:
    answer = litellm.completion(messages=HELLO, stream=streamed, **TOOLS, **asked | {"max_tokens": 100})
    if streamed:
        answer = litellm.stream_chunk_builder(list(answer), messages=HELLO)
    assert answer.choices[0].finish_reason in ("tool_calls", "stop")
    message = answer.choices[0].message
    (call,) = message.tool_calls
    assert call.function.name == "weather"
    assert isinstance(json.loads(call.function.arguments)["city"], str)
    result = {"role": "tool", "tool_call_id": call.id, "content": "Sunny."}
    again = litellm.completion(messages=[*HELLO, message, result], tools=TOOLS["tools"], **asked)
    assert again.choices[0].finish_reason


@pytest.mark.parametrize("road", ["openai", "hosted_vllm"])
def test_structured_output(served: Served, road: str) -> None:
    messages = [{"role": "user", "content": "Give the point x=3, y=4 as JSON."}]
    asked = facts(served, road) | {"max_tokens": 200}
    answer = litellm.completion(messages=messages, response_format=Point, **asked)
    assert Point.model_validate_json(answer.choices[0].message.content)
    answer = litellm.completion(messages=messages, response_format={"type": "json_object"}, **asked)
    # So small a model may not find an end to its object.
    text, reason = answer.choices[0].message.content, answer.choices[0].finish_reason
    assert text.startswith("{")
    assert reason == "length" or isinstance(json.loads(text), dict)


def test_raw_text(served: Served) -> None:
    asked = facts(served, "text-completion-openai")
    assert "Paris" in litellm.text_completion(prompt="The capital of France is", **asked).choices[0].text


def test_responses(served: Served) -> None:
    asked = {key: value for key, value in facts(served).items() if key not in ("max_tokens", "num_retries")}
    answer = litellm.responses(input=HELLO, max_output_tokens=40, **asked)
    assert "Paris" in answer.output[0].content[0].text
    kinds = [event.type for event in litellm.responses(input="Hi", max_output_tokens=8, stream=True, **asked)]
    assert kinds[0] == "response.created"
    assert kinds[-1] in ("response.completed", "response.incomplete")


def test_embeddings(served: Served) -> None:
    told = litellm.embedding(
        model="openai/tiny", input=["a cat", "a dog"], api_base=f"{served.url}/v1", api_key="any"
    ).data
    assert [len(each["embedding"]) for each in told] == [576, 576]


def test_errors_are_of_their_kinds(asked: dict[str, Any]) -> None:
    with pytest.raises(litellm.BadRequestError):
        litellm.completion(messages=HELLO, **asked | {"temperature": -1})
    with pytest.raises(litellm.NotFoundError):
        litellm.completion(messages=HELLO, **asked | {"model": asked["model"].replace("tiny", "huge")})


def test_a_prompt_that_is_too_long_is_known_as_such(served: Served) -> None:
    with pytest.raises(litellm.ContextWindowExceededError):
        litellm.completion(messages=[{"role": "user", "content": "word " * 20_000}], **facts(served))
