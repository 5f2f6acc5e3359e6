"""What a step takes beside the model: scheduling, building the batch, choosing tokens, watching and keeping answers."""

from __future__ import annotations

import time
from statistics import mean

from bench.bars import Chapter, Figure
from bench.decoder import random_ids
from bench.progress import Steps
from bench.report import Row
from mistralet.engine import Engine, EngineOptions, LoadedModel, RepetitionParams, Request, SamplingParams
from mistralet.engine.answer import Answer
from mistralet.engine.events import Event, Listener
from mistralet.engine.repetition.watchdog import EVERY
from mistralet.model import Prompt

SIZES = (1, 8, 32)  # answers at once
BAR = 1.0  # ms, at the largest size
_PROMPT = 16  # tokens
_SETTLED = 8  # steps before any is counted
_WATCH_BAR = 0.01  # of the time of a step


def run(title: str, loaded: LoadedModel, steps_counted: int, steps: Steps) -> Chapter:
    """Measure the steps in which all answers are written: greedy, and drawn from a nucleus."""
    figures, raw = [], {}
    for name, temperature, top_p in (("greedy", 0.0, 1.0), ("temperature 0.7, top-p 0.9", 0.7, 0.9)):
        for size in SIZES:
            with steps.step(f"{title}: steps of {size}, {name}"):
                params = SamplingParams(
                    temperature=temperature,
                    top_p=top_p,
                    max_tokens=_SETTLED + steps_counted + 8,
                    ignore_eos=True,
                    seed=1,
                )
                overhead, whole = measure(loaded, params, size, steps_counted)
            bar = BAR if size == SIZES[-1] else None
            figures.append(Figure(Row(f"{size} at once, {name}", "ms", overhead), bar=bar))
            raw[f"{size}, {name}"] = {"overhead_ms": overhead, "step_ms": whole}
    with steps.step(f"{title}: the watchdog"):
        share = watchdog_share(loaded, steps_counted)
    figures.append(Figure(Row("repetition watchdog, part of a step of 8", "%", [share * 100]), bar=_WATCH_BAR * 100))
    return Chapter(
        f"{title}: a step beside the model",
        figures,
        notes=[
            f"Medians of means of {EVERY} steps, {steps_counted} in all. All but the model: schedule, batch, penalties "
            "and masks, choice of tokens, text, repetition watchdog, bookkeeping; its own time by the engine's events.",
            "The watchdog's part is the time within it, as a part of the time of all steps.",
        ],
        raw=raw,
    )


def measure(loaded: LoadedModel, params: SamplingParams, size: int, count: int) -> tuple[list[float], list[float]]:
    """Milliseconds of a step, means of some: beside the model, and in all."""
    events: list[Event] = []
    engine = _engine(loaded, params, size, events.append)
    try:
        while any(sequence.pending > 1 for sequence in engine.scheduler.running) or engine.scheduler.waiting:
            engine.step()
        for _ in range(_SETTLED):
            engine.step()
        events.clear()
        while len(engine.scheduler.running) == size and len(events) < count:
            engine.step()
    finally:
        engine.close()
    facts = [event.facts for event in events if event.kind == "step"]
    return (
        _means([1e3 * (fact["seconds"] - fact["model_seconds"]) for fact in facts]),
        _means([1e3 * fact["seconds"] for fact in facts]),
    )


def _means(of_steps: list[float]) -> list[float]:
    """The means of so many steps as lie between two in which the watchdogs do their work."""
    return [mean(of_steps[first : first + EVERY]) for first in range(0, len(of_steps) - EVERY + 1, EVERY)]


def watchdog_share(loaded: LoadedModel, count: int) -> float:
    """The part of decoding that goes into the watchdogs of 8 answers: the time inside `push`, read by a clock."""
    spent = 0.0
    params = SamplingParams(temperature=0.7, max_tokens=count + 2 * _SETTLED, ignore_eos=True, seed=1)
    engine = _engine(loaded, params, 8, None)

    def watched(answer: Answer) -> None:
        push = answer.watchdog.push

        def timed(token: int) -> object:
            nonlocal spent
            begun = time.perf_counter()
            verdict = push(token)
            spent += time.perf_counter() - begun
            return verdict

        answer.watchdog.push = timed  # type: ignore[method-assign, assignment]

    try:
        for sequence in engine.scheduler.waiting:
            watched(sequence.answer)
        while any(sequence.pending > 1 for sequence in engine.scheduler.running) or engine.scheduler.waiting:
            engine.step()
        spent, begun = 0.0, time.perf_counter()
        for _ in range(count):
            engine.step()
        return spent / (time.perf_counter() - begun)
    finally:
        engine.close()


def _engine(loaded: LoadedModel, params: SamplingParams, size: int, listener: Listener | None) -> Engine:
    options = EngineOptions(
        kv_tokens=size * (_PROMPT + (params.max_tokens or 0) + 64), max_sequences=size, prompt_lookup=False
    )
    engine = Engine(loaded.model, loaded.tokenizer, options, listener=listener)
    for index in range(size):
        prompt = Prompt(random_ids(loaded.model.config.vocab_size, index, _PROMPT))
        engine.add(Request(prompt, params, repetition=RepetitionParams()))
    return engine
