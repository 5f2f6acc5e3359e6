"""Guessing ahead changes how fast tokens come, never which."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mistralet.config import KVType
from mistralet.engine import Engine, EngineOptions, Request, SamplingParams
from mistralet.engine.sampling import Sampled
from mistralet.engine.scheduler import Chunk
from mistralet.engine.speculation import DraftModel, PromptLookup
from mistralet.engine.speculation.drafter import StepGain
from mistralet.engine.speculation.prompt_lookup import NgramIndex
from mistralet.engine.speculation.step_cost import StepCost
from mistralet.errors import UsageError
from mistralet.model import MistralSmall, Prompt
from support.letters import LetterTokenizer
from support.random_models import TEXT, random_model

MODEL = random_model(TEXT)
SMALL = random_model(replace(TEXT, num_hidden_layers=1))
WORDS = [30, 31, 32, 33, 34]


def new_engine(prompt_lookup: bool = False, draft_model: MistralSmall | None = None) -> Engine:
    options = EngineOptions(KVType.FLOAT32, kv_tokens=256, prompt_lookup=prompt_lookup)
    return Engine(MODEL, LetterTokenizer(), options, draft_model=draft_model)


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes guessing pay always, whatever the clock says."""
    monkeypatch.setattr(StepGain, "take", lambda _gain, _likelihood, most, _extra=0.0: max(most, 0))


def requests() -> list[Request]:
    prompts = [Prompt([1, *WORDS * repeats, 50 + repeats]) for repeats in (1, 3, 8)] + [Prompt([1])]
    return [
        Request(prompt, SamplingParams(temperature=temperature, max_tokens=20, seed=3, repetition_penalty=penalty))
        for prompt in prompts
        for temperature in (0.0, 0.7, 2.0)
        for penalty in (1.0, 1.3)
    ]


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("launches_ahead", [False, True])
@pytest.mark.parametrize("drafter", ["lookup", "small model", "the model itself"])
def test_the_tokens_are_those_that_come_one_at_a_time(drafter: str, launches_ahead: bool) -> None:
    draft_model = {"small model": SMALL, "the model itself": MODEL}.get(drafter)
    plain = [new_engine().generate([request])[0].token_ids for request in requests()]
    engine = new_engine(prompt_lookup=drafter == "lookup", draft_model=draft_model)
    engine.launches_ahead = launches_ahead
    together = engine.generate(requests())
    assert [answer.token_ids for answer in together] == plain
    assert sum(answer.stats.accepted_tokens for answer in together) > 0
    assert engine.pool.free == engine.pool.size


@pytest.mark.usefixtures("always")
def test_a_model_that_guesses_for_itself_is_always_right() -> None:
    (answer,) = new_engine(draft_model=MODEL).generate(
        [Request(Prompt([1, 40]), SamplingParams(temperature=0, max_tokens=19))]
    )
    assert answer.stats.accepted_tokens == answer.stats.draft_tokens == 16  # 1 + 9 + 9 tokens


@pytest.mark.usefixtures("always")
def test_a_stop_token_within_a_guess_ends_the_answer_there() -> None:
    (plain,) = new_engine().generate([Request(Prompt([1, 40]), SamplingParams(temperature=0, max_tokens=12))])
    stop = plain.token_ids[5]
    params = SamplingParams(temperature=0, max_tokens=12, stop_token_ids=[stop])
    (answer,) = new_engine(draft_model=MODEL).generate([Request(Prompt([1, 40]), params)])
    assert answer.token_ids == plain.token_ids[: plain.token_ids.index(stop)]
    assert answer.finish_reason == "stop"


@given(st.lists(st.integers(0, 3), max_size=60), st.integers(1, 10))
def test_the_longest_earlier_run_is_found_however_the_list_grows(ids: list[int], step: int) -> None:
    index = NgramIndex()
    for end in range(0, len(ids) + 1, step):
        known = ids[:end]
        place, length = index.find(known)
        if length:
            assert known[place - length : place] == known[len(known) - length :]
            assert place < len(known)
        else:
            assert not any(known[start : start + 2] == known[-2:] for start in range(max(0, len(known) - 2)))


def test_what_a_step_costs_is_learned_from_steps() -> None:
    cost = StepCost()
    assert cost.of(1) == 1
    assert 1 < cost.of(2) < cost.of(8)
    for seconds in (90.0, 90.0, 2.0):  # the first ones were disturbed
        cost.record(1, seconds)
    cost.record(5, 4.0)
    assert [cost.of(rows) for rows in (1, 3, 5)] == [2.0, 3.0, 4.0]
    assert cost.of(10) > 4.0
    cost.record(4, 50.0)
    assert cost.of(4) == 4.0  # fewer rows never cost more


