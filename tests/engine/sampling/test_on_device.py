"""What is chosen where the scores are: the tokens that reference.py defines, whatever the company, and no waiting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mistralet.engine import SamplingParams
from mistralet.engine.sampling import Sampled, Sampler, SamplerRow, on_device, reference
from mistralet.engine.sampling.sampled import NOT_A_NUMBER, NOTHING_ALLOWED
from support.any_sampling import bits, parameters

VOCABULARIES = [1, 5, 31, 33, 300, 2001]
WAITS = {"__bool__", "__int__", "__float__", "__index__", "cpu", "equal", "item", "masked_select", "nonzero", "tolist"}


class OnGPU(Tensor):
    """Says that it is on a GPU, and remembers, with all that comes of it, for what the host would wait there."""

    is_cuda = True
    waits: ClassVar[list[str]] = []

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        by_mask = func.__name__ in ("__getitem__", "__setitem__") and getattr(args[1], "dtype", None) is torch.bool
        if by_mask or func.__name__ in WAITS:
            cls.waits.append(func.__name__)
        return super().__torch_function__(func, types, args, kwargs)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(OnGPU, "waits", [])
    return OnGPU.waits


@st.composite
def rows(draw: st.DrawFn) -> SamplerRow:
    """A row of any sequence, with any parameters, some with a mask, a bias and logprobs."""
    changes = {
        "seed": draw(st.integers(0, 1000)),
        "logprobs": draw(st.none() | st.integers(0, 20)),
        "min_tokens": draw(st.sampled_from([0, 0, 30])),
        "stop_token_ids": draw(st.lists(st.integers(0, 4), max_size=2)),
    }
    if draw(st.booleans()):
        changes["temperature"] = draw(st.sampled_from([0.0, 1e-30, 0.15]))
    tokens = st.lists(st.integers(0, 40), max_size=20)
    params = replace(draw(parameters()), **changes)
    row = SamplerRow(params, draw(tokens), draw(tokens), frozenset({2}), draw(st.frozensets(st.integers(0, 4))))
    row = row.after(draw(st.lists(st.integers(0, 4), max_size=3)))
    if draw(st.booleans()):
        row.allowed = bits(draw(st.sets(st.integers(0, 63))), 64)
    row.bias = draw(st.none() | st.dictionaries(st.integers(0, 40), st.sampled_from([-2.5, 1.0, -torch.inf])))
    return row


def scores_for(count: int, vocab_size: int, seed: int, ties: bool) -> Tensor:
    scores = torch.randn(count, vocab_size, generator=torch.Generator().manual_seed(seed)) * 3
    if ties:
        scores = scores.round()  # zeros of both signs among them
    if seed % 5 == 0:
        scores[seed % count, seed % vocab_size] = (torch.nan, torch.inf, -torch.inf)[seed % 3]
    return scores


def by_definition(scores: Tensor, batch: Sequence[SamplerRow]) -> list[Sampled]:
    return [reference.sample(*pair) for pair in zip(scores, batch, strict=True)]


@settings(deadline=None, max_examples=40)
@given(
    batch=st.lists(rows(), min_size=1, max_size=6),
    vocab_size=st.sampled_from(VOCABULARIES),
    seed=st.integers(0, 1000),
    ties=st.booleans(),
)
def test_every_row_gets_what_the_definition_says(
    batch: list[SamplerRow], vocab_size: int, seed: int, ties: bool
) -> None:
    scores = scores_for(len(batch), vocab_size, seed, ties)
    before = scores.clone()
    assert on_device.sample(scores, batch) == by_definition(scores, batch)
    assert scores.nan_to_num(7).equal(before.nan_to_num(7))


@settings(deadline=None, max_examples=25)
@given(
    batch=st.lists(rows(), min_size=1, max_size=6),
    order=st.randoms(use_true_random=False),
    repeated=st.sampled_from([1, 1, 12]),  # more rows than are worked on at once
    seed=st.integers(0, 1000),
)
def test_a_row_is_the_same_alone_and_in_any_company(
    batch: list[SamplerRow], order: Any, repeated: int, seed: int
) -> None:
    scores = scores_for(len(batch), 300, seed, ties=seed % 2 == 0)
    alone = [on_device.sample(scores[[place]], [row])[0] for place, row in enumerate(batch)]
    places = [*range(len(batch))] * repeated
    order.shuffle(places)
    together = on_device.sample(scores[places], [batch[place] for place in places])
    assert together == [alone[place] for place in places]


@pytest.mark.parametrize("changes", [{}, {"top_k": 40}, {"top_p": 0.9}, {"top_k": 2000, "top_p": 0.99, "min_p": 1e-6}])
def test_with_the_vocabulary_of_the_family(changes: dict[str, Any]) -> None:
    scores = scores_for(2, 131_072, seed=1, ties=False)
    batch = [SamplerRow(SamplingParams(temperature=1, seed=seed, logprobs=3, **changes)) for seed in range(2)]
    assert on_device.sample(scores, batch) == by_definition(scores, batch)


@pytest.mark.parametrize(
    "changes",
    [
        *({"temperature": temperature} for temperature in (0, 1e-300, 1e-6, 100)),
        *({"temperature": 1, "top_p": top_p} for top_p in (1e-9, 1 / 3, 1 - 1e-9, 1.0)),
        *({"temperature": 1, "min_p": min_p} for min_p in (1e-30, 0.5, 1.0)),
        *({"temperature": 1, "top_k": top_k} for top_k in (1, 2, 3, 5, 6, 7, 1000)),
        {"temperature": 1, "top_k": 3, "top_p": 0.5},
    ],
    ids=repr,
)
@pytest.mark.parametrize(
    "scores",
    [
        [0.0, 1, 1, 1, 0, 1],
        [-0.0, 0, -0.0, 0, -0.0, 0],
        [-torch.inf, 2, -torch.inf, 2, 1, 2],
        [-torch.inf] * 6,
        [3e38, -3e38, 3e38, 0, -1e-45, 1e-45],
        [0, torch.nan, torch.inf, 0, 0, 0],
        [torch.inf] * 6,
    ],
    ids=repr,
)
def test_equals_and_extremes(changes: dict[str, Any], scores: list[float]) -> None:
    batch = [SamplerRow(SamplingParams(seed=seed, logprobs=6, **changes)) for seed in range(12)]
    repeated = torch.tensor([scores] * len(batch))
    assert repr(on_device.sample(repeated, batch)) == repr(by_definition(repeated, batch))  # a NaN is not itself


@pytest.mark.parametrize("top_p", [1.0, 0.8])
def test_rows_that_keep_more_and_fewer_stand_side_by_side(top_p: float) -> None:
    params = [SamplingParams(temperature=9, top_k=k, top_p=top_p, seed=seed) for k in range(7) for seed in range(9)]
    batch = [SamplerRow(each) for each in params]
    scores = torch.tensor([[0.0, 1, 1, 2, 0, 1]] * len(batch))
    assert on_device.sample(scores, batch) == by_definition(scores, batch)


@pytest.mark.parametrize("number", [0.0, 0.5, 1 - 2.0**-53])
@pytest.mark.parametrize("changes", [{}, {"top_k": 2}, {"top_p": 0.4}], ids=repr)
def test_tokens_that_are_not_kept_are_drawn_by_no_number(
    changes: dict[str, Any], number: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (on_device, reference):
        monkeypatch.setattr(module, "uniform", lambda *_: number)
    scores = torch.tensor([[-torch.inf, 1, -torch.inf, 1, -torch.inf]])
    row = SamplerRow(SamplingParams(temperature=1, **changes))
    expected = [Sampled(1 if number < 0.5 else 3)]
    assert on_device.sample(scores, [row]) == by_definition(scores, [row]) == expected


@pytest.mark.parametrize("temperature", [0, 1])
def test_rows_that_cannot_be_drawn_say_so_for_themselves(temperature: float) -> None:
    params = SamplingParams(temperature=temperature, top_k=3, top_p=0.9, seed=1, logprobs=1)
    batch = [SamplerRow(params) for _ in range(5)]
    scores = scores_for(5, 70, seed=1, ties=False)
    scores[0, 69], scores[1, 0], scores[2] = torch.nan, torch.inf, -torch.inf
    batch[3].allowed = bits(set(), 32)
    told = on_device.sample(scores, batch)
    assert [each.problem for each in told] == [NOT_A_NUMBER, NOT_A_NUMBER, NOTHING_ALLOWED, NOTHING_ALLOWED, None]
    assert told[4] == reference.sample(scores[4], batch[4])


@pytest.mark.parametrize("tokens", [64, 70, 128])
def test_a_mask_may_be_shorter_and_longer_than_the_vocabulary(tokens: int) -> None:
    batch = [SamplerRow(SamplingParams(temperature=0)) for _ in range(3)]
    scores = torch.arange(70.0).repeat(3, 1)
    batch[1].allowed = bits({3, 31, 63}, tokens)
    assert [each.token for each in on_device.sample(scores, batch)] == [69, 63, 69]


def test_what_is_barred_comes_only_if_nothing_else_may() -> None:
    params = SamplingParams(temperature=0, min_tokens=9, stop_token_ids=[3, 4, 99])
    batch = [SamplerRow(params) for _ in range(3)]
    scores = torch.arange(5.0).repeat(3, 1)
    batch[1].allowed = bits({3, 4}, 5)
    batch[2].allowed = bits({0, 3}, 5)
    assert [each.token for each in on_device.sample(scores, batch)] == [2, 4, 0]


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 1000), alternatives=st.integers(0, 20), vocab_size=st.sampled_from(VOCABULARIES))
def test_prompts_are_scored_as_defined(seed: int, alternatives: int, vocab_size: int) -> None:
    scores = scores_for(40, vocab_size, seed, ties=seed % 2 == 0)
    ids = [token % vocab_size for token in range(seed, seed + 40)]
    expected = [reference.score(row, token, alternatives) for row, token in zip(scores, ids, strict=True)]
    assert repr(on_device.score(scores, ids, alternatives)) == repr(expected)


def test_no_rows_have_no_tokens() -> None:
    assert on_device.sample(torch.zeros(0, 5), []) == on_device.score(torch.zeros(0, 5), [], 3) == []


def test_the_host_waits_for_nothing_but_the_results(waits: list[str]) -> None:
    changes: list[dict[str, Any]] = [
        {"temperature": 0},
        {"temperature": 1, "top_k": 5, "logprobs": 2},
        {"temperature": 1, "top_p": 0.9, "min_tokens": 50},
        {"temperature": 1, "repetition_penalty": 1.2, "dry_multiplier": 0.8, "logit_bias": {3: 1.0}},
    ]
    batch = [SamplerRow(SamplingParams(seed=0, **each), [1, 2], [1, 2, 1], frozenset({2})) for each in changes]
    batch[0].allowed = bits({1, 2}, 100)
    scores = torch.zeros(4, 100).as_subclass(OnGPU)
    on_device.sample(scores, batch)
    assert waits == ["tolist"]
    on_device.score(scores, [1, 2, 3, 4], 5)
    assert waits == ["tolist"] * 2
    reference.sample(scores[1], batch[1])
    assert len(waits) > 5


def test_the_sampler_works_where_the_scores_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mistralet.engine.sampling.sampler._on_cpu", lambda _: pytest.fail("all scores were copied"))
    scores = scores_for(3, 300, seed=1, ties=False)
    batch = [SamplerRow(SamplingParams(temperature=1, seed=seed, logprobs=2)) for seed in range(3)]
    sampler, on_gpu = Sampler(), scores.double().as_subclass(OnGPU)
    assert sampler(on_gpu, batch) == by_definition(scores, batch)
    assert sampler.prompt_logprobs(on_gpu, [1, 2, 3], 4) == on_device.score(scores, [1, 2, 3], 4)
    with pytest.raises(ValueError, match="do not fit"):
        sampler.prompt_logprobs(on_gpu, [1, 2, 300], 4)
