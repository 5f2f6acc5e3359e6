"""The watchdog on outputs of a vocabulary of bytes, which needs no file."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.repetition.words import paragraph
from mistralet.engine.repetition import RepetitionParams, RepetitionWatchdog, TokenParts
from mistralet.engine.repetition.watchdog import ATTEMPTS, PENALTY, STEERED_TOKENS, TAIL

# Words of the vocabulary are whole here: id -> text.
WORDS = [f" word{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(600)]
END = len(WORDS)
PARTS = TokenParts(lambda token: b"" if token == END else WORDS[token].encode())
BYTES = TokenParts(lambda token: bytes([token]))


def verdicts(watchdog: RepetitionWatchdog, ids: list[int]) -> list[str]:
    """Up to the first stop."""
    said: list[str] = []
    for token in ids:
        said.append(watchdog.push(token))
        if said[-1] == "stop":
            break
    return said


def test_a_loop_is_stopped_and_the_finding_tells_what_it_was() -> None:
    watchdog = RepetitionWatchdog(RepetitionParams("stop"), PARTS)
    said = verdicts(watchdog, [*range(100, 150), *[1, 2, 3, 4, 5] * 200])
    finding = watchdog.finding
    assert said[-1] == "stop"
    assert finding is not None
    assert (finding.kind, finding.period, finding.similarity) == ("loop", 5, 1.0)
    assert 50 <= finding.began <= 60
    assert finding.found == len(said)
    assert finding.repeats == pytest.approx((finding.found - finding.began) / 5)


def test_a_text_that_comes_twice_is_not_a_loop_but_three_times_is() -> None:
    text = list(range(500))
    watchdog = RepetitionWatchdog(RepetitionParams("stop"), PARTS)
    assert set(verdicts(watchdog, text * 2)) == {"ok"}
    assert verdicts(watchdog, text * 2)[-1] == "stop"


def test_off_says_nothing_but_for_the_pattern_rule() -> None:
    assert set(verdicts(RepetitionWatchdog(RepetitionParams("off"), PARTS), [1] * 2000)) == {"ok"}
    watchdog = RepetitionWatchdog(RepetitionParams("off", max_pattern_size=4, min_count=3), PARTS)
    assert verdicts(watchdog, [9, 1, 2, 1, 2, 1, 2, 1, 2]) == ["ok"] * 6 + ["stop"]
    assert watchdog.finding is not None
    assert (watchdog.finding.kind, watchdog.finding.period, watchdog.finding.began) == ("pattern", 2, 1)


def test_steering_takes_away_from_what_goes_on_with_the_loop_and_then_stops() -> None:
    watchdog = RepetitionWatchdog(RepetitionParams("steer"), PARTS)
    said = [watchdog.push(token) for token in [1, 2, 3] * 101]
    assert watchdog.bias() == {} or said[-1] == "steer"
    while said[-1] != "steer":
        said.append(watchdog.push(said.count("ok") % 3 + 1))
    last = watchdog._ids[-1]
    assert watchdog.bias() == {last % 3 + 1: -PENALTY}
    # A model that does not listen is stopped.
    said = verdicts(watchdog, [1, 2, 3] * 2000)
    assert said[-1] == "stop"
    assert watchdog.attempts == ATTEMPTS
    assert said.count("steer") <= ATTEMPTS * STEERED_TOKENS


def test_after_steering_a_new_text_goes_on_freely() -> None:
    watchdog = RepetitionWatchdog(RepetitionParams("steer"), PARTS)
    while watchdog.push(7) == "ok":
        pass
    assert watchdog.bias() == {7: -PENALTY}
    said = verdicts(watchdog, list(range(10, 500)))
    assert said[STEERED_TOKENS:] == ["ok"] * (490 - STEERED_TOKENS)
    assert watchdog.bias() == {}


def test_a_token_without_text_is_never_named_in_the_bias() -> None:
    watchdog = RepetitionWatchdog(RepetitionParams("steer"), PARTS)
    while watchdog.push(7) == "ok":
        pass
    watchdog.push(END)
    watchdog.push(7)
    assert END not in watchdog.bias()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), cut=st.integers(0, 900), policy=st.sampled_from(["stop", "steer"]))
def test_a_fork_and_a_rebuilt_watchdog_say_the_same(seed: int, cut: int, policy: str) -> None:
    random = Random(seed)
    ids = [random.randrange(random.choice([2, 5, 600])) for _ in range(300)] + [random.randrange(3) for _ in range(600)]
    params = RepetitionParams(policy, max_pattern_size=30, min_count=9)  # type: ignore[arg-type]
    original, rebuilt = RepetitionWatchdog(params, PARTS), RepetitionWatchdog(params, PARTS)
    before = verdicts(original, ids[:cut])
    if "stop" in before:
        return
    fork = original.fork()
    verdicts(fork, [1] * 50)  # a branch that is given up
    fork = original.fork()
    assert verdicts(rebuilt, ids) == before + verdicts(fork, ids[cut:])
    assert rebuilt.finding == fork.finding
    assert rebuilt.bias() == fork.bias()


def test_memory_is_bounded() -> None:
    watchdog = RepetitionWatchdog(RepetitionParams("stop"), PARTS)
    random = Random(1)
    for _ in range(5 * TAIL):
        assert watchdog.push(random.randrange(600)) == "ok"
    assert len(watchdog._ids) < 2 * TAIL


def test_prose_without_end_is_let_through() -> None:
    watchdog = RepetitionWatchdog(RepetitionParams("stop"), BYTES)
    assert set(verdicts(watchdog, list(paragraph(Random(3), 150).encode()))) == {"ok"}
