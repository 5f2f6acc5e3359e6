"""A server whose engine says what a test wants, at once and in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import httpx2

from mistralet.chat import chat_format
from mistralet.config import VisionConfig
from mistralet.engine import EngineInfo, Request, RequestStats, StepOutput
from mistralet.engine.sampling import Sampled
from mistralet.errors import MistraletError, PromptError
from mistralet.server.app import create_app
from mistralet.server.auth import Keys
from mistralet.server.service import Service
from mistralet.server.settings import Settings
from mistralet.tokenizer import Tokenizer
from support.random_models import TEXT_AND_VISION

CONTEXT = 512
Script = Callable[[Request], Iterable[StepOutput | MistraletError]]


def says(text: str, tokenizer: Tokenizer, finish: str = "stop") -> Script:
    """A script that writes `text` a token at a time, as far as the request allows."""

    def script(request: Request) -> Iterable[StepOutput]:
        if request.embed:
            last = output(request, 0, [], "", "stop", RequestStats(len(request.prompt.ids)))
            last.embedding = [3.0, 4.0]
            yield last
            return
        for index in range(request.params.n):
            stats = RequestStats(len(request.prompt.ids))
            ids = tokenizer.encode(text)
            most = request.params.max_tokens or len(ids)
            for place, token in enumerate(ids[:most], start=1):
                stats.output_tokens = place
                is_last = place == min(most, len(ids))
                reason: Any = ("length" if most < len(ids) else finish) if is_last else None
                yield output(request, index, [token], tokenizer.decode([token]), reason, stats)

    return script


def output(
    request: Request, index: int, ids: list[int], text: str, finish: Any, stats: RequestStats, error: str | None = None
) -> StepOutput:
    wanted = request.params.logprobs
    drawn = [] if wanted is None else [Sampled(token, -0.5, [(token, -0.5)][:wanted]) for token in ids]
    return StepOutput(request.id, index, ids, text, finish, stats, error, logprobs=drawn)


@dataclass
class ScriptedEngine:
    """Looks like an `AsyncEngine`."""

    script: Script
    info: EngineInfo
    state: Any = "ready"
    restarts: int = 0
    running: dict[str, Request] = field(default_factory=dict)
    asked: list[Request] = field(default_factory=list)
    hold: asyncio.Event | None = None  # outputs wait for it

    @property
    def unfinished(self) -> int:
        return len(self.running)

    async def submit(self, request: Request) -> AsyncGenerator[StepOutput, None]:
        if not request.prompt.ids:
            raise PromptError("The prompt is empty; say something.")
        self.asked.append(request)
        outputs = self._run(request)
        await anext(outputs)
        return outputs

    async def _run(self, request: Request) -> AsyncGenerator[Any, None]:
        self.running[request.id] = request
        try:
            yield None
            for item in self.script(request):
                if self.hold is not None:
                    await self.hold.wait()
                await asyncio.sleep(0)
                if isinstance(item, MistraletError):
                    raise item
                yield item
        finally:
            del self.running[request.id]


def scripted_service(
    tokenizer: Tokenizer, script: Script, settings: Settings, vision: VisionConfig | None = None
) -> Service:
    info = EngineInfo(replace(TEXT_AND_VISION, vision=vision), CONTEXT, kv_tokens=4096, pid=1)
    chat = chat_format(tokenizer, vision)
    return Service(ScriptedEngine(script, info), tokenizer, chat, "tiny", 1_700_000_000, settings)


@dataclass
class Caller:
    """Sends requests to an application without a network, each in an event loop of its own."""

    service: Service
    keys: Keys

    def __call__(self, method: str, path: str, **given: Any) -> httpx2.Response:
        async def call() -> httpx2.Response:
            transport = httpx2.ASGITransport(create_app(self.service, self.keys))
            async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
                return await client.request(method, path, **given)

        return asyncio.run(call())


NewCaller = Callable[..., Caller]
