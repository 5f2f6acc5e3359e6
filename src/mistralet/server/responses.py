"""`/v1/responses`: conversations, in the words of OpenAI's newer API. Nothing is kept between two requests."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from mistralet.server.conversation import Asked, ask, whole_answers
from mistralet.server.errors import ApiError, json_response
from mistralet.server.fields import SamplingFields, answer_schema, sampling_params
from mistralet.server.generation import while_connected
from mistralet.server.response_events import events, failed_event
from mistralet.server.response_items import chat_messages, chat_tool_choice, chat_tools
from mistralet.server.response_objects import ResponseBody, ResponseWriter
from mistralet.server.service import Service
from mistralet.server.sse import stream


def router(service: Service) -> APIRouter:
    """The endpoint."""
    routes = APIRouter(tags=["responses"])

    @routes.post("/v1/responses")
    async def create_response(body: ResponseBody, http: HttpRequest) -> Response:
        """Write the next message of a conversation."""
        service.check(body)
        asking = ask(service, http, _asked(body, service))
        writer = ResponseWriter(service, body, http.scope["request_id"])
        if body.stream:
            answers = await while_connected(http, asking)
            return stream(events(writer, answers), failed_event)

        async def whole() -> dict[str, Any]:
            (answer,) = await whole_answers(await asking)
            return writer.response(writer.items(answer), answer)

        return json_response(await while_connected(http, whole()))

    return routes


def _asked(body: ResponseBody, service: Service) -> Asked:
    for name, remedy in (
        ("previous_response_id", "send the whole conversation as input"),
        ("conversation", "send the whole conversation as input"),
        ("background", "stream the answer, or wait for it"),
    ):
        if getattr(body, name):
            raise ApiError(400, f"This server keeps nothing between requests: leave '{name}' out, and {remedy}.", name)
    sampling = SamplingFields.model_validate(
        {
            "temperature": body.temperature,
            "top_p": body.top_p,
            "response_format": _chat_format(body.text.format if body.text else None),
        }
    )
    settings = service.settings
    return Asked(
        messages=chat_messages(body.input, body.instructions),
        params=sampling_params(
            sampling, settings, body.max_output_tokens, (body.top_logprobs or 0) if body.wants_logprobs else None
        ),
        tools=chat_tools(body.tools),
        tool_choice=chat_tool_choice(body.tool_choice),
        parallel_tool_calls=body.parallel_tool_calls is not False,
        answer_schema=answer_schema(sampling, settings),
    )


def _chat_format(given: dict[str, Any] | None) -> dict[str, Any] | None:
    """The format in the shape of the older API."""
    if given is not None and given.get("type") == "json_schema":
        return {"type": "json_schema", "json_schema": given}
    return given
