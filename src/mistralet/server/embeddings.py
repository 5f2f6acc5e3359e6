"""`/v1/embeddings`: texts as vectors, the mean of the model's last hidden states."""

from __future__ import annotations

import base64
import struct
from math import hypot
from typing import Literal, cast

from fastapi import APIRouter
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from mistralet.engine import Completion, Request
from mistralet.model import Prompt
from mistralet.server.errors import ApiError, json_response
from mistralet.server.fields import ModelBody, one_or_several
from mistralet.server.generation import close_all, completions, start_all, while_connected
from mistralet.server.service import Service
from mistralet.server.tokens import usage
from mistralet.tokenizer import encode_raw


class EmbeddingBody(ModelBody):
    """Texts, or token ids."""

    input: str | list[str] | list[int] | list[list[int]]
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: int | None = None
    user: str | None = None


def router(service: Service) -> APIRouter:
    """The endpoint."""
    routes = APIRouter(tags=["embeddings"])

    @routes.post("/v1/embeddings")
    async def create_embeddings(body: EmbeddingBody, http: HttpRequest) -> Response:
        """A vector of length 1 for each text: the mean of the last hidden states over its tokens."""
        service.check(body)
        size = service.engine.info.config.hidden_size
        if body.dimensions not in (None, size):
            raise ApiError(400, f"The vectors have {size} dimensions, and cannot be cut; leave it out.", "dimensions")
        answers = await while_connected(http, _embed(service, body, http))
        vectors = [_unit(cast("list[float]", answer.embedding)) for answer in answers]
        stats = [answer.stats for answer in answers]
        tokens = usage([], stats)
        return json_response(
            {
                "object": "list",
                "model": service.name,
                "data": [
                    {"object": "embedding", "index": index, "embedding": _written(vector, body)}
                    for index, vector in enumerate(vectors)
                ],
                "usage": {name: tokens[name] for name in ("prompt_tokens", "total_tokens")},
            }
        )

    return routes


async def _embed(service: Service, body: EmbeddingBody, http: HttpRequest) -> list[Completion]:
    given = one_or_several("input", body.input, service.settings)
    tokenizer = service.tokenizer
    prompts = await service.in_thread(
        lambda: [Prompt(encode_raw(tokenizer, each) if isinstance(each, str) else list(each)) for each in given]
    )
    started = await start_all(service, http.scope, [Request(prompt, embed=True) for prompt in prompts])
    try:
        return [answer for outputs in started for answer in await completions(outputs)]
    finally:
        await close_all(started)


def _unit(vector: list[float]) -> list[float]:
    length = hypot(*vector) or 1.0
    return [value / length for value in vector]


def _written(vector: list[float], body: EmbeddingBody) -> list[float] | str:
    if body.encoding_format == "base64":  # float32, as OpenAI's clients ask for
        return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
    return vector
