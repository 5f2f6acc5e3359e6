"""Engines that a worker process can be told to make, some of which get into trouble on request."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from mistralet.config import KVType
from mistralet.engine import Engine, EngineOptions, StepOutput
from support.letters import LetterTokenizer
from support.random_models import TEXT_AND_VISION, random_model

CONTEXT = 4096
# The second token of a prompt that is to get its engine into trouble.
FAILS, KILLS = 20, 21


class TroubledEngine(Engine):
    """Fails, or dies, in a step of a prompt that asks for it."""

    def step(self) -> list[StepOutput]:
        asked = {s.ids[1] for s in (*self.scheduler.running, *self.scheduler.waiting[:1])}
        outputs = super().step()
        if KILLS in asked:
            os.kill(os.getpid(), signal.SIGKILL)
        if FAILS in asked:
            raise RuntimeError("it was asked to")
        return outputs


@dataclass(frozen=True)
class RandomEngine:
    """A tiny random model with a long context, whose cache rounds nothing."""

    options: EngineOptions = field(default_factory=lambda: EngineOptions(KVType.FLOAT32, 2 * CONTEXT, max_sequences=2))

    def __call__(self, progress: Callable[[int, int], None] = lambda _done, _total: None) -> Engine:
        progress(1, 2)
        model = random_model(replace(TEXT_AND_VISION, max_position_embeddings=CONTEXT))
        progress(2, 2)
        return TroubledEngine(model, LetterTokenizer(), self.options)


def dies_while_it_loads(_progress: Callable[[int, int], None]) -> Engine:
    os._exit(3)
