"""The watchdog on texts of all kinds, endless and sound (bench/repetition), and on outputs of the stand-in."""

from __future__ import annotations

import pytest

from bench.repetition.corpus import LOOPS, SOUND_KINDS, endless, real, sound
from bench.repetition.measure import Outcome, Score, measure, tokenise
from mistralet.engine.repetition import RepetitionParams, RepetitionWatchdog, TokenParts
from mistralet.tokenizer import BpeTokenizer

# Even seeds were looked at when the budgets were chosen, odd ones were not.
SEEDS = range(4)
# One a kind is enough here: the texts are four times as long.
BYTE_SEEDS = range(1)
_BYTES = TokenParts(lambda token: bytes([token]))


@pytest.fixture(scope="session")
def parts(tiny_tokenizer: BpeTokenizer) -> TokenParts:
    return TokenParts(tiny_tokenizer.token_bytes)


def watchdog(parts: TokenParts) -> RepetitionWatchdog:
    return RepetitionWatchdog(RepetitionParams("stop"), parts)


def test_the_corpus_is_wide() -> None:
    assert len(LOOPS) * len(SEEDS) >= 150
    assert len(SOUND_KINDS) * len(SEEDS) >= 150


@pytest.mark.parametrize("kind", LOOPS)
def test_an_endless_text_is_found_after_it_began_to_repeat(
    kind: str, tiny_tokenizer: BpeTokenizer, parts: TokenParts
) -> None:
    samples = [tokenise(sample, tiny_tokenizer.encode) for sample in endless([kind], SEEDS)]
    outcomes = [measure(lambda: watchdog(parts), sample) for sample in samples]
    print(kind, Score.of(outcomes))
    assert [outcome for outcome in outcomes if outcome.is_wrong] == []
    assert all((outcome.found or 0) > (outcome.onset or 0) for outcome in outcomes)


@pytest.mark.parametrize("kind", SOUND_KINDS)
def test_a_sound_text_is_not_stopped(kind: str, tiny_tokenizer: BpeTokenizer, parts: TokenParts) -> None:
    samples = [tokenise(sample, tiny_tokenizer.encode) for sample in sound([kind], SEEDS)]
    outcomes = [measure(lambda: watchdog(parts), sample) for sample in samples]
    assert [outcome for outcome in outcomes if outcome.is_wrong] == []


# In a vocabulary of bytes a rule of dashes is as many units as it has dashes, and words without blanks between them
# cannot be told apart.
@pytest.mark.parametrize("kind", sorted({*LOOPS, *SOUND_KINDS} - {"picture", "boxes", "glued-words", "counted-bare"}))
def test_the_vocabulary_does_not_matter(kind: str) -> None:
    samples = list(endless([kind], BYTE_SEEDS) if kind in LOOPS else sound([kind], BYTE_SEEDS))
    outcomes = []
    for sample in samples:
        guard = watchdog(_BYTES)
        found = next((end for end, byte in enumerate(sample.text.encode(), 1) if guard.push(byte) != "ok"), None)
        outcomes.append(Outcome(sample.name, sample.seed, sample.onset, found))
    assert [outcome for outcome in outcomes if outcome.is_wrong] == []


def test_precision_and_recall_on_what_the_stand_in_wrote(
    tiny_tokenizer: BpeTokenizer, parts: TokenParts, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes = [measure(lambda: watchdog(parts), tokenise(sample, tiny_tokenizer.encode)) for sample in real()]
    score = Score.of(outcomes)
    with capsys.disabled():
        print(f"\nwritten by the stand-in: recall {score.recall:.3f}, precision {score.precision:.3f}, {score}")
    assert score.endless >= 25
    assert score.sound >= 40
    assert score.recall >= 0.9
    assert score.precision == 1.0
