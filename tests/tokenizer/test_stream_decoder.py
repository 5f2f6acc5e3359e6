from __future__ import annotations

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from mistralet.tokenizer import BpeTokenizer, StreamDecoder, TekkenTokenizer, Tokenizer

TEXT = "Größe 你好 👩‍👩‍👧‍👦 e\u0301 🇫🇷 ascii"


def pieces(tokenizer: Tokenizer, ids: list[int]) -> list[str]:
    stream = StreamDecoder(tokenizer)
    return [*(stream.push(token_id) for token_id in ids), stream.finish()]


# Bytes of all kinds, whole words and control tokens, so that characters are cut everywhere.
tekken_ids = st.lists(
    st.one_of(st.integers(1000, 1255), st.integers(1000 + 128, 1255), st.integers(0, 131071)), max_size=40
)
bpe_ids = st.lists(st.integers(0, 49151), max_size=40)


@settings(deadline=None, derandomize=True)
@given(ids=tekken_ids)
def test_stream_is_decode_tekken(tekken: Callable[[str], TekkenTokenizer], ids: list[int]) -> None:
    assert "".join(pieces(tekken("v7"), ids)) == tekken("v7").decode(ids)


@settings(deadline=None, derandomize=True)
@given(ids=bpe_ids)
def test_stream_is_decode_bpe(tiny_tokenizer: BpeTokenizer, ids: list[int]) -> None:
    assert "".join(pieces(tiny_tokenizer, ids)) == tiny_tokenizer.decode(ids)


@settings(deadline=None, derandomize=True)
@given(text=st.text(max_size=30))
def test_valid_text_never_shows_half_a_character(tekken: Callable[[str], TekkenTokenizer], text: str) -> None:
    ids = [1000 + byte for byte in text.encode()]
    shown = pieces(tekken("v7"), ids)
    assert "".join(shown) == text
    assert [piece for piece in shown if piece] == list(text)


def test_a_character_over_several_tokens(tekken: Callable[[str], TekkenTokenizer]) -> None:
    ids = [1000 + byte for byte in "é😀".encode()]
    assert pieces(tekken("v7"), ids) == ["", "é", "", "", "", "😀", ""]
    assert pieces(tekken("v7"), ids[:-1]) == ["", "é", "", "", "", "\ufffd"]


def test_control_tokens_show_nothing(tekken: Callable[[str], TekkenTokenizer]) -> None:
    tokenizer = tekken("v7")
    ids = tokenizer.encode(TEXT)
    assert "".join(pieces(tokenizer, [1, *ids, 2])) == TEXT
