"""Whatever fits our own OpenAPI document, and much that does not, is answered or refused, and never breaks us."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode

from mistralet.server.app import create_app
from mistralet.server.auth import Keys
from mistralet.server.settings import Settings
from mistralet.tokenizer import BpeTokenizer
from support.scripted import says, scripted_service

OPERATIONS = [
    ("POST", "/v1/chat/completions"),
    ("POST", "/v1/completions"),
    ("POST", "/v1/responses"),
    ("POST", "/v1/messages"),
    ("POST", "/v1/messages/count_tokens"),
    ("POST", "/v1/embeddings"),
    ("POST", "/tokenize"),
    ("POST", "/detokenize"),
    ("GET", "/v1/models/{name}"),
]


@pytest.fixture(scope="module")
def app(tiny_tokenizer: BpeTokenizer) -> FastAPI:
    chosen = Settings(fetch_images=False, max_tokens=20, max_body_bytes=100_000)
    return create_app(scripted_service(tiny_tokenizer, says("hello", tiny_tokenizer), chosen), Keys(()))


def test_the_document_lists_everything(app: FastAPI) -> None:
    described = {(method.upper(), path) for path, ways in app.openapi()["paths"].items() for method in ways}
    assert described - set(OPERATIONS) == {
        ("GET", path) for path in ("/v1/models", "/health", "/ready", "/version", "/metrics")
    }


@pytest.mark.parametrize(
    ("operation", "mode"),
    [
        (operation, mode)
        for operation in OPERATIONS
        for mode in GenerationMode
        if operation[0] == "POST" or mode is GenerationMode.POSITIVE  # nothing in a path is against the document
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else value.name,
)
def test_nothing_breaks_us(app: FastAPI, operation: tuple[str, str], mode: GenerationMode) -> None:
    method, path = operation
    described = schemathesis.openapi.from_dict(app.openapi())[path][method]

    @given(case=described.as_strategy(generation_mode=mode))
    @settings(max_examples=8, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    def check(case: Any) -> None:
        facts = case.as_transport_kwargs(base_url="http://127.0.0.1")

        async def call() -> httpx2.Response:
            async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app)) as client:
                return await client.request(
                    facts["method"],
                    facts["url"],
                    headers=dict(facts.get("headers") or {}),
                    params=facts.get("params"),
                    json=facts.get("json"),
                    content=facts.get("data"),
                )

        assert asyncio.run(call()).status_code < 500

    check()
