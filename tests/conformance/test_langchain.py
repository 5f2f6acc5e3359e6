"""`langchain-openai` against a running server."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import BaseModel, Field

from support.served import Served

lc = pytest.importorskip("langchain_openai", reason="needs the extra 'conformance'")
messages = pytest.importorskip("langchain_core.messages")
pytestmark = pytest.mark.filterwarnings("ignore")  # of libraries that are not ours

QUESTION = "What is the capital of France?"


class Weather(BaseModel):
    """The weather of a city."""

    city: str = Field(description="Its name.")


class Point(BaseModel):
    """A place."""

    x: int
    y: int


@pytest.fixture
def chat(served: Served) -> Any:
    return model(served)


def model(served: Served, **options: Any) -> Any:
    facts = {"model": "tiny", "temperature": 0, "max_retries": 0, "max_tokens": 40}
    return lc.ChatOpenAI(base_url=f"{served.url}/v1", api_key="any", **facts | options)


def test_an_answer(chat: Any) -> None:
    answer = chat.invoke([("system", "Be brief."), ("human", QUESTION)])
    assert "Paris" in answer.content
    assert answer.response_metadata["finish_reason"] in ("stop", "length")
    assert answer.response_metadata["model_name"] == "tiny"
    told = answer.usage_metadata
    assert told["total_tokens"] == told["input_tokens"] + told["output_tokens"]


def test_a_stream_joins_to_the_answer(served: Served) -> None:
    chat = model(served, stream_usage=True)
    chunks = list(chat.stream(QUESTION))
    assert len(chunks) > 5
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    assert whole.content == chat.invoke(QUESTION).content
    assert whole.usage_metadata["output_tokens"] > 5
    assert whole.response_metadata["finish_reason"] in ("stop", "length")


def test_several_at_once(chat: Any) -> None:
    async def ask() -> list[Any]:
        return await asyncio.gather(*(chat.ainvoke(f"Say {word}.") for word in ("one", "two", "three")))

    assert all(answer.content for answer in asyncio.run(ask()))
    assert len(chat.batch(["Hello.", "Bye."])) == 2


@pytest.mark.parametrize("choice", ["Weather", "required", "any"])
def test_a_tool_is_called_and_its_result_read(chat: Any, choice: str) -> None:
    bound = chat.bind_tools([Weather], tool_choice=choice)
    asked = [messages.HumanMessage("How is the weather in Rome?")]
    answer = bound.invoke(asked)
    assert answer.invalid_tool_calls == []
    call = answer.tool_calls[0]
    assert call["name"] == "Weather"
    assert Weather.model_validate(call["args"])
    result = messages.ToolMessage("Sunny.", tool_call_id=call["id"])
    assert chat.bind_tools([Weather], tool_choice="none").invoke([*asked, answer, result]).tool_calls == []


def test_a_streamed_call(chat: Any) -> None:
    bound = chat.bind_tools([Weather], tool_choice="Weather", strict=True)
    whole: Any = None
    for chunk in bound.stream("How is the weather in Rome?"):
        whole = chunk if whole is None else whole + chunk
    assert [call["name"] for call in whole.tool_calls] == ["Weather"]
    assert Weather.model_validate(whole.tool_calls[0]["args"])


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_structured_output(served: Served, method: str) -> None:
    chat = model(served, max_tokens=200)
    for given in (Point, Point.model_json_schema()):
        answer = chat.with_structured_output(given, method=method).invoke("Give the point x=3, y=4 as JSON.")
        assert Point.model_validate(answer if isinstance(answer, dict) else answer.model_dump())


def test_json_mode(served: Served) -> None:
    chat = model(served, max_tokens=300)
    answer = chat.with_structured_output(None, method="json_mode").invoke("Give the point x=3, y=4 as a JSON object.")
    assert isinstance(answer, dict)


def test_logprobs_and_stop(served: Served) -> None:
    answer = model(served, logprobs=True, top_logprobs=2).invoke(QUESTION, stop=["Paris"])
    assert "Paris" not in answer.content
    content = answer.response_metadata["logprobs"]["content"]
    assert all(len(token["top_logprobs"]) == 2 for token in content)


def test_the_responses_api(served: Served) -> None:
    chat = model(served, use_responses_api=True)
    answer = chat.invoke(QUESTION)
    assert answer.text == model(served).invoke(QUESTION).content
    joined = "".join(chunk.text for chunk in chat.stream(QUESTION))
    assert joined == answer.text
    called = chat.bind_tools([Weather], tool_choice="Weather").invoke("How is the weather in Rome?")
    assert [call["name"] for call in called.tool_calls] == ["Weather"]
    structured = model(served, use_responses_api=True, max_tokens=200).with_structured_output(Point)
    assert isinstance(structured.invoke("Give the point x=3, y=4 as JSON."), Point)


def test_embeddings(served: Served) -> None:
    embeddings = lc.OpenAIEmbeddings(
        model="tiny", base_url=f"{served.url}/v1", api_key="any", check_embedding_ctx_length=False
    )
    vectors = embeddings.embed_documents(["a cat", "a dog"])
    assert len(vectors) == 2
    assert sum(value * value for value in vectors[0]) == pytest.approx(1, abs=1e-3)
    assert embeddings.embed_query("a cat") == pytest.approx(vectors[0], abs=1e-2)


def test_a_picture_for_a_model_without_eyes_is_a_bad_request(chat: Any) -> None:
    import openai

    dot = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
    url = f"data:image/png;base64,{dot}"
    content = [{"type": "image_url", "image_url": {"url": url}}]
    with pytest.raises(openai.BadRequestError, match="text only"):
        chat.invoke([messages.HumanMessage(content)])
