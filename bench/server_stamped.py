"""A server of mistralet's whose text is the time at which the engine chose each token.

What a client's clock shows beyond that is what the server takes: from the engine's process through pipe, event loop,
JSON and HTTP to the client. On Linux `time.perf_counter` is the same clock in all processes.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path

from mistralet.engine import Engine, EngineOptions, LoadSpec, StepOutput
from mistralet.engine.packed_file import Progress
from mistralet.server.auth import Keys
from mistralet.server.bind import bind
from mistralet.server.lifetime import run, serve
from mistralet.server.settings import Settings


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


def main() -> None:
    """Serve until told to end: `python -m bench.server_stamped MODEL PORT KV_TOKENS`."""
    model, port, kv_tokens = sys.argv[1:]
    settings = Settings(port=int(port), kv_tokens=int(kv_tokens))
    spec = StampedSpec(Path(model), options=EngineOptions(kv_tokens=int(kv_tokens), prompt_lookup=False))
    with bind(settings) as bound:
        run(serve(settings, Keys(()), spec, "stamped", bound))


if __name__ == "__main__":
    main()
