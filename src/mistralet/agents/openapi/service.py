"""`Service`: sends a request to the address it is meant for, and gives the answer as text."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from types import TracebackType
from urllib.parse import urlsplit

import httpx2

from mistralet.agents.foreign import not_shown
from mistralet.agents.openapi.operation import Request
from mistralet.errors import ToolError

_MOST_REDIRECTS = 3
_LARGEST_ANSWER = 1 << 20  # bytes that are read
_LONGEST_ERROR = 800  # characters of what a service says with an error
_TEXT = re.compile(r"text/.*|application/([\w.+-]+\+)?(json|xml|yaml|x-ndjson|javascript|x-www-form-urlencoded)")


def is_http(url: str) -> bool:
    """Whether it is a full URL of HTTP to which a path can be added."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and not (parts.query or parts.fragment)
    except ValueError:
        return False


class Service:
    """A client of HTTP services, open while it is entered.

    Redirects are followed to the same scheme, host and port only. An answer is read up to 1 MiB.
    """

    def __init__(self, headers: Mapping[str, str], query: Mapping[str, str], seconds: float) -> None:
        # What is compressed may be of any size when it is not any more.
        always = {"Accept": "application/json, text/*;q=0.9, */*;q=0.5", "Accept-Encoding": "identity"}
        self._client = httpx2.AsyncClient(headers=always | dict(headers), timeout=seconds)
        self._query = list(query.items())
        self._seconds = seconds

    async def __aenter__(self) -> Service:
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def send(self, base: str, request: Request) -> str:
        """The text of an answer.

        Raises:
            ToolError: there is none in time, or it is an error; the sentence is meant for the model.
        """
        query = httpx2.QueryParams(tuple(self._query + request.query))
        url = httpx2.URL(base.rstrip("/") + request.path, params=query or None)
        headers = [(name.encode(), value.encode()) for name, value in request.headers.items()]
        to_send = self._client.build_request(request.method, url, headers=headers, content=request.body)
        try:
            async with asyncio.timeout(self._seconds):
                return await self._answer(to_send)
        except (TimeoutError, httpx2.TimeoutException) as error:
            raise ToolError(f"the service did not answer within {self._seconds:g} seconds") from error
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) as error:
            raise ToolError(f"the service cannot be reached: {error or type(error).__name__}") from error

    async def _answer(self, request: httpx2.Request) -> str:
        for _ in range(_MOST_REDIRECTS + 1):
            response = await self._client.send(request, stream=True, follow_redirects=False)
            try:
                if response.next_request is None:
                    return await _text(response)
                if _origin(response.next_request.url) != _origin(request.url):
                    target = response.next_request.url
                    raise ToolError(f"the service redirects to {target.scheme}://{target.host}, which is not followed")
                request = response.next_request
            finally:
                await response.aclose()
        raise ToolError(f"the service redirected more than {_MOST_REDIRECTS} times")


async def _text(response: httpx2.Response) -> str:
    body = bytearray()
    async for data in response.aiter_bytes():
        body += data
        if len(body) > _LARGEST_ANSWER:
            break
    kind = response.headers.get("Content-Type", "").split(";")[0].strip().lower()
    text = _shown(bytes(body), kind, response)
    status = f"HTTP {response.status_code} {response.reason_phrase}".strip()
    if response.is_error:
        raise ToolError(f"{status}: {text[:_LONGEST_ERROR]}" if text else status)
    return text or status


def _shown(body: bytes, kind: str, response: httpx2.Response) -> str:
    if not body:
        return ""
    whole = len(body) <= _LARGEST_ANSWER
    size = len(body) if whole else int(response.headers.get("Content-Length", len(body)))
    if kind and not _TEXT.fullmatch(kind):
        return not_shown(kind, size)
    try:
        encoding = response.charset_encoding or "utf-8"
        text = body[:_LARGEST_ANSWER].decode(encoding, errors="strict" if not kind else "replace")
    except (UnicodeDecodeError, LookupError):
        return not_shown("binary data", size)
    return text if whole else f"{text}\n[Cut here: the answer is longer than {_LARGEST_ANSWER >> 20} MiB.]"


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port