def test_guesses_go_as_far_as_they_pay() -> None:
    gain = StepGain()
    for rows, seconds in ((1, 1.0), (4, 1.1), (5, 4.0)):
        gain.cost.record(rows, seconds)

    def taken(likelihood: float, decoding: int = 1) -> int:
        gain.begin(decoding)
        return gain.take(likelihood, 16)

    assert taken(0.9) == 3  # a fifth row is dear
    assert taken(0.03) == 0
    assert taken(0.035) == 0  # it would pay, but hardly
    assert taken(0.9, decoding=4) == 0
    gain.begin(2)
    assert [gain.take(0.9, 16), gain.take(0.9, 16)] == [2, 0]  # the first takes the room


def test_guessing_ends_where_it_never_comes_true_and_comes_back_where_it_does() -> None:
    lookup = PromptLookup()
    lookup.record(1, 1.0)
    lookup.record(17, 3.0)
    engine = new_engine()
    engine.add(Request(Prompt([1, *WORDS])))
    (sequence,) = engine.scheduler.waiting
    sequence.answer.room = 10_000  # more than the model reads, which does not run

    def guess(comes_true: bool) -> int:
        """Repeat the words once more; how many tokens are guessed after them, of which all or none come."""
        sequence.ids += WORDS
        lookup.begin(1)
        chunk = Chunk(sequence, 1, lookup.length(sequence))
        lookup.draft([chunk])
        came = [*chunk.draft, 99] if comes_true and chunk.draft else [WORDS[0] if comes_true else 99]
        lookup.learn(chunk, [Sampled(token) for token in came])
        return len(chunk.draft)

    assert guess(comes_true=False) > 0
    assert [guess(comes_true=False) for _ in range(30)][-5:] == [0] * 5
    assert [guess(comes_true=True) for _ in range(30)][-1] > 0


def test_a_copy_goes_on_after_what_was_put_in_its_place() -> None:
    lookup = PromptLookup()
    lookup.record(1, 1.0)
    lookup.record(17, 1.1)
    engine = new_engine()
    original = list(range(40, 60))
    engine.add(Request(Prompt([1, *original, 2, *original[:4]])))
    (sequence,) = engine.scheduler.waiting

    def guess_before(tokens: list[int]) -> list[int]:
        """What is guessed; then these tokens come, as far as the guess is right and one more."""
        lookup.begin(1)
        chunk = Chunk(sequence, 1, lookup.length(sequence))
        lookup.draft([chunk])
        right = sum(guessed == token for guessed, token in zip(chunk.draft, tokens, strict=False))
        lookup.learn(chunk, [Sampled(token) for token in tokens[: right + 1]])
        sequence.ids += tokens[: right + 1]
        return chunk.draft

    assert guess_before([44, 45, 99])[:2] == [44, 45]
    assert guess_before([47]) == []  # 46 was replaced by 99, which never came before
    assert guess_before([48, 99])[:1] == [48]
    for token in range(70, 78):
        guess_before([token])
    guess_before([49])
    assert guess_before([50]) == []  # it was left for too long


def test_a_moment_in_which_guesses_were_dear_is_forgotten() -> None:
    lookup = PromptLookup()
    lookup.record(1, 1.0)
    for rows in range(2, 18):
        lookup.record(rows, 50.0)
    engine = new_engine()
    engine.add(Request(Prompt([1, *WORDS * 5])))
    (sequence,) = engine.scheduler.waiting
    sequence.answer.room = 10_000  # more than the model reads, which does not run
    guessed = []
    for _ in range(300):
        sequence.ids += WORDS
        lookup.begin(1)
        chunk = Chunk(sequence, 1, lookup.length(sequence))
        lookup.draft([chunk])
        lookup.learn(chunk, [Sampled(token) for token in ([*chunk.draft, 99] if chunk.draft else [WORDS[0]])])
        lookup.record(1 + len(chunk.draft), 1.0 + 0.1 * len(chunk.draft))
        guessed.append(len(chunk.draft))
    assert guessed[:10] == [0] * 10
    assert min(guessed[-10:]) > 3


def test_a_draft_model_must_fit_the_model() -> None:
    with pytest.raises(UsageError, match="vocabulary of 64 tokens and the model one of 128"):
        DraftModel(random_model(replace(TEXT, vocab_size=64)), MODEL, KVType.FLOAT32, 1)
    with pytest.raises(UsageError, match="reads 32 tokens and the model 64"):
        DraftModel(random_model(replace(TEXT, max_position_embeddings=32)), MODEL, KVType.FLOAT32, 1)
