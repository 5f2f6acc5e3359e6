"""The next step may be launched before the text of the last one is looked at; nothing but time shows it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from torch import Tensor

from mistralet.config import KVType
from mistralet.engine import Engine, EngineOptions, RepetitionParams, Request, SamplingParams, StepOutput
from mistralet.engine.answer import Answer
from mistralet.engine.events import Event
from mistralet.engine.model_runner import ModelRunner
from mistralet.engine.speculation.drafter import StepGain
from mistralet.model import ForwardBatch, Prompt
from support.letters import LetterTokenizer, WordTokenizer
from support.random_models import TEXT, random_model

CONTEXT = 400
MODEL = random_model(replace(TEXT, max_position_embeddings=CONTEXT))
GREEDY = SamplingParams(temperature=0, max_tokens=40, seed=0)
PROMPT = Prompt([1, *range(40, 70)])
OFF = RepetitionParams(policy="off")


def new_engine(
    launches_ahead: bool,
    prompt_lookup: bool = False,
    listener: Callable[[Event], None] | None = None,
) -> Engine:
    options = EngineOptions(KVType.FLOAT32, kv_tokens=2048, prompt_lookup=prompt_lookup)
    engine = Engine(MODEL, WordTokenizer(), options, listener=listener)
    engine.launches_ahead = launches_ahead
    return engine


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The tokens of each run of a model from now on."""
    rows: list[int] = []
    run = ModelRunner.__call__

    def watched(runner: ModelRunner, batch: ForwardBatch) -> Tensor:
        rows.append(batch.places.tokens)
        return run(runner, batch)

    monkeypatch.setattr(ModelRunner, "__call__", watched)
    return rows


def contents(engine: Engine) -> list[list[int]]:
    """What the cache is believed to hold, block by block, when nobody has any."""
    assert engine.pool.free == engine.pool.size
    return sorted(block.contents for block in engine.pool._idle.values())


def test_the_model_is_launched_before_the_text_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = new_engine(launches_ahead=True)
    order: list[str] = []
    run, take = ModelRunner.__call__, Answer.take
    monkeypatch.setattr(ModelRunner, "__call__", lambda runner, batch: order.append("model") or run(runner, batch))
    monkeypatch.setattr(Answer, "take", lambda answer, drawn: order.append("text") or take(answer, drawn))
    engine.generate([Request(PROMPT, replace(GREEDY, max_tokens=4))])
    assert order == ["model", *["model", "text"] * 3, "text"]


def test_a_gpu_alone_launches_ahead() -> None:
    assert not Engine(MODEL, LetterTokenizer()).launches_ahead


def test_an_end_that_the_token_tells_costs_no_row(rows: list[int]) -> None:
    tokens = new_engine(launches_ahead=False).generate([Request(PROMPT, GREEDY)])[0].token_ids
    stop = tokens[9]
    before = tokens.index(stop)
    for params, runs in (
        (GREEDY, 40),
        (replace(GREEDY, max_tokens=1), 1),
        (replace(GREEDY, max_tokens=None), CONTEXT - len(PROMPT.ids)),
        (replace(GREEDY, stop_token_ids=(stop,)), before + 1),
    ):
        engine = new_engine(launches_ahead=True)
        rows.clear()
        engine.generate([Request(PROMPT, params, repetition=OFF)])
        assert rows == [len(PROMPT.ids), *[1] * (runs - 1)]


def test_an_end_that_the_text_tells_costs_one_row_of_which_nothing_stays(rows: list[int]) -> None:
    plain = new_engine(launches_ahead=False)
    text = plain.generate([Request(PROMPT, GREEDY)])[0].text
    requests = [
        Request(Prompt(PROMPT.ids[:length]), replace(GREEDY, stop=stop), repetition=OFF, id=f"{length}")
        for length, stop in ((31, (text[7:9],)), (31 - 7, (text[20:22],)), (20, ()))
    ]
    engines = [new_engine(launches_ahead=ahead) for ahead in (False, True)]
    in_turn, ahead = (engine.generate(requests) for engine in engines)
    assert [(a.token_ids, a.text, a.finish_reason) for a in ahead] == [
        (a.token_ids, a.text, a.finish_reason) for a in in_turn
    ]
    assert ahead[0].finish_reason == "stop"
    assert contents(engines[1]) == contents(engines[0])
    following = Request(Prompt([*PROMPT.ids, *in_turn[0].token_ids, 50]), GREEDY)
    again = [engine.generate([replace(following, id="")])[0] for engine in engines]
    assert again[0].token_ids == again[1].token_ids
    assert again[0].stats.cached_tokens == again[1].stats.cached_tokens == len(following.prompt.ids) - 2

    rows.clear()
    (alone,) = engines[1].generate([replace(requests[0], id="")])
    assert len(rows) == len(alone.token_ids) + 1


