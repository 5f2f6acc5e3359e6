"""Questions about one long text: how much of it is read again, by the prefix cache and after a restart."""

from __future__ import annotations

import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.bars import Chapter, Figure
from bench.decoder import random_ids
from bench.progress import Steps
from bench.report import Row
from mistralet.engine import Completion, Engine, EngineOptions, LoadedModel, Request, SamplingParams
from mistralet.engine.kv_library import KVLibrary
from mistralet.model import Prompt

QUESTION = 16  # tokens
_ANSWER = 4  # tokens: reading is what is measured
BAR = 8.0


@dataclass(frozen=True)
class Read:
    """What was read of all questions of one way to ask."""

    tokens: int  # of prompts that went through the model
    seconds: float
    first_tokens: list[float]  # seconds to each question's first token

    @classmethod
    def of(cls, completions: list[Completion], seconds: float) -> Read:
        """Add up what answers took."""
        stats = [completion.stats for completion in completions]
        return cls(
            sum(each.prompt_tokens - each.cached_tokens for each in stats),
            seconds,
            [each.time_to_first_token for each in stats],
        )


def run(title: str, loaded: LoadedModel, prefix: int, questions: int, steps: Steps) -> Chapter:
    """Ask in turn: each with an empty cache, one after the other with one cache, all at once, and after a restart."""
    ids = random_ids(loaded.model.config.vocab_size, 0, prefix)
    prompts = [
        Prompt(ids + random_ids(loaded.model.config.vocab_size, 1 + index, QUESTION)) for index in range(questions)
    ]
    with steps.step(f"{title}: each question with an empty cache"):
        cold = join([ask(new_engine(loaded, prompts), [prompt]) for prompt in prompts])
    with steps.step(f"{title}: one after the other"):
        engine = new_engine(loaded, prompts)
        warm = join([ask(engine, [prompt]) for prompt in prompts])
    with steps.step(f"{title}: all at once"):
        together = ask(new_engine(loaded, prompts), prompts)
    with tempfile.TemporaryDirectory() as folder, steps.step(f"{title}: after a restart"):
        library = KVLibrary(Path(folder))
        ask(new_engine(loaded, prompts, library), prompts[:1])
        library.close()
        library = KVLibrary(Path(folder))
        restarted = new_engine(loaded, prompts, library)
        after = join([ask(restarted, [prompt]) for prompt in prompts])
        library.close()
    return Chapter(
        f"{title}: {questions} questions about {prefix:,} tokens",
        figures(cold, warm, together, after),
        notes=[
            f"Each question adds {QUESTION} tokens to the text. One run. After a restart: another engine asked one "
            "question before, and left the text on disk; in memory there is nothing.",
            f"First tokens, ms: of the second question {warm.first_tokens[1] * 1e3:.0f} (of the first "
            f"{warm.first_tokens[0] * 1e3:.0f}); after a restart, of the first {after.first_tokens[0] * 1e3:.0f}.",
        ],
        raw={"cold": asdict(cold), "warm": asdict(warm), "together": asdict(together), "restarted": asdict(after)},
    )


def figures(cold: Read, warm: Read, together: Read, after: Read) -> list[Figure]:
    """The table: work and time, against reading the text for every question."""
    ways = (("one after the other", warm), ("all at once", together), ("after a restart", after))
    against = "an empty cache each"
    work = [
        Figure(Row(f"prompts read, {name}", "tokens", [way.tokens], [cold.tokens], None, True), against, BAR)
        for name, way in ways
    ]
    time = [
        Figure(Row(f"all questions, {name}", "s", [way.seconds], [cold.seconds], None, True), against)
        for name, way in ways
    ]
    second = Row("first token, second question", "s", [warm.first_tokens[1]], [cold.first_tokens[1]], None, True)
    return [*work, *time, Figure(second, against)]


def join(reads: list[Read]) -> Read:
    """Of questions that were asked one after the other."""
    return Read(
        sum(read.tokens for read in reads),
        sum(read.seconds for read in reads),
        [seconds for read in reads for seconds in read.first_tokens],
    )


def new_engine(loaded: LoadedModel, prompts: list[Prompt], library: KVLibrary | None = None) -> Engine:
    """An engine whose cache is empty, with room for all prompts."""
    tokens = sum(len(prompt.ids) + _ANSWER for prompt in prompts)
    return Engine(
        loaded.model, loaded.tokenizer, EngineOptions(kv_tokens=tokens), name=loaded.identity, library=library
    )


def ask(engine: Engine, prompts: list[Prompt]) -> Read:
    """Run questions at once."""

    params = SamplingParams(temperature=0, max_tokens=_ANSWER, ignore_eos=True, seed=0)
    begun = time.perf_counter()
    completions = engine.generate([Request(prompt, params) for prompt in prompts])
    return Read.of(completions, time.perf_counter() - begun)
