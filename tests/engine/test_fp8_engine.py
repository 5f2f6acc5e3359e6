"""An engine with an fp8 cache goes on from what it has as if it had read it, and scores nearly as without rounding."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from mistralet.config import KVType
from mistralet.engine import Completion, Engine, EngineOptions, Request, SamplingParams
from mistralet.model import ForwardBatch, KVCache, Prompt
from mistralet.ops import blocks_for
from support.letters import LetterTokenizer
from support.random_models import TEXT, random_model

MODEL = random_model(replace(TEXT, max_position_embeddings=500, head_dim=32))
GREEDY = SamplingParams(temperature=0, max_tokens=6, seed=0)
IDS = torch.randint(20, 128, (100,), generator=torch.Generator().manual_seed(0)).tolist()


def new_engine() -> Engine:
    return Engine(MODEL, LetterTokenizer(), EngineOptions(KVType.FP8, kv_tokens=500))


def answer(engine: Engine, ids: list[int]) -> Completion:
    (completion,) = engine.generate([Request(Prompt(ids), GREEDY)])
    return completion


@pytest.mark.parametrize("shared", [20, 64, 75])  # within a block, whole blocks, both
def test_a_shared_beginning_is_not_read_again(shared: int) -> None:
    engine, question = new_engine(), [*IDS[:shared], 30, 31, 32]
    answer(engine, IDS)
    second = answer(engine, question)
    assert second.stats.cached_tokens == shared
    assert second.token_ids == answer(new_engine(), question).token_ids


def test_several_requests_at_once_answer_as_alone() -> None:
    prompts = [IDS[:70], IDS[10:50], IDS[30:33]]
    together = new_engine().generate([Request(Prompt(ids), GREEDY) for ids in prompts])
    assert [a.token_ids for a in together] == [answer(new_engine(), ids).token_ids for ids in prompts]


def test_scores_are_near_those_of_a_float32_cache() -> None:
    expected, actual = (scores(kv_type) for kv_type in (KVType.FLOAT32, KVType.FP8))
    assert 0 < (actual - expected).square().mean().sqrt() < 0.06 * expected.std()


def scores(kv_type: KVType) -> Tensor:
    """After each token, of a prompt that is read in two parts."""
    cache = KVCache(MODEL.config, kv_type, torch.device("cpu"), blocks_for(len(IDS)))
    with torch.inference_mode():
        parts = [MODEL(ForwardBatch.alone(IDS[a:b], a), cache) for a, b in ((0, 60), (60, 99), (99, 100))]
        return MODEL.logits(torch.cat(parts))
