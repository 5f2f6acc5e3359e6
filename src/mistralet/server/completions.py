"""`/v1/completions`: raw text or token ids, continued."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from mistralet.engine import Completion, Constraint, Request, RequestStats
from mistralet.model import Prompt
from mistralet.server.errors import ApiError, error_body, json_response
from mistralet.server.fields import (
    SamplingFields,
    answer_schema,
    one_or_several,
    other_constraint,
    repetition_params,
    sampling_params,
)
from mistralet.server.finish import finish_facts
from mistralet.server.generation import Outputs, close_all, completions, merged, start_all, while_connected
from mistralet.server.logprobs import TextLogprobs, prompt_logprobs
from mistralet.server.service import Service
from mistralet.server.sse import DONE, data, stream
from mistralet.server.tokens import usage
from mistralet.tokenizer import encode_raw

_DEFAULT_TOKENS = 16  # OpenAI's


class CompletionBody(SamplingFields):
    """A text to continue, or several."""

    prompt: str | list[str] | list[int] | list[list[int]]
    logprobs: int | None = None
    echo: bool | None = None
    best_of: int | None = None
    suffix: str | None = None
    add_special_tokens: bool | None = None


def router(service: Service) -> APIRouter:
    """The endpoint."""
    routes = APIRouter(tags=["completions"])

    @routes.post("/v1/completions")
    async def create_completion(body: CompletionBody, http: HttpRequest) -> Response:
        """Continue texts as they are, without a chat template."""
        service.check(body)
        answer = _Answer(service, body, http)
        if body.stream:
            started = await while_connected(http, answer.start())
            return stream(answer.chunks(started), lambda error: data(error_body(error, http.url.path, "")) + DONE)
        return json_response(await while_connected(http, answer.whole()))

    return routes


class _Answer:
    """One request's answer, in pieces or as a whole."""

    def __init__(self, service: Service, body: CompletionBody, http: HttpRequest) -> None:
        self.service = service
        self.body = body
        self.scope = http.scope
        self.echoes: list[str] = []  # of each prompt, if they are to be shown
        self.frame = {
            "id": f"cmpl-{http.scope['request_id']}",
            "object": "text_completion",
            "created": int(time.time()),
            "model": service.name,
        }

    async def start(self) -> list[Outputs]:
        """Begin all prompts."""
        body, settings = self.body, self.service.settings
        if body.suffix:
            raise ApiError(400, "The model cannot fill in before a suffix; leave it out.", "suffix")
        if body.best_of not in (None, body.n or 1):
            raise ApiError(400, "All answers are given back: best_of must be n; leave it out.", "best_of")
        max_tokens = _DEFAULT_TOKENS if body.max_tokens is None else body.max_tokens
        params = sampling_params(body, settings, max_tokens, body.logprobs)
        if body.echo and body.logprobs is not None and params.prompt_logprobs is None:
            params = sampling_params(
                body.model_copy(update={"prompt_logprobs": body.logprobs}), settings, max_tokens, body.logprobs
            )
        schema = answer_schema(body, settings)
        constraint = other_constraint(body, settings) if schema is None else Constraint.json_schema(schema)
        repetition = repetition_params(body)
        prompts = await self.service.in_thread(self._prompts)
        return await start_all(
            self.service,
            self.scope,
            [Request(prompt, params, constraint, repetition, priority=body.priority or 0) for prompt in prompts],
        )

    def _prompts(self) -> list[Prompt]:
        given = one_or_several("prompt", self.body.prompt, self.service.settings)
        tokenizer, bos = self.service.tokenizer, self.body.add_special_tokens is not False
        prompts = []
        for each in given:
            ids = encode_raw(tokenizer, each, bos) if isinstance(each, str) else each
            prompts.append(Prompt(list(ids)))
            if self.body.echo:
                self.echoes.append(each if isinstance(each, str) else tokenizer.decode(ids))
        return prompts

    async def whole(self) -> dict[str, Any]:
        """All answers at once."""
        started = await self.start()
        try:
            answers = [await completions(outputs) for outputs in started]
        finally:
            await close_all(started)
        choices = [
            self._choice(place, answer, started[place].request) for place, each in enumerate(answers) for answer in each
        ]
        tokens = usage([answer.stats for each in answers for answer in each], [each[0].stats for each in answers])
        return self.frame | {"choices": choices, "usage": tokens}

    def _choice(self, place: int, answer: Completion, request: Request) -> dict[str, Any]:
        echo = self.echoes[place] if self.echoes else ""
        choice: dict[str, Any] = {
            "index": place * request.params.n + answer.index,
            "text": echo + answer.text,
            "logprobs": None,
            **finish_facts(answer.finish_reason, answer.stop_string, self.body),
        }
        if self.body.logprobs is not None:
            told = TextLogprobs(self.service.tokenizer)
            if echo:
                told.add_first(request.prompt.ids[0])
                told.add(answer.prompt_logprobs)
            told.add(answer.logprobs)
            choice["logprobs"] = told.take()
        if self.body.prompt_logprobs is not None:
            choice["prompt_logprobs"] = prompt_logprobs(self.service.tokenizer, answer.prompt_logprobs)
        return choice

    async def chunks(self, started: list[Outputs]) -> AsyncIterator[bytes]:
        """All answers as they come, as server-sent events."""
        n = started[0].request.params.n
        told = [TextLogprobs(self.service.tokenizer) for _ in range(n * len(started))]
        echoes = {place * n + index: echo for place, echo in enumerate(self.echoes) for index in range(n)}
        last: dict[int, RequestStats] = {}
        try:
            async for place, output in merged(started):
                index = place * n + output.index
                last[index] = output.stats
                logprobs = None
                if self.body.logprobs is not None:
                    if index in echoes and output.prompt_logprobs:
                        if not told[index].has_begun:
                            told[index].add_first(started[place].request.prompt.ids[0])
                        told[index].add(output.prompt_logprobs)
                    told[index].add(output.logprobs)
                    if output.token_ids or output.finish_reason:
                        logprobs = told[index].take()
                if not (output.text or output.token_ids or output.finish_reason):
                    continue
                text = echoes.pop(index, "") + output.text
                finish = finish_facts(output.finish_reason, output.stop_string, self.body)
                choice = {"index": index, "text": text, "logprobs": logprobs, **finish}
                yield data(self.frame | {"choices": [choice]})
            if self.body.wants_usage:
                tokens = usage(list(last.values()), [last[place * n] for place in range(len(started))])
                yield data(self.frame | {"choices": [], "usage": tokens})
            yield DONE
        finally:
            await close_all(started)
