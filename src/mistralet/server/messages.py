"""`/v1/messages`: conversations, in the words of Anthropic's API."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from mistralet.server.conversation import Asked, ask, count_tokens, whole_answers
from mistralet.server.errors import ANTHROPIC_PATH, ApiError, error_body, json_response
from mistralet.server.fields import Body, ModelBody, SamplingFields, answer_schema, sampling_params
from mistralet.server.generation import while_connected
from mistralet.server.message_blocks import chat_messages, chat_tool_choice, chat_tools
from mistralet.server.message_events import events, message
from mistralet.server.service import Service
from mistralet.server.sse import named, stream


class OutputConfig(Body):
    """What the text must fit."""

    format: dict[str, Any] | None = None


class CountBody(ModelBody):
    """A conversation."""

    messages: list[dict[str, Any]]
    system: str | list[dict[str, Any]] | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: dict[str, Any] | None = None
    thinking: dict[str, Any] | None = None
    output_config: OutputConfig | None = None


class MessageBody(CountBody):
    """A conversation, and how it is to go on."""

    max_tokens: int
    stream: bool | None = None
    stop_sequences: list[str] | None = None
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    metadata: dict[str, Any] | None = None
    service_tier: str | None = None


def router(service: Service) -> APIRouter:
    """The endpoints."""
    routes = APIRouter(tags=["messages"])

    @routes.post(ANTHROPIC_PATH)
    async def create_message(body: MessageBody, http: HttpRequest) -> Response:
        """Write the next message of a conversation."""
        service.check(body)
        asking = ask(service, http, _asked(body, service))
        message_id = f"msg_{http.scope['request_id']}"
        if body.stream:
            answers = await while_connected(http, asking)
            return stream(
                events(answers, message_id, service.name),
                lambda error: named("error", error_body(error, ANTHROPIC_PATH, http.scope["request_id"])),
            )

        async def whole() -> dict[str, Any]:
            (answer,) = await whole_answers(await asking)
            return message(answer, message_id, service.name)

        return json_response(await while_connected(http, whole()))

    @routes.post(ANTHROPIC_PATH + "/count_tokens")
    async def count(body: CountBody) -> Response:
        """How many tokens a conversation is."""
        service.check(body)
        asked = _asked(MessageBody.model_validate(body.model_dump() | {"max_tokens": 1}), service)
        return json_response({"input_tokens": await count_tokens(service, asked)})

    return routes


def _asked(body: MessageBody, service: Service) -> Asked:
    if body.thinking and body.thinking.get("type") == "enabled":
        raise ApiError(400, "The model does not think aloud; leave 'thinking' out.", "thinking")
    output_format = body.output_config.format if body.output_config else None
    if output_format is not None:
        output_format = {"type": output_format.get("type"), "json_schema": output_format}
    sampling = SamplingFields.model_validate(
        {
            "stop": body.stop_sequences,
            "temperature": body.temperature,
            "top_k": body.top_k,
            "top_p": body.top_p,
            "response_format": output_format,
        }
    )
    settings = service.settings
    choice = body.tool_choice or {}
    return Asked(
        messages=chat_messages(body.messages, body.system),
        params=sampling_params(sampling, settings, body.max_tokens, None),
        tools=chat_tools(body.tools),
        tool_choice=chat_tool_choice(body.tool_choice),
        parallel_tool_calls=choice.get("disable_parallel_tool_use") is not True,
        answer_schema=answer_schema(sampling, settings),
    )
