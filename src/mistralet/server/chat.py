"""`/v1/chat/completions`: conversations, in OpenAI's words."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from mistralet.chat import ArgumentsDelta, ChatEvent, ContentDelta, Finish, FormatProblem, Message, ToolCallStart
from mistralet.chat.openai_json import messages_to_json
from mistralet.engine import RequestStats
from mistralet.server.conversation import Asked, ChatAnswer, ChatAnswers, ChatStep, ask, whole_answers
from mistralet.server.errors import ApiError, error_body, json_response
from mistralet.server.fields import (
    SamplingFields,
    answer_schema,
    other_constraint,
    repetition_params,
    sampling_params,
)
from mistralet.server.finish import finish_facts
from mistralet.server.generation import while_connected
from mistralet.server.logprobs import chat_logprobs, prompt_logprobs
from mistralet.server.service import Service
from mistralet.server.sse import DONE, data, stream
from mistralet.server.tokens import usage


class ChatBody(SamplingFields):
    """A conversation, and how it is to go on."""

    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    max_completion_tokens: int | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    continue_final_message: bool | None = None
    add_generation_prompt: bool | None = None


def router(service: Service) -> APIRouter:
    """The endpoint."""
    routes = APIRouter(tags=["chat"])

    @routes.post("/v1/chat/completions")
    async def create_chat_completion(body: ChatBody, http: HttpRequest) -> Response:
        """Write the next message of a conversation."""
        service.check(body)
        asking = ask(service, http, _asked(body, service))
        completion = _Completion(service, body, http.scope["request_id"])
        if body.stream:
            answers = await while_connected(http, asking)
            return stream(completion.chunks(answers), lambda error: data(error_body(error, http.url.path, "")) + DONE)

        async def whole() -> dict[str, Any]:
            return completion.whole(await whole_answers(await asking))

        return json_response(await while_connected(http, whole()))

    return routes


def _asked(body: ChatBody, service: Service) -> Asked:
    settings = service.settings
    if body.top_logprobs is not None and not body.logprobs:
        raise ApiError(400, "top_logprobs is given without logprobs; set logprobs to true, too.", "top_logprobs")
    logprobs = (body.top_logprobs or 0) if body.logprobs else None
    max_tokens = body.max_tokens if body.max_completion_tokens is None else body.max_completion_tokens
    schema = answer_schema(body, settings)
    return Asked(
        messages=_with_prefix(body),
        params=sampling_params(body, settings, max_tokens, logprobs),
        tools=body.tools,
        tool_choice=body.tool_choice,
        parallel_tool_calls=body.parallel_tool_calls is not False,
        answer_schema=schema,
        constraint=other_constraint(body, settings) if schema is None else None,
        repetition=repetition_params(body),
        priority=body.priority or 0,
    )


def _with_prefix(body: ChatBody) -> list[dict[str, Any]]:
    """The messages; vLLM's way to have the last one gone on with becomes Mistral's."""
    if not body.continue_final_message:
        return body.messages
    if body.add_generation_prompt:
        raise ApiError(
            400,
            "continue_final_message and add_generation_prompt exclude each other; set one.",
            "continue_final_message",
        )
    return [*body.messages[:-1], *(last | {"prefix": True} for last in body.messages[-1:])]


class _Completion:
    """One request's answer, in pieces or as a whole."""

    def __init__(self, service: Service, body: ChatBody, request_id: str) -> None:
        self._service = service
        self._body = body
        self._frame = {"id": f"chatcmpl-{request_id}", "created": int(time.time()), "model": service.name}

    def whole(self, answers: list[ChatAnswer]) -> dict[str, Any]:
        """All answers at once."""
        tokens = usage([answer.stats for answer in answers], [answers[0].stats])
        choices = [self._choice(index, answer) for index, answer in enumerate(answers)]
        told = self._frame | {"object": "chat.completion", "choices": choices, "usage": tokens}
        if self._body.prompt_logprobs is not None:
            told["prompt_logprobs"] = prompt_logprobs(self._service.tokenizer, answers[0].prompt_drawn)
        return told

    def _choice(self, index: int, answer: ChatAnswer) -> dict[str, Any]:
        (message,) = messages_to_json([Message("assistant", answer.text, tuple(answer.calls))])
        logprobs = {"content": chat_logprobs(self._service.tokenizer, answer.drawn)} if self._body.logprobs else None
        return {
            "index": index,
            "message": message,
            "logprobs": logprobs,
            **finish_facts(answer.finish.reason, answer.finish.stop_string, self._body),
        }

    async def chunks(self, answers: ChatAnswers) -> AsyncIterator[bytes]:
        """All answers as they come, as server-sent events."""
        last: dict[int, RequestStats] = {}
        try:
            for index in range(answers.n):
                yield self._chunk(index, {"role": "assistant", "content": ""})
            async for step in answers.steps():
                last[step.index] = step.output.stats
                for chunk in self._of_step(step):
                    yield chunk
            if self._body.wants_usage:
                tokens = usage(list(last.values()), [last[0]])
                yield data(self._frame | {"object": "chat.completion.chunk", "choices": [], "usage": tokens})
            yield DONE
        finally:
            await answers.aclose()

    def _of_step(self, step: ChatStep) -> list[bytes]:
        logprobs = step.output.logprobs if self._body.logprobs else []
        events = [event for event in step.events if not isinstance(event, FormatProblem)]
        if logprobs and not events:
            events = [ContentDelta("")]
        chunks = []
        for event in events:
            told = {"content": chat_logprobs(self._service.tokenizer, logprobs)} if logprobs else None
            logprobs = []  # the step's tokens are told with the first of its events
            finish = finish_facts(event.reason, event.stop_string, self._body) if isinstance(event, Finish) else None
            chunks.append(self._chunk(step.index, _delta(event), finish, told))
        return chunks

    def _chunk(
        self,
        index: int,
        delta: dict[str, Any],
        finish: dict[str, Any] | None = None,
        logprobs: dict[str, Any] | None = None,
    ) -> bytes:
        choice = {"index": index, "delta": delta, "logprobs": logprobs, **(finish or {"finish_reason": None})}
        return data(self._frame | {"object": "chat.completion.chunk", "choices": [choice]})


def _delta(event: ChatEvent) -> dict[str, Any]:
    match event:
        case ContentDelta(text):
            return {"content": text}
        case ToolCallStart(index, call_id, name):
            call = {"index": index, "id": call_id, "type": "function", "function": {"name": name, "arguments": ""}}
            return {"tool_calls": [call]}
        case ArgumentsDelta(index, text):
            return {"tool_calls": [{"index": index, "function": {"arguments": text}}]}
    return {}
