"""Traces: a span for each request, in the caller's trace, without texts; and a collector that is not there."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from mistralet.errors import EngineError, UsageError
from mistralet.server.app import create_app
from mistralet.server.auth import Keys
from mistralet.server.settings import Settings
from mistralet.server.tracing import exporting, finish, provider
from mistralet.tokenizer import Tokenizer
from support.scripted import Script, says, scripted_service

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
ASK = {"messages": [{"role": "user", "content": "a secret"}]}


def fails(*_: object) -> Any:
    raise EngineError("The engine is gone.")


def spans(tokenizer: Tokenizer, script: Script, method: str, path: str, **given: Any) -> list[ReadableSpan]:
    exporter = InMemorySpanExporter()
    traces = provider(SimpleSpanProcessor(exporter))
    service = scripted_service(tokenizer, script, Settings())

    async def call() -> None:
        transport = httpx2.ASGITransport(create_app(service, Keys(()), traces))
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
            await client.request(method, path, **given)

    asyncio.run(call())
    finish(traces)
    return list(exporter.get_finished_spans())


@pytest.fixture
def asked(tiny_tokenizer: Tokenizer) -> Callable[..., list[ReadableSpan]]:
    return lambda *request, script=None, **given: spans(
        tiny_tokenizer, script or says("I see", tiny_tokenizer), *request, **given
    )


def test_a_request_is_a_span_of_the_callers_trace(asked: Callable[..., list[ReadableSpan]]) -> None:
    (span,) = asked("POST", "/v1/chat/completions", json=ASK, headers={"traceparent": PARENT})
    assert span.name == "POST /v1/chat/completions"
    assert span.kind is SpanKind.SERVER
    assert span.context is not None
    assert span.parent is not None
    assert f"{span.context.trace_id:032x}" == PARENT.split("-")[1]
    assert f"{span.parent.span_id:016x}" == PARENT.split("-")[2]
    facts = dict(span.attributes or {})
    assert facts["http.response.status_code"] == 200
    assert facts["gen_ai.request.model"] == "tiny"
    assert facts["gen_ai.usage.output_tokens"] == 2
    assert facts["gen_ai.response.finish_reasons"] == ("stop",)
    assert facts["mistralet.request_id"]
    assert "secret" not in json.dumps(facts)
    assert "I see" not in json.dumps(facts)
    assert span.status.status_code is not StatusCode.ERROR


def test_what_fails_is_an_error(asked: Callable[..., list[ReadableSpan]]) -> None:
    (span,) = asked("POST", "/v1/completions", json={"prompt": "a"}, script=fails)
    assert span.status.status_code is StatusCode.ERROR
    assert (span.attributes or {})["http.response.status_code"] == 503


def test_what_is_refused_is_told_and_no_error_of_the_server(asked: Callable[..., list[ReadableSpan]]) -> None:
    (span,) = asked("POST", "/v1/completions", json={"prompt": 7})
    assert (span.attributes or {})["http.response.status_code"] == 400
    assert span.status.status_code is not StatusCode.ERROR


def test_probes_are_not_traced(asked: Callable[..., list[ReadableSpan]]) -> None:
    assert asked("GET", "/health") == []


def test_a_bad_traceparent_begins_a_trace_of_its_own(asked: Callable[..., list[ReadableSpan]]) -> None:
    (span,) = asked("GET", "/v1/models", headers={"traceparent": "nonsense"})
    assert span.parent is None


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="no http URL"):
        exporting("collector:4317")
