"""From a request for the engine to what comes of it, for callers who may be refused, fail, or go away."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterable, Sequence
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.types import Scope

from mistralet.engine import Completion, Request, StepOutput
from mistralet.server.answer_log import answer_log
from mistralet.server.errors import ApiError, sentence
from mistralet.server.service import Service

T = TypeVar("T")


class Outputs:
    """What the engine writes for one request; to be left by `aclose`, which cancels what has not ended."""

    def __init__(
        self,
        request: Request,
        outputs: AsyncGenerator[StepOutput, None],
        first: StepOutput | None,
        hear: Callable[[StepOutput], None],
    ) -> None:
        """
        Args:
            first: what was taken from `outputs` already.
            hear: told of all that is given out.
        """
        self.request = request
        self._outputs = outputs
        self._first = first
        self._hear = hear

    def __aiter__(self) -> Outputs:
        return self

    async def __anext__(self) -> StepOutput:
        if self._first is None:
            output = await anext(self._outputs)
        else:
            output, self._first = self._first, None
        self._hear(output)
        if output.finish_reason == "error":
            raise ApiError(500, sentence(output.error or "this answer failed"), code="generation_failed")
        if output.finish_reason == "cancelled":
            raise ApiError(503, "The answer was cancelled; ask again.", code="cancelled", headers={"Retry-After": "1"})
        return output

    async def aclose(self) -> None:
        """Leave; its blocks are free after the engine's step."""
        await self._outputs.aclose()


async def start(service: Service, scope: Scope, request: Request) -> Outputs:
    """Give a request to the engine; returns when it is certain that it is not refused.

    Raises:
        ApiError: too many run or wait (429), or what the answer is to fit cannot be used (400).
        PromptError, UsageError, EngineError: see `AsyncEngine.submit`.
    """
    service.check_room()
    hear = answer_log(service, scope, request)
    length, context = len(request.prompt.ids), service.engine.info.context
    if length >= context:
        raise ApiError(
            400,
            # OpenAI's words, by which clients tell this error from others.
            f"This model's maximum context length is {context} tokens, answer included, but the prompt has {length}; "
            "shorten it.",
            code="context_length_exceeded",
        )
    outputs = await service.engine.submit(request)
    if request.constraint is None:
        return Outputs(request, outputs, None, hear)
    # A grammar is compiled before anything else; if it is refused, that is the first output.
    try:
        first = await anext(outputs)
        if first.finish_reason == "error" and not first.stats.read_tokens:
            raise ApiError(400, sentence(first.error or "the constraint cannot be used"), code="invalid_constraint")
    except BaseException:
        await outputs.aclose()
        raise
    return Outputs(request, outputs, first, hear)


async def start_all(service: Service, scope: Scope, requests: Iterable[Request]) -> list[Outputs]:
    """`start` several requests of one caller; none runs if one is refused."""
    started: list[Outputs] = []
    try:
        for request in requests:
            outputs = await start(service, scope, request)
            started.append(outputs)
    except BaseException:
        await close_all(started)
        raise
    return started


async def close_all(started: Sequence[Outputs]) -> None:
    """Leave all of them."""
    for outputs in started:
        await outputs.aclose()


async def completions(outputs: Outputs) -> list[Completion]:
    """The whole answers of a request."""
    parts: list[list[StepOutput]] = [[] for _ in range(outputs.request.params.n)]
    async for output in outputs:
        parts[output.index].append(output)
    return [Completion.of(each) for each in parts]


async def merged(started: Sequence[Outputs]) -> AsyncIterator[tuple[int, StepOutput]]:
    """What comes of several requests, with the place of each, as it comes."""
    if len(started) == 1:
        async for output in started[0]:
            yield 0, output
        return
    queue: asyncio.Queue[tuple[int, StepOutput] | BaseException | None] = asyncio.Queue()

    async def pump(place: int, outputs: Outputs) -> None:
        try:
            async for output in outputs:
                queue.put_nowait((place, output))
            queue.put_nowait(None)
        except Exception as error:
            queue.put_nowait(error)

    tasks = [asyncio.create_task(pump(*pair)) for pair in enumerate(started)]
    try:
        left = len(tasks)
        while left:
            item = await queue.get()
            if isinstance(item, BaseException):
                raise item
            if item is None:
                left -= 1
            else:
                yield item
    finally:
        await _cancelled(tasks)


async def while_connected(http: HttpRequest, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, which is cancelled if the caller goes away.

    Raises:
        ClientDisconnect: it did.
    """

    async def gone() -> None:
        while (await http.receive())["type"] != "http.disconnect":
            pass

    tasks: list[asyncio.Task[Any]] = [asyncio.create_task(work), asyncio.create_task(gone())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if not tasks[0].done():
            raise ClientDisconnect
        result: T = tasks[0].result()
        return result
    finally:
        await _cancelled(tasks)


async def _cancelled(tasks: Sequence[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(*tasks, return_exceptions=True)
