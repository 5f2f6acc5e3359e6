"""A prompt as a vector: the mean of its last hidden states, whoever shares the engine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest
import torch

from mistralet.config import KVType
from mistralet.engine import Engine, EngineOptions, Request, SamplingParams
from mistralet.model import ForwardBatch, KVCache, MistralSmall, Prompt
from support.letters import LetterTokenizer
from support.random_models import TEXT_AND_VISION, random_model

GREEDY = SamplingParams(temperature=0, max_tokens=8, seed=0)


@pytest.fixture(scope="module")
def model() -> MistralSmall:
    return random_model(replace(TEXT_AND_VISION, max_position_embeddings=256))


@pytest.fixture(params=[False, True], ids=["in turn", "ahead"])
def engine(model: MistralSmall, request: pytest.FixtureRequest) -> Iterator[Engine]:
    # So few blocks and such short steps that prompts are read in parts, and give way to each other.
    options = EngineOptions(kv_type=KVType.FLOAT32, kv_tokens=128, prefill_tokens=8)
    with closing(Engine(model, LetterTokenizer(), options)) as engine:
        engine.launches_ahead = request.param
        yield engine


def prompt(length: int, seed: int = 0) -> Prompt:
    ids = torch.randint(20, 128, (length - 1,), generator=torch.Generator().manual_seed(seed))
    return Prompt([1, *ids.tolist()])


def expected(model: MistralSmall, prompt: Prompt) -> torch.Tensor:
    cache = KVCache(model.config, KVType.FLOAT32, torch.device("cpu"), blocks=4)
    with torch.inference_mode():
        return model.norm(model(ForwardBatch.alone(prompt.ids, 0), cache)).mean(0)


@pytest.mark.parametrize("length", [1, 2, 7, 33, 70])
def test_it_is_the_mean_of_the_last_hidden_states(engine: Engine, model: MistralSmall, length: int) -> None:
    (answer,) = engine.generate([Request(prompt(length), embed=True)])
    assert answer.embedding == pytest.approx(expected(model, prompt(length)).tolist(), abs=1e-5)
    assert (answer.token_ids, answer.text, answer.finish_reason) == ([], "", "stop")
    assert answer.stats.prompt_tokens == answer.stats.read_tokens == length
    assert engine.pool.free == engine.pool.size


def test_neither_company_nor_what_the_cache_has_changes_it(engine: Engine) -> None:
    (alone,) = engine.generate([Request(prompt(40), embed=True)])
    others = [Request(prompt(30, seed), GREEDY) for seed in (1, 2)]
    *answers, again, other = engine.generate(
        [*others, Request(prompt(40), embed=True), Request(prompt(40, 3), embed=True)]
    )
    assert again.embedding == alone.embedding
    assert other.embedding != alone.embedding
    assert [len(answer.token_ids) for answer in answers] == [8, 8]
    assert all(answer.embedding is None for answer in answers)


def test_a_prompt_that_gave_way_is_pooled_once(engine: Engine) -> None:
    (alone,) = engine.generate([Request(prompt(90), embed=True)])
    engine.add(Request(prompt(90), embed=True))
    for _ in range(2):
        engine.step()
    (sequence,) = engine.scheduler.running
    assert 0 < sequence.computed < 90
    engine.scheduler._preempt(sequence)
    outputs = []
    while engine.has_work:
        outputs += engine.step()
    assert outputs[-1].stats.preemptions == 1
    assert outputs[-1].embedding == alone.embedding
