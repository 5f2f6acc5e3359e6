"""`RemoteChat`: a model behind any OpenAI-compatible URL."""

from __future__ import annotations

import asyncio
import json
import math
import os
import ssl
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import fields
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mistralet.chat.events import ChatEvent
from mistralet.chat.model import ModelFacts
from mistralet.chat.openai_json import messages_to_json, tool_choice_to_json, tools_to_json
from mistralet.chat.remote_answer import RemoteAnswer
from mistralet.chat.request import ChatRequest
from mistralet.engine import SamplingParams
from mistralet.errors import EngineError, UsageError

if TYPE_CHECKING:
    import httpx2

_KEY_VARIABLES = ("MISTRALET_API_KEY", "OPENAI_API_KEY")
_CONNECT_SECONDS = 10.0
_BUSY = (429, 503)
_TRIES = 5
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 60.0  # seconds between tries
# Of a server that does not say how much its model takes.
_LEAST_CONTEXT = 8192  # tokens
_BYTES_PER_TOKEN = 3.0  # where it does not count: fewer than nearly every text has, so that no plan asks for too much
# Sent whatever they are; other parameters, which not every server knows, only if they are not the default.
_ALWAYS_SENT = ("temperature", "top_p", "seed")
_NOT_SENT = ("n", "logprobs", "prompt_logprobs", "dry_sequence_breakers")


class RemoteChat:
    """Asks `/v1/chat/completions` of a server.

    Args:
        url: the server's, with or without `/v1`.
        model: its name there; None: the only one that the server has.
        api_key: None: that in the environment variable MISTRALET_API_KEY, else in OPENAI_API_KEY, else none.
        timeout: seconds to wait for the next piece of an answer; the first comes when the prompt is read.

    Raises:
        UsageError: the URL is none.
    """

    def __init__(
        self, url: str, model: str | None = None, *, api_key: str | None = None, timeout: float = 600.0
    ) -> None:
        self.url = _base_url(url)
        self.model = model
        self.timeout = timeout
        self._key = api_key or next(filter(None, map(os.environ.get, _KEY_VARIABLES)), None)

    @property
    def name(self) -> str:
        """The model's name, or the server's URL until it is known."""
        return self.model or self.url

    async def stream(self, request: ChatRequest, params: SamplingParams) -> AsyncGenerator[ChatEvent, None]:
        """See `ChatModel`. A server that is busy is asked again, as late as it says."""
        async with self._client() as client:
            if self.model is None:
                self.model = await self._only_model(client)
            body = _body(self.model, request, params)
            answer = RemoteAnswer(request.messages)
            async with self._posted(client, body) as response:
                async for chunk in self._chunks(response):
                    for event in answer.add(chunk):
                        yield event
            if not answer.has_ended:
                raise EngineError(f"{self.url}: the answer broke off; ask again.")
            for event in answer.end():
                yield event

    async def facts(self) -> ModelFacts:
        """See `ChatModel.facts`. A server that does not say is taken to have 8,192 tokens, and to read pictures."""
        async with self._client() as client:
            told = await self._told_model(client)
        context = told.get("max_model_len")
        return ModelFacts(
            context if isinstance(context, int) and context > 0 else _LEAST_CONTEXT, told.get("vision") is not False
        )

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """See `ChatModel.count_tokens`; by the server's `/tokenize`, or estimated where it has none."""
        async with self._client() as client:
            if self.model is None:
                self.model = await self._only_model(client)
            return [await self._length(client, text) for text in texts]

    async def _length(self, client: httpx2.AsyncClient, text: str) -> int:
        body = {"model": self.model, "prompt": text, "add_special_tokens": False}
        response = await client.post(f"{self.url.removesuffix('/v1')}/tokenize", json=body)
        told = _json(response.content) if response.status_code == 200 else None
        count = told.get("count") if isinstance(told, dict) else None
        return count if isinstance(count, int) else math.ceil(len(text.encode()) / _BYTES_PER_TOKEN)

    @asynccontextmanager
    async def _client(self) -> AsyncGenerator[httpx2.AsyncClient, None]:
        import httpx2

        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        timeout = httpx2.Timeout(self.timeout, connect=_CONNECT_SECONDS)
        try:
            async with httpx2.AsyncClient(headers=headers, timeout=timeout, verify=self._certificates) as client:
                yield client
        except httpx2.ConnectError as error:
            raise EngineError(f"{self.url}: cannot be reached ({error}); is the server running?") from error
        except httpx2.TimeoutException as error:
            raise EngineError(f"{self.url}: gave no answer in time; give it more, or ask for less.") from error
        except httpx2.HTTPError as error:
            raise EngineError(f"{self.url}: the answer broke off ({error}); ask again.") from error

    @cached_property
    def _certificates(self) -> ssl.SSLContext:
        """Read once, as that takes longer than a request does."""
        import httpx2

        return httpx2.create_ssl_context()

    async def _told_model(self, client: httpx2.AsyncClient) -> dict[str, Any]:
        """What the server's list says of the model."""
        if self.model is None:
            self.model = await self._only_model(client)
        entries = _entries(await client.get(f"{self.url}/models"))
        return next((entry for entry in entries if entry["id"] == self.model), {})

    async def _only_model(self, client: httpx2.AsyncClient) -> str:
        response = await client.get(f"{self.url}/models")
        names = [str(entry["id"]) for entry in _entries(response)]
        if len(names) == 1:
            return names[0]
        if not names:
            raise EngineError(f"{self.url}: does not say which models it has ({_complaint(response)}); name one.")
        raise UsageError(f"{self.url}: has several models, such as {', '.join(names[:5])}; name one.")

    @asynccontextmanager
    async def _posted(self, client: httpx2.AsyncClient, body: dict[str, Any]) -> AsyncGenerator[httpx2.Response, None]:
        """The server's answer, once it takes the request."""
        wait = _FIRST_WAIT
        for attempt in range(1, _TRIES + 1):
            async with client.stream("POST", f"{self.url}/chat/completions", json=body) as response:
                if response.status_code == 200:
                    yield response
                    return
                await response.aread()
            told = _retry_after(response.headers.get("retry-after"))
            delay = wait if told is None else told
            if response.status_code not in _BUSY or attempt == _TRIES or delay > _LONGEST_WAIT:
                raise EngineError(f"{self.url}: {_complaint(response)}")
            await asyncio.sleep(delay)
            wait *= 2

    async def _chunks(self, response: httpx2.Response) -> AsyncGenerator[dict[str, Any], None]:
        """The JSON objects of an answer: of a stream of events, or one if the server does not stream."""
        import httpx2

        if response.headers.get("content-type", "").startswith("application/json"):
            yield self._checked(_json(await response.aread()))
            return
        async for event in httpx2.EventSource(response):
            if event.data == "[DONE]":
                return
            if event.data:
                yield self._checked(_json(event.data))

    def _checked(self, chunk: object) -> dict[str, Any]:
        if not isinstance(chunk, dict):
            raise EngineError(f"{self.url}: sent what is no JSON object; is it an OpenAI-compatible server?")
        if chunk.get("error"):
            raise EngineError(f"{self.url}: {_message(chunk)}")
        return chunk


