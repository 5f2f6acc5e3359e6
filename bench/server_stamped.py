"""A server of mistralet's whose text is the time at which the engine chose each token.

What a clock shows beyond that is what the server takes: from the engine's process through pipe, event loop, JSON and
HTTP to the socket, and on to the client. On Linux `time.perf_counter` is the same clock in all processes.
"""

from __future__ import annotations

import json
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mistralet.engine import Engine, EngineOptions, LoadSpec, StepOutput
from mistralet.engine.packed_file import Progress
from mistralet.server import lifetime
from mistralet.server.app import create_app
from mistralet.server.auth import Keys
from mistralet.server.bind import bind
from mistralet.server.lifetime import run, serve
from mistralet.server.settings import Settings

_STAMP = re.compile(rb'"text":"([0-9.]+)"')


@dataclass(frozen=True)
class StampedSpec(LoadSpec):
    """Makes an engine whose outputs say when they were made."""

    def __call__(self, progress: Progress | None = None) -> Engine:
        """See `LoadSpec`."""
        engine = super().__call__(progress)
        step = engine.step

        def stamped() -> list[StepOutput]:
            outputs = step()
            now = time.perf_counter()
            for output in outputs:
                output.text = f"{now:.7f}" if output.token_ids else ""
            return outputs

        engine.step = stamped  # type: ignore[method-assign]
        return engine


class SentTimes:
    """ASGI middleware: notes how long each token took until it was sent; `GET /sent` tells (ms), and forgets them."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._delays: list[float] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] == "http" and scope["path"] == "/sent":
            body, self._delays = json.dumps(self._delays).encode(), []
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": body})
            return

        async def noted(message: Message) -> None:
            await send(message)
            if stamp := _STAMP.search(message.get("body", b"")):
                self._delays.append(1e3 * (time.perf_counter() - float(stamp[1])))

        await self.app(scope, receive, noted)


def main() -> None:
    """Serve until told to end: `python -m bench.server_stamped MODEL PORT KV_TOKENS`."""
    model, port, kv_tokens = sys.argv[1:]
    settings = Settings(port=int(port), kv_tokens=int(kv_tokens))
    spec = StampedSpec(Path(model), options=EngineOptions(kv_tokens=int(kv_tokens), prompt_lookup=False))
    timed = patch.object(lifetime, "create_app", lambda *given: SentTimes(create_app(*given)))
    with timed, bind(settings) as bound:
        run(serve(settings, Keys(()), spec, "stamped", bound))


if __name__ == "__main__":
    main()