@pytest.mark.parametrize("prompt_lookup", [False, True])
@pytest.mark.parametrize("policy", ["stop", "steer"])
def test_a_loop_is_steered_and_stopped_as_ever(
    policy: str, prompt_lookup: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StepGain, "take", lambda _gain, _likelihood, most, _extra=0.0: max(most, 0))
    params = replace(GREEDY, max_tokens=230, logit_bias=dict.fromkeys((100, 101, 102), 50.0))
    watched = RepetitionParams(policy=policy)  # type: ignore[arg-type]
    requests = [Request(Prompt([1, 50 + i]), params, repetition=watched, id=f"{i}") for i in range(2)]
    in_turn = [new_engine(launches_ahead=False).generate([request])[0] for request in requests]
    engine = new_engine(launches_ahead=True, prompt_lookup=prompt_lookup)
    assert [(a.token_ids, a.text) for a in engine.generate(requests)] == [(a.token_ids, a.text) for a in in_turn]
    assert engine.pool.free == engine.pool.size
    (unwatched,) = engine.generate([replace(requests[0], repetition=OFF)])
    assert unwatched.token_ids != in_turn[0].token_ids


def test_what_is_cancelled_while_its_step_runs_leaves_nothing(rows: list[int]) -> None:
    def life(launches_ahead: bool) -> list[list[int]]:
        engine = new_engine(launches_ahead)
        for _ in range(2):
            rows.clear()
            engine.add(Request(PROMPT, GREEDY, id="left"))
            assert [[output.request_id for output in engine.step()] for _ in range(2)] == [["left"], ["left"]]
            assert len(rows) == 2 + launches_ahead
            assert engine.cancel("left")
            assert not engine.has_work
        assert engine.step() == []
        return contents(engine)

    assert life(launches_ahead=True) == life(launches_ahead=False)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_step_that_fails_as_it_is_launched_takes_no_token_from_others(
    error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = new_engine(launches_ahead=True)
    first, second = (engine.stream(Request(PROMPT, replace(GREEDY, seed=seed, temperature=1.0))) for seed in (1, 2))
    begun = next(first), next(second)
    build = engine.batches.batch

    def fail(_chunks: object) -> ForwardBatch:
        monkeypatch.setattr(engine.batches, "batch", build)
        raise error

    monkeypatch.setattr(engine.batches, "batch", fail)
    with pytest.raises(error):
        list(first)
    rest = [token for output in second for token in output.token_ids]
    alone = new_engine(launches_ahead=False)
    (expected,) = alone.generate([Request(PROMPT, replace(GREEDY, seed=2, temperature=1.0))])
    assert begun[1].token_ids + rest == expected.token_ids
    assert engine.pool.free == engine.pool.size


def test_a_prompt_that_waits_is_read_before_anything_is_launched_ahead(rows: list[int]) -> None:
    engine = new_engine(launches_ahead=True)
    engine.add(Request(PROMPT, GREEDY, id="a"))
    engine.step()
    rows.clear()
    engine.add(Request(Prompt([2, 90, 91]), GREEDY, id="b"))
    first: list[StepOutput] = engine.step()  # launched before the second came
    assert [output.request_id for output in first] == ["a"]
    assert rows == []
    second = engine.step()
    assert [output.request_id for output in second] == ["a", "b"]
    assert rows == [4, 2]


def test_steps_are_told_of_one_after_the_other() -> None:
    events: list[Event] = []
    engine = new_engine(launches_ahead=True, listener=events.append)
    begun = time.perf_counter()
    engine.generate([Request(PROMPT, GREEDY)])
    steps = [event for event in events if event.kind == "step"]
    assert [step.facts["tokens"] for step in steps] == [len(PROMPT.ids), *[1] * 39]
    assert sum(step.facts["seconds"] for step in steps) <= time.perf_counter() - begun
