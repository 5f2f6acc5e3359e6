"""The measuring of repetition detectors."""

from __future__ import annotations

import pytest

from bench.repetition.corpus import LOOPS, SOUND_KINDS, endless, real, sound
from bench.repetition.measure import Outcome, Score, Tokenised, measure


class AlarmAtSeven:
    def push(self, token_id: int) -> str:
        return "stop" if token_id == 7 else "ok"


def test_a_detector_sees_tokens_until_its_alarm() -> None:
    outcome = measure(AlarmAtSeven, Tokenised("a", 0, [1, 2, 7, 7], 1))
    assert (outcome.found, outcome.is_wrong) == (3, False)
    assert measure(AlarmAtSeven, Tokenised("a", 0, [1, 2], 1)).is_wrong
    assert measure(AlarmAtSeven, Tokenised("a", 0, [7], None)).is_wrong


def test_a_score_counts() -> None:
    score = Score.of(
        [Outcome("a", 0, 10, 30), Outcome("a", 1, 10, None), Outcome("b", 0, None, None), Outcome("b", 1, None, 5)]
    )
    assert (score.endless, score.found, score.sound, score.stopped) == (2, 1, 2, 1)
    assert (score.recall, score.precision, score.median_tokens) == (0.5, 0.5, 20)


@pytest.mark.parametrize("kind", ["word-swapped", "few-words", "dates"])
def test_a_seed_gives_the_same_text_again_and_another_seed_another(kind: str) -> None:
    first, second = endless([kind], [0, 1])
    assert first == next(endless([kind], [0]))
    assert first.text != second.text
    assert first.onset is not None
    assert first.onset < len(first.text)


def test_sound_texts_end_and_kinds_do_not_share_names() -> None:
    assert next(sound(["essay"], [3])).onset is None
    assert not set(LOOPS) & set(SOUND_KINDS)


def test_outputs_of_the_stand_in_are_judged_inside_their_text() -> None:
    assert all(sample.onset is None or 0 <= sample.onset < len(sample.text) for sample in real())