def _entries(response: httpx2.Response) -> list[dict[str, Any]]:
    """The models of a server's list; none if it gives no list."""
    listing = _json(response.content) if response.status_code == 200 else None
    entries = listing.get("data") if isinstance(listing, dict) else None
    if not isinstance(entries, list):
        return []
    return [entry for entry in entries if isinstance(entry, dict) and "id" in entry]


def _base_url(url: str) -> str:
    import httpx2

    try:
        parsed = httpx2.URL(url)
    except (httpx2.InvalidURL, TypeError) as error:
        raise UsageError(f"'{url}' is no URL ({error}); give one such as http://localhost:8000.") from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise UsageError(f"'{url}' is no http URL; give one such as http://localhost:8000.")
    base = url.rstrip("/").removesuffix("/chat/completions")
    return base if parsed.path.strip("/") else f"{base}/v1"


def _body(model: str, request: ChatRequest, params: SamplingParams) -> dict[str, Any]:
    body: dict[str, Any] = {
        "model": model,
        "messages": messages_to_json(request.messages),
        "stream": True,
        "stream_options": {"include_usage": True},
        **_params_to_json(params),
    }
    if request.tools:
        body["tools"] = tools_to_json(request.tools)
        body["tool_choice"] = tool_choice_to_json(request.tool_choice)
        body["parallel_tool_calls"] = request.parallel_tool_calls
    if request.answer_schema is not None:
        answer = {"name": "answer", "schema": request.answer_schema, "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": answer}
    return body


def _params_to_json(params: SamplingParams) -> dict[str, Any]:
    default = SamplingParams(seed=0)
    names = [field.name for field in fields(params) if field.name not in _NOT_SENT]
    values = {name: getattr(params, name) for name in names}
    sent = {name: value for name, value in values.items() if name in _ALWAYS_SENT or value != getattr(default, name)}
    if params.logprobs is not None:
        sent |= {"logprobs": True, "top_logprobs": params.logprobs}
    if "logit_bias" in sent:
        sent["logit_bias"] = {str(token): bias for token, bias in params.logit_bias.items()}
    return sent


def _retry_after(header: str | None) -> float | None:
    """Seconds, from the header's seconds or date (RFC 9110, 10.2.3); None if it says nothing."""
    if not header:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):  # no date, or one without a zone
        return None


def _complaint(response: httpx2.Response) -> str:
    """What a server says is wrong, in one line."""
    message = _message(_json(response.content)) or response.text.strip().split("\n", 1)[0][:300]
    return f"{response.status_code} {response.reason_phrase}" + (f": {message}" if message else "")


def _message(body: object) -> str:
    """The message in an error's body: OpenAI's form, FastAPI's, or a plain one."""
    for key in ("error", "message", "detail"):
        if isinstance(body, dict) and body.get(key):
            inner = body[key]
            return inner if isinstance(inner, str) else _message(inner) or json.dumps(inner, ensure_ascii=False)[:300]
    return ""


def _json(text: str | bytes) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return None
