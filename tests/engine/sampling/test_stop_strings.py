"""Stop strings: found wherever pieces of text are cut, never shown, and nothing else is held back for long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mistralet.engine.sampling import StopStrings
from mistralet.tokenizer import BpeTokenizer
from mistralet.tokenizer.stream import StreamDecoder

LETTERS = st.text("abé", max_size=30)
STOPS = st.lists(st.text("abé", min_size=1, max_size=5), max_size=4)


def expected_end(text: str, stops: list[str]) -> tuple[int, str] | None:
    """Where the first complete stop string begins, and which it is."""
    for end in range(len(text) + 1):
        complete = [stop for stop in stops if text[:end].endswith(stop)]
        if complete:
            longest = max(complete, key=len)
            return end - len(longest), longest
    return None


@given(LETTERS, STOPS, st.lists(st.integers(1, 6), min_size=30, max_size=30))
def test_a_text_ends_where_it_should_however_it_is_cut(text: str, stops: list[str], sizes: list[int]) -> None:
    matcher, shown, read = StopStrings(stops), "", 0
    for size in sizes:
        shown += matcher.push(text[read : read + size])
        read += size
        if matcher.matched is None:
            held = text[:read][len(shown) :]
            beginnings = {stop[:length] for stop in stops for length in range(len(stop))}
            longest = max((b for b in beginnings if text[:read].endswith(b)), key=len, default="")
            assert shown + held == text[:read]
            assert held == longest
    shown += matcher.finish()
    end = expected_end(text, stops)
    assert (shown, matcher.matched) == ((text, None) if end is None else (text[: end[0]], end[1]))


def test_after_a_match_nothing_comes() -> None:
    matcher = StopStrings(["END"])
    assert matcher.push("one EN") == "one "
    assert matcher.push("D two END") == ""
    assert matcher.push("three") == ""
    assert matcher.finish() == ""
    assert matcher.matched == "END"


def test_what_only_looked_like_a_stop_string_is_shown_in_the_end() -> None:
    matcher = StopStrings(["</s>", "\n\n"])
    assert [matcher.push(piece) for piece in ("a</", "b\n", "c", "\n")] == ["a", "</b", "\nc", ""]
    assert matcher.finish() == "\n"
    assert matcher.matched is None


def test_without_stop_strings_text_passes_as_it_comes() -> None:
    matcher = StopStrings([])
    assert [matcher.push(piece) for piece in ("a", "", "🙂b")] == ["a", "", "🙂b"]
    assert matcher.finish() == ""


@pytest.mark.parametrize("stop", ["🙂", "é\n", "naïve🙂", "day"])
def test_stop_strings_are_found_over_token_boundaries(stop: str, tiny_tokenizer: BpeTokenizer) -> None:
    text = "A naïve day: é\n🙂🙂 naïve🙂 and more"
    decoder, matcher = StreamDecoder(tiny_tokenizer), StopStrings([stop])
    shown = "".join(matcher.push(decoder.push(token)) for token in tiny_tokenizer.encode(text))
    assert shown == text[: text.index(stop)]
    assert matcher.matched == stop
