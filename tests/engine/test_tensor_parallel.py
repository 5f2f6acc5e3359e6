"""Two processes that have a model together compute what one does; when one dies, that is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import torch
from torch import Tensor

from mistralet.config import KVType
from mistralet.engine import Engine, EngineOptions, LoadSpec, Request, SamplingParams
from mistralet.engine.load import load
from mistralet.errors import EngineError, UsageError
from mistralet.model import Prompt, PromptImage
from mistralet.model.shard import shard_config
from support.models import write_native_model
from support.random_models import TEXT

OPTIONS = EngineOptions(KVType.FLOAT32, kv_tokens=1024, prompt_lookup=False)
GREEDY = SamplingParams(temperature=0, max_tokens=12, logprobs=3, ignore_eos=True)


@pytest.fixture(scope="module")
def folder(tekken_path: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_native_model(tmp_path_factory.mktemp("model"), tekken_path("v11-image"))


@pytest.fixture(scope="module")
def alone(folder: Path) -> Iterator[Engine]:
    loaded = load(folder, round_vision=False)  # as several processes have it
    with closing(Engine(loaded.model, loaded.tokenizer, OPTIONS)) as engine:
        yield engine


def text(length: int, seed: int = 0) -> Prompt:
    ids = torch.randint(1000, 5000, (length,), generator=torch.Generator().manual_seed(seed))
    return Prompt([1, *ids.tolist()])


def with_picture() -> Prompt:
    pixels = torch.randn(3, 56, 84, generator=torch.Generator().manual_seed(5))
    ids = [1, 2000, *([10, 10, 10, 12, 10, 10, 10, 13]), 3000]
    return Prompt(ids, [PromptImage(pixels, digest="5", start=2, columns=3, rows=2)])


def followers() -> list[psutil.Process]:
    return [each for each in psutil.Process().children() if "mistralet.engine.follower" in each.cmdline()]


def matrix(engine: Engine, name: str) -> Tensor:
    weight = engine.model.get_submodule(name).weight
    assert isinstance(weight, Tensor)
    return weight


def check_halves(pair: Engine, alone: Engine) -> None:
    halves = {"layers.0.feed_forward.w1": 0, "layers.0.feed_forward.w2": 1, "output": 0, "tok_embeddings": 0}
    for name, dimension in halves.items():
        mine, whole = matrix(pair, name), matrix(alone, name)
        assert torch.equal(mine, whole.chunk(2, dimension)[0])
    assert 2 * pair.cache.nbytes == alone.cache.nbytes


def test_answers_are_those_of_one_process(folder: Path, alone: Engine) -> None:
    with closing(LoadSpec(folder, options=OPTIONS, tensor_parallel=2)()) as pair:
        check_halves(pair, alone)
        check_answers(pair, alone)
    assert followers() == []


def check_answers(pair: Engine, alone: Engine) -> None:
    # The second prompt begins as the first does, within a block: its block is copied in both processes.
    prompts = [text(50), Prompt([*text(50).ids[:45], 77, 78]), text(7, seed=1), with_picture()]
    requests = [Request(prompt, GREEDY) for prompt in prompts]
    together, one = ([*engine.generate(requests[:1]), *engine.generate(requests[1:])] for engine in (pair, alone))
    for mine, expected in zip(together, one, strict=True):
        assert mine.token_ids == expected.token_ids
        assert mine.logprobs is not None
        assert expected.logprobs is not None
        for ours, theirs in zip(mine.logprobs, expected.logprobs, strict=True):
            assert ours.logprob == pytest.approx(theirs.logprob, abs=1e-3)


def test_the_model_of_a_dead_process_is_an_error(folder: Path) -> None:
    with closing(LoadSpec(folder, options=OPTIONS, tensor_parallel=2)()) as engine:
        with pytest.raises(UsageError, match="one model at a time"):
            LoadSpec(folder, options=OPTIONS, tensor_parallel=2)()
        engine.generate([Request(text(5), replace(GREEDY, max_tokens=1))])
        oldest, *_ = sorted(followers(), key=lambda process: process.create_time())
        oldest.kill()
        with pytest.raises(EngineError, match="Another process of the tensor-parallel group has ended"):
            engine.generate([Request(text(500, seed=2), GREEDY)])
    assert followers() == []


def test_what_cannot_be_split_is_refused(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"heads of vision \(2\) cannot be split among 4 processes"):
        LoadSpec(folder, options=OPTIONS, tensor_parallel=4)()
    with pytest.raises(UsageError, match=r"key heads \(2\) cannot be split among 4 processes"):
        shard_config(TEXT, 4)
    with pytest.raises(UsageError, match="goes without prompts on disk"):
        LoadSpec(folder, tensor_parallel=2, library_bytes=1)()
    assert shard_config(TEXT, 1) is TEXT
