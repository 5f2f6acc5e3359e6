"""Every refusal and failure, in the shape the caller's client expects."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from mistralet.errors import EngineError, MistraletError

ANTHROPIC_PATH = "/v1/messages"
# The field that a message begins with, such as "messages[3].content".
_FIELD = re.compile(r"[a-z_]+(?:\[\d+\])(?:\.[a-z_]+|\[\d+\])*|tool_choice\b")
# What each client calls an error of a status; OpenAI's for all that are not listed.
_OPENAI_TYPES = {429: "rate_limit_error", 403: "permission_error"}
_ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
}


class ApiError(HTTPException):
    """A request that is not answered, and why, in one sentence."""

    def __init__(
        self,
        status: int,
        message: str,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """
        Args:
            param: the field of the request it is about.
            code: what programs may look at.
        """
        super().__init__(status, message, dict(headers or {}))
        self.message = message
        self.param = param
        self.code = code


def api_error(error: Exception) -> ApiError:
    """What to tell the caller of an error; nothing of what is inside, if it is no refusal."""
    match error:
        case ApiError():
            return error
        case EngineError():
            return ApiError(503, str(error), code="engine_error", headers={"Retry-After": "1"})
        case MistraletError():
            place = _FIELD.match(str(error))
            return ApiError(400, sentence(str(error)), place and place.group())
        case RequestValidationError():
            return _of_validation(error)
        case HTTPException():
            return _of_status(error)
    return ApiError(500, "The server failed to answer this request; its log says why.", code="internal_error")


def sentence(text: str) -> str:
    """A message as a whole sentence, for those of the chat formats are parts of one."""
    names_field = _FIELD.match(text) or "_" in text.partition(" ")[0]
    return (text[:1] if names_field else text[:1].upper()) + text[1:].removesuffix(".") + "."


def error_body(error: ApiError, path: str, request_id: str) -> dict[str, Any]:
    """The JSON of an error, as the client of a path expects it."""
    status = error.status_code
    if path.startswith(ANTHROPIC_PATH):
        kind = _ANTHROPIC_TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")
        return {"type": "error", "error": {"type": kind, "message": error.message}, "request_id": request_id}
    kind = _OPENAI_TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return {"error": {"message": error.message, "type": kind, "param": error.param, "code": error.code}}


def error_response(error: ApiError, path: str, request_id: str) -> Response:
    """An error as an answer."""
    return json_response(error_body(error, path, request_id), error.status_code, error.headers)


def json_response(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """JSON in ASCII, so that whatever a message quotes can be written."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return Response(text, status, dict(headers or {}), media_type="application/json")


async def answer_error(request: Request, error: Exception) -> Response:
    """The handler of all errors that endpoints raise."""
    return error_response(api_error(error), request.url.path, request.scope["request_id"])


def _of_status(error: HTTPException) -> ApiError:
    headers = dict(error.headers or {})
    match error.status_code:
        case 404:
            return ApiError(404, "There is nothing at this address; docs/server.md lists all.", headers=headers)
        case 405:
            allowed = headers.get("Allow", "another method")
            return ApiError(405, f"This address does not take this method; use {allowed}.", headers=headers)
        case 400:  # what FastAPI makes of a body that JSON's reader stumbles over
            return ApiError(400, "The body cannot be read; send JSON in UTF-8, not nested too deeply.")
    return ApiError(error.status_code, sentence(str(error.detail)), headers=headers)


def _of_validation(error: RequestValidationError) -> ApiError:
    first = error.errors()[0]
    place = first["loc"][1:]  # after "body"
    param = _param(place)
    match first["type"]:
        case "json_invalid":
            return ApiError(400, f"The body is not JSON: {first['ctx']['error']} at character {place[0]}.")
        case "missing" if param is None:
            return ApiError(400, "The body is empty; send a JSON object.")
        case "missing":
            return ApiError(400, f"The field '{param}' is missing; give it.", param, "missing_required_parameter")
        case "model_attributes_type" if param is None:
            return ApiError(400, "The body is no JSON object; send one, with 'Content-Type: application/json'.")
    return ApiError(400, sentence(f"the field '{param}' does not do: {_lower(first['msg'])}"), param, "invalid_value")


def _param(place: Sequence[int | str]) -> str | None:
    """A field by its place; parts that name one of several types it may have are left out."""
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in place if not _is_type(part)]
    return "".join(parts).removeprefix(".") or None


def _is_type(part: int | str) -> bool:
    return isinstance(part, str) and ("[" in part or part in ("str", "int", "float", "bool"))


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
