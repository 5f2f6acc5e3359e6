"""Grammars and the repetition watchdog, as requests meet them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from mistralet.config import KVType
from mistralet.engine import Completion, Constraint, Engine, EngineOptions, RepetitionParams, Request, SamplingParams
from mistralet.engine.events import Event
from mistralet.engine.speculation.drafter import StepGain
from mistralet.model import Prompt
from support.letters import LetterTokenizer, WordTokenizer
from support.random_models import TEXT, random_model

CONFIG = replace(TEXT, max_position_embeddings=2000)
MODEL = random_model(CONFIG)
STOP = 2
WILD = SamplingParams(temperature=2, max_tokens=200, seed=0)
OFF = RepetitionParams(policy="off")
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 8}, "kind": {"enum": ["a", "b"]}, "n": {"type": "integer"}},
    "required": ["name", "kind"],
    "additionalProperties": False,
}


def new_engine(prompt_lookup: bool = False, **options: int) -> Engine:
    chosen = EngineOptions(KVType.FLOAT32, kv_tokens=8000, prompt_lookup=prompt_lookup, **options)
    return Engine(MODEL, LetterTokenizer(stop_ids=[STOP]), chosen)


@pytest.fixture(scope="module", params=[False, True], ids=["in turn", "ahead"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    engine = new_engine()
    engine.launches_ahead = request.param
    yield engine
    engine.close()


def run(
    engine: Engine, constraint: Constraint | None, params: SamplingParams = WILD, count: int = 1
) -> list[Completion]:
    requests = [
        Request(Prompt([1, 40 + i]), replace(params, seed=i), constraint=constraint, repetition=OFF)
        for i in range(count)
    ]
    return engine.generate(requests)


def test_an_answer_fits_its_schema_and_ends_when_it_is_whole(engine: Engine) -> None:
    for answer in run(engine, Constraint.json_schema(SCHEMA), count=20):
        assert answer.finish_reason == "stop"
        value = json.loads(answer.text)
        assert value.keys() >= {"name", "kind"}
        assert value["kind"] in ("a", "b")


def test_an_answer_that_is_cut_says_so(engine: Engine) -> None:
    (answer,) = run(engine, Constraint.json_schema(SCHEMA), replace(WILD, max_tokens=3))
    assert answer.finish_reason == "length"
    assert answer.text.startswith("{")


def test_grammars_of_several_kinds_run_beside_free_text(engine: Engine) -> None:
    constraints = [Constraint.choice(["yes", "no"]), None, Constraint.regex("[0-9]{3}"), Constraint.json_schema(SCHEMA)]
    requests = [
        Request(Prompt([1, 40 + i]), replace(WILD, seed=i), constraint=constraint, repetition=OFF)
        for i, constraint in enumerate(constraints)
    ]
    together = engine.generate(requests)
    assert together[0].text in ("yes", "no")
    assert together[2].text.isdecimal()
    alone = [engine.generate([request])[0] for request in requests]
    assert [answer.token_ids for answer in together] == [answer.token_ids for answer in alone]


def test_an_unusable_grammar_is_refused_before_any_token_and_harms_no_other(engine: Engine) -> None:
    refused, fine = engine.generate(
        [
            Request(Prompt([1, 40]), replace(WILD, n=1), constraint=Constraint.regex("(")),
            Request(Prompt([1, 40]), WILD, constraint=Constraint.choice(["yes"])),
        ]
    )
    assert (refused.finish_reason, refused.token_ids) == ("error", [])
    assert refused.error is not None
    assert "regex" in refused.error
    assert fine.text == "yes"
    assert not engine.has_work


def test_several_answers_of_one_grammar_go_their_own_ways(engine: Engine) -> None:
    (request,) = [Request(Prompt([1, 40]), replace(WILD, n=5), constraint=Constraint.regex("[a-z]{6}"))]
    answers = engine.generate([request])
    assert all(len(answer.text) == 6 for answer in answers)
    assert len({answer.text for answer in answers}) == 5


def test_a_request_can_be_cancelled_while_its_grammar_is_compiled(engine: Engine) -> None:
    events: list[Event] = []
    engine.listener = events.append
    engine.add(Request(Prompt([1, 40]), WILD, constraint=Constraint.regex("[a-z]{7}"), id="left"))
    assert engine.cancel("left")
    assert engine.step() == []
    assert not engine.has_work
    assert [event.kind for event in events] == ["queued", "finished"]
    engine.listener = None


def test_guesses_within_a_grammar_change_nothing(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StepGain, "take", lambda _gain, _likelihood, most, _extra=0.0: max(most, 0))
    constraint = Constraint.regex("(abcab ?){4,9}[0-9]")
    plain = run(engine, constraint, count=4)
    guessing = new_engine(prompt_lookup=True)
    guessed = run(guessing, constraint, count=4)
    guessing.close()
    assert [answer.token_ids for answer in guessed] == [answer.token_ids for answer in plain]
    assert sum(answer.stats.accepted_tokens for answer in guessed) > 0


def word_engine(prompt_lookup: bool = False, **options: int) -> Engine:
    chosen = EngineOptions(KVType.FLOAT32, kv_tokens=8000, prompt_lookup=prompt_lookup, **options)
    return Engine(MODEL, WordTokenizer(stop_ids=[STOP]), chosen)


LOOP = Constraint.regex("(ppp qqq rrr ){300}")
SEVERAL = Constraint.regex("(ppp (qqq|rrr) (sss|ttt|uuu|vvv) ){170}")


@pytest.mark.parametrize(("policy", "reason"), [("off", "length"), ("stop", "repetition"), ("steer", "repetition")])
def test_an_endless_answer_is_ended(policy: str, reason: str) -> None:
    params = replace(WILD, max_tokens=800)
    repetition = RepetitionParams(policy=policy)  # type: ignore[arg-type]
    engine = word_engine()
    (answer,) = engine.generate([Request(Prompt([1, 40]), params, constraint=LOOP, repetition=repetition)])
    engine.close()
    assert answer.finish_reason == reason
    assert (len(answer.token_ids) == 800) == (policy == "off")


@pytest.mark.parametrize("launches_ahead", [False, True])
def test_vllms_rule_ends_an_answer_where_it_says(launches_ahead: bool) -> None:
    engine = word_engine()
    engine.launches_ahead = launches_ahead
    repetition = RepetitionParams("off", max_pattern_size=20, min_count=3)
    (answer,) = engine.generate([Request(Prompt([1, 40]), WILD, constraint=LOOP, repetition=repetition)])
    engine.close()
    assert answer.finish_reason == "repetition"
    assert answer.text == "ppp qqq rrr " * 3


@pytest.mark.parametrize("prompt_lookup", [False, True])
def test_steering_is_the_same_alone_and_in_company(prompt_lookup: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The likeliest words run in circles, as far as the grammar leaves a choice; steering takes others."""
    monkeypatch.setattr(StepGain, "take", lambda _gain, _likelihood, most, _extra=0.0: max(most, 0))
    params = SamplingParams(temperature=0, max_tokens=500, seed=0)
    requests = [Request(Prompt([1, 40 + i]), params, constraint=SEVERAL) for i in range(4)]
    engine = word_engine()
    unsteered = engine.generate([replace(request, repetition=OFF, id="") for request in requests[:1]])[0]
    alone = [engine.generate([request])[0] for request in requests]
    together = word_engine(prompt_lookup, max_sequences=3).generate(requests)
    assert [answer.token_ids for answer in together] == [answer.token_ids for answer in alone]
    assert alone[0].token_ids != unsteered.token_ids[: len(alone[0].token_ids)]
