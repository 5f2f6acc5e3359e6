"""`/tokenize` and `/detokenize`, and text and token ids as other endpoints tell them."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from mistralet.engine import RequestStats
from mistralet.errors import TokenizerError
from mistralet.server.errors import ApiError, json_response, sentence
from mistralet.server.fields import ModelBody
from mistralet.server.service import Service
from mistralet.tokenizer import Tokenizer, encode_raw


class TokenizeBody(ModelBody):
    """What to cut into tokens."""

    prompt: str
    add_special_tokens: bool = True
    return_token_strs: bool = False


class DetokenizeBody(ModelBody):
    """What to join."""

    tokens: list[int]


def router(service: Service) -> APIRouter:
    """The endpoints."""
    routes = APIRouter(tags=["tokens"])

    @routes.post("/tokenize")
    async def tokenize(body: TokenizeBody) -> Response:
        """The token ids of a text."""
        service.check(body)
        ids = await service.in_thread(lambda: encode_raw(service.tokenizer, body.prompt, body.add_special_tokens))
        answer: dict[str, Any] = {"count": len(ids), "max_model_len": service.engine.info.context, "tokens": ids}
        if body.return_token_strs:
            answer["token_strs"] = [token_text(service.tokenizer, token) for token in ids]
        return json_response(answer)

    @routes.post("/detokenize")
    async def detokenize(body: DetokenizeBody) -> Response:
        """The text of token ids."""
        service.check(body)
        try:
            text = await service.in_thread(lambda: service.tokenizer.decode(body.tokens))
        except TokenizerError as error:
            raise ApiError(400, sentence(str(error)), "tokens") from error
        return json_response({"prompt": text})

    return routes


def token_text(tokenizer: Tokenizer, token: int) -> str:
    """The text of one token; parts of characters are U+FFFD."""
    return tokenizer.token_bytes(token).decode("utf-8", "replace")


def usage(answers: list[RequestStats], prompts: list[RequestStats]) -> dict[str, Any]:
    """The tokens of an answer, as OpenAI tells them.

    Args:
        answers: of all answers.
        prompts: of one answer to each prompt.
    """
    read = sum(stats.prompt_tokens for stats in prompts)
    written = sum(stats.output_tokens for stats in answers)
    return {
        "prompt_tokens": read,
        "completion_tokens": written,
        "total_tokens": read + written,
        "prompt_tokens_details": {"cached_tokens": sum(stats.cached_tokens for stats in prompts)},
    }
