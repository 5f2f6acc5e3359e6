"""Guessing ahead by prompt lookup: what it gains where answers copy, and what it costs where they do not."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from statistics import geometric_mean, median

from bench.bars import Chapter, Figure
from bench.lookup_cases import COPYING, FREE
from bench.progress import Steps
from bench.report import Row
from mistralet.chat import ChatRequest, Message, chat_format
from mistralet.engine import Engine, EngineOptions, LoadedModel, Request, SamplingParams
from mistralet.model import Prompt

GAIN_BAR, LOSS_BAR = 1.3, 0.97
_WARM_UP = 8  # tokens


@dataclass(frozen=True)
class Answer:
    """One answer."""

    decode: float  # tokens per second after the first
    tokens: int
    guessed: int
    guessed_right: int


@dataclass(frozen=True)
class Case:
    """The answers to one question, without and with guessing, in turn."""

    off: list[Answer]
    on: list[Answer]

    @property
    def ratio(self) -> float:
        """How many times faster the answer comes with guesses, by medians."""
        return median(answer.decode for answer in self.on) / median(answer.decode for answer in self.off)


def run(title: str, loaded: LoadedModel, tokens: int, rounds: int, steps: Steps) -> Chapter:
    """Measure all cases.

    Args:
        tokens: of an answer, at most.
    """
    prompts = {name: _prompt(loaded, text) for name, text in (COPYING | FREE).items()}
    greedy = SamplingParams(temperature=0, max_tokens=tokens, seed=0)
    warm = SamplingParams(temperature=0.7, max_tokens=tokens, seed=0)
    plan = [
        *((f"copying: {name}", prompts[name], greedy) for name in COPYING),
        *((f"free: {name}", prompts[name], greedy) for name in FREE),
        *((f"free at 0.7: {name}", prompts[name], warm) for name in FREE),
    ]
    cases: dict[str, Case] = {}
    for name, prompt, params in plan:
        with steps.step(f"{title}: {name}"):
            cases[name] = measure(loaded, prompt, params, rounds)
    return Chapter(
        f"{title}: prompt lookup",
        figures(cases),
        notes=[
            f"One request at a time, answers of at most {tokens} tokens, {rounds} rounds each without and with guesses "
            "in turn, each with a new engine; the answers are the same. All of a kind: the geometric mean of its "
            "cases' ratios.",
            "Guessed right: "
            + "; ".join(f"{name} {each.on[0].guessed_right} of {each.on[0].tokens}" for name, each in cases.items())
            + " tokens.",
        ],
        raw={name: asdict(case) for name, case in cases.items()},
    )


def measure(loaded: LoadedModel, prompt: Prompt, params: SamplingParams, rounds: int) -> Case:
    """One question, answered in turn without and with guesses; which of the two begins alternates."""
    answers: dict[bool, list[Answer]] = {False: [], True: []}
    for number in range(rounds):
        for guesses in (False, True) if number % 2 == 0 else (True, False):
            answers[guesses].append(_answer(loaded, prompt, params, guesses))
    return Case(answers[False], answers[True])


def figures(cases: Mapping[str, Case]) -> list[Figure]:
    """The table: each kind of work, then each case."""
    kinds: dict[str, list[float]] = {}
    for name, case in cases.items():
        kinds.setdefault(name.partition(":")[0], []).append(case.ratio)
    whole = [
        Figure(
            Row(f"{kind}, all", "times as fast", [geometric_mean(ratios)], [1.0]),
            "no guesses",
            GAIN_BAR if kind == "copying" else LOSS_BAR,
        )
        for kind, ratios in kinds.items()
    ]
    return whole + [
        Figure(
            Row(name, "tokens/s", [answer.decode for answer in case.on], [answer.decode for answer in case.off]),
            "no guesses",
            GAIN_BAR if name.startswith("copying") else LOSS_BAR,
        )
        for name, case in cases.items()
    ]


def _prompt(loaded: LoadedModel, text: str) -> Prompt:
    chat = chat_format(loaded.tokenizer, loaded.model.config.vision)
    return chat.encode(ChatRequest([Message("user", text)]))


def _answer(loaded: LoadedModel, prompt: Prompt, params: SamplingParams, guesses: bool) -> Answer:
    options = EngineOptions(kv_tokens=len(prompt.ids) + (params.max_tokens or 0) + 64, prompt_lookup=guesses)
    engine = Engine(loaded.model, loaded.tokenizer, options)
    # The first steps of a cache take its memory.
    engine.generate([Request(Prompt(prompt.ids[:32]), SamplingParams(temperature=0, max_tokens=_WARM_UP))])
    first = last = 0.0
    for output in engine.stream(Request(prompt, params)):
        last = time.perf_counter()
        first = first or last
        stats = output.stats
    engine.close()
    decode = (stats.output_tokens - 1) / (last - first) if last > first else 0.0
    return Answer(decode, stats.output_tokens, stats.draft_tokens, stats.accepted_tokens)
