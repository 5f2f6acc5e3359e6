"""What the chapters of `bench.engine` make of a small random model: work counted, never a time asserted."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest

from bench import lookup, prefix, step_overhead
from bench.lookup import Answer, Case
from bench.prefix import Read
from bench.progress import Steps
from mistralet.checkpoint import Checkpoint
from mistralet.engine import LoadedModel, SamplingParams
from mistralet.engine.repetition.watchdog import EVERY
from mistralet.model import Prompt
from support.letters import LetterTokenizer
from support.random_models import TEXT, random_model


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> LoadedModel:
    """A model of few, long contexts; prompts are made of ids it has."""
    config = replace(TEXT, max_position_embeddings=512)
    monkeypatch.setattr("bench.decoder._FIRST_ORDINARY_ID", 20)
    monkeypatch.setattr(LoadedModel, "identity", "a random model", raising=False)
    return LoadedModel(cast("Checkpoint", None), random_model(config), LetterTokenizer())


def test_a_shared_prefix_is_read_once(loaded: LoadedModel) -> None:
    with Steps() as steps:
        chapter = prefix.run("A model", loaded, 256, 3, steps)
    work = {figure.row.name: figure.row for figure in chapter.figures if figure.row.unit == "tokens"}
    whole, question = 256 + prefix.QUESTION, prefix.QUESTION
    assert [list(row.peer) for row in work.values()] == [[3 * whole]] * 3
    assert list(work["prompts read, one after the other"].ours) == [whole + 2 * question]
    assert list(work["prompts read, all at once"].ours) == [whole + 2 * question]


def test_time_is_compared_like_work() -> None:
    cold, warm = Read(800, 8.0, [1.0, 2.0]), Read(80, 2.0, [1.0, 0.5])
    figures = prefix.figures(cold, warm, warm, warm)
    assert [figure.row.ratio for figure in figures] == [10, 10, 10, 4, 4, 4, 4]
    assert [figure.is_met for figure in figures] == [True] * 3 + [None] * 4
    assert prefix.join([cold, warm]) == Read(880, 10.0, [1.0, 2.0, 1.0, 0.5])


def test_guesses_change_the_speed_and_not_the_answer(loaded: LoadedModel) -> None:
    prompt = Prompt([1, *[30, 31, 32, 33] * 10])
    case = lookup.measure(loaded, prompt, SamplingParams(temperature=0, max_tokens=12, seed=0), rounds=2)
    assert len(case.on) == len(case.off) == 2
    assert {answer.tokens for answer in case.on + case.off} == {case.off[0].tokens}
    assert all(answer.guessed == 0 for answer in case.off)


def test_kinds_of_work_have_their_own_bars() -> None:
    def case(ratio: float) -> Case:
        return Case([Answer(10.0, 50, 0, 0)], [Answer(10.0 * ratio, 50, 9, 8)])

    cases = {"copying: a": case(2.0), "copying: b": case(0.5), "free: c": case(0.98), "free at 0.7: d": case(0.9)}
    copying, free, warm, *each = lookup.figures(cases)
    assert (copying.row.name, copying.row.ratio, copying.is_met) == ("copying, all", pytest.approx(1.0), False)
    assert (free.is_met, warm.is_met) == (True, False)
    assert [figure.is_met for figure in each] == [True, False, True, False]


def test_every_counted_step_is_one_in_which_all_answers_get_on(loaded: LoadedModel) -> None:
    params = SamplingParams(temperature=0.7, max_tokens=40, ignore_eos=True, seed=1)
    overhead, whole = step_overhead.measure(loaded, params, 4, 2 * EVERY + 3)
    assert len(overhead) == len(whole) == 2  # means of whole turns of the watchdogs
    assert all(0 < part < step for part, step in zip(overhead, whole, strict=True))


def test_the_watchdogs_part_is_a_part(loaded: LoadedModel) -> None:
    assert 0 < step_overhead.watchdog_share(loaded, 10) < 1
