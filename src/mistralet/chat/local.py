"""`LocalChat` and `WorkerChat`: a model on this machine, in this process or in one of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, suppress

from mistralet.chat.events import ChatEvent, Finish, ScoredToken, ScoredTokens
from mistralet.chat.format import ChatFormat
from mistralet.chat.model import ModelFacts
from mistralet.chat.request import ChatRequest
from mistralet.chat.turn import Turn
from mistralet.engine import AsyncEngine, Engine, SamplingParams, StepOutput
from mistralet.errors import EngineError, MistraletError
from mistralet.tokenizer import Tokenizer


class LocalChat:
    """A `ChatModel` over an engine in this process; streams at the same time share its steps.

    The engine runs in a thread of its own, and must not be used elsewhere meanwhile.
    """

    def __init__(self, engine: Engine, chat: ChatFormat, name: str) -> None:
        self.name = name
        self._engine = engine
        self._chat = chat
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="engine")

    async def facts(self) -> ModelFacts:
        """See `ChatModel.facts`."""
        return ModelFacts(self._engine.context, self._engine.model.config.vision is not None)

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """See `ChatModel.count_tokens`."""
        return await asyncio.to_thread(_lengths, self._engine.tokenizer, texts)

    async def stream(self, request: ChatRequest, params: SamplingParams) -> AsyncGenerator[ChatEvent, None]:
        """See `ChatModel.stream`."""
        loop = asyncio.get_running_loop()
        turn = await asyncio.to_thread(Turn, self._chat, request, params)
        outputs = await loop.run_in_executor(self._thread, self._engine.stream, turn.request)
        try:
            while not turn.is_finished:
                output = await loop.run_in_executor(self._thread, _next, outputs)
                for event in _events(turn, output, self._engine.tokenizer):
                    yield event
        finally:
            # Not waited for: a step that runs ends first, in that thread. After `close` there is nothing to end.
            with suppress(RuntimeError):
                self._thread.submit(outputs.close)

    def close(self) -> None:
        """End the thread, once its step is over."""
        self._thread.shutdown(cancel_futures=True)


class WorkerChat:
    """A `ChatModel` over an engine in a process of its own."""

    def __init__(self, engine: AsyncEngine, tokenizer: Tokenizer, chat: ChatFormat, name: str) -> None:
        self.name = name
        self._engine = engine
        self._tokenizer = tokenizer
        self._chat = chat

    async def facts(self) -> ModelFacts:
        """See `ChatModel.facts`."""
        info = self._engine.info
        return ModelFacts(info.context, info.config.vision is not None)

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """See `ChatModel.count_tokens`."""
        return await asyncio.to_thread(_lengths, self._tokenizer, texts)

    async def stream(self, request: ChatRequest, params: SamplingParams) -> AsyncGenerator[ChatEvent, None]:
        """See `ChatModel.stream`."""
        turn = await asyncio.to_thread(Turn, self._chat, request, params)
        async with aclosing(self._engine.stream(turn.request)) as outputs:
            async for output in outputs:
                for event in _events(turn, output, self._tokenizer):
                    yield event
                if turn.is_finished:
                    return


def _next(outputs: Iterator[StepOutput]) -> StepOutput:
    try:
        return next(outputs)
    except MistraletError:
        raise
    except Exception as error:
        raise EngineError(f"The engine failed while it wrote this answer: {error!r}; ask again.") from error


def _events(turn: Turn, output: StepOutput, tokenizer: Tokenizer) -> list[ChatEvent]:
    events = turn.read(output)
    for event in events:
        if isinstance(event, Finish) and event.error is not None:
            raise EngineError(event.error)
    scored = [
        ScoredToken(tokenizer.token_bytes(sampled.token), sampled.logprob)
        for sampled in output.logprobs
        if sampled.logprob is not None
    ]
    return [ScoredTokens(tuple(scored)), *events] if scored else events


def _lengths(tokenizer: Tokenizer, texts: Sequence[str]) -> list[int]:
    return [len(tokenizer.encode(text)) for text in texts]
