"""The state of one answer, and masks of many."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from bench.constraints import RandomModel, allowed_tokens
from mistralet.engine.constraint import (
    Constraint,
    ConstraintCompiler,
    MaskFiller,
    MaskRow,
    Matcher,
    forbid,
    mask_width,
    new_mask,
)
from mistralet.errors import ConstraintError
from mistralet.tokenizer import BpeTokenizer, TekkenTokenizer

PAIR = Constraint.json_schema(
    {
        "type": "object",
        "properties": {"key": {"enum": ["a", "b"]}, "n": {"type": "integer"}},
        "required": ["key", "n"],
        "additionalProperties": False,
    }
)


def allowed(matcher: Matcher, vocab_size: int) -> set[int]:
    row = np.zeros(mask_width(vocab_size), dtype=np.int32)
    matcher.fill(row)
    return set(allowed_tokens(row, vocab_size).tolist())


@pytest.fixture(scope="module")
def filler() -> Iterator[MaskFiller]:
    made = MaskFiller()
    yield made
    made.close()


def test_a_stop_token_is_allowed_where_the_text_is_whole(
    compiler: ConstraintCompiler, tiny_tokenizer: BpeTokenizer
) -> None:
    matcher = compiler.compile(Constraint.regex("12?"))
    one, two = tiny_tokenizer.encode("12")
    size = tiny_tokenizer.vocab_size
    assert not allowed(matcher, size) & tiny_tokenizer.stop_ids
    matcher.accept(one)
    assert allowed(matcher, size) == {two} | tiny_tokenizer.stop_ids
    assert matcher.is_complete
    assert not matcher.is_finished
    matcher.accept(two)
    assert allowed(matcher, size) == tiny_tokenizer.stop_ids
    assert matcher.is_finished
    for stop in tiny_tokenizer.stop_ids:
        matcher.accept(stop)
        assert matcher.is_finished
        matcher.rollback(1)


def test_a_token_that_is_not_allowed_ends_it(compiler: ConstraintCompiler, tiny_tokenizer: BpeTokenizer) -> None:
    matcher = compiler.compile(PAIR)
    (bracket,) = tiny_tokenizer.encode("[")
    with pytest.raises(ConstraintError, match=r"cannot be held to its grammar any more: .*satisfy"):
        matcher.accept(bracket)
    assert not matcher.is_finished
    with pytest.raises(ConstraintError):
        allowed(matcher, tiny_tokenizer.vocab_size)


def test_rolling_back_gives_the_state_before(compiler: ConstraintCompiler, tiny_tokenizer: BpeTokenizer) -> None:
    matcher = compiler.compile(PAIR)
    tokens = [*tiny_tokenizer.encode('{"key": "b", "n": 12}'), min(tiny_tokenizer.stop_ids)]
    masks = []
    for token in tokens:
        masks.append(allowed(matcher, tiny_tokenizer.vocab_size))
        matcher.accept(token)
    for count in range(1, len(tokens) + 1):
        matcher.rollback(count)
        for token, mask in zip(tokens[-count:], masks[-count:], strict=True):
            assert allowed(matcher, tiny_tokenizer.vocab_size) == mask
            matcher.accept(token)
    assert matcher.is_finished


def test_rolling_back_more_than_there_is_is_an_error(compiler: ConstraintCompiler) -> None:
    with pytest.raises(ConstraintError):
        compiler.compile(PAIR).rollback(1)


def test_what_must_come_is_forced(compiler: ConstraintCompiler, tiny_tokenizer: BpeTokenizer) -> None:
    matcher = compiler.compile(Constraint.choice(["The answer is yes.", "The answer is no."]))
    forced = matcher.forced_tokens()
    assert tiny_tokenizer.decode(forced).startswith("The answer is")
    assert matcher.allowed_prefix(forced) == len(forced)
    for token in forced:
        matcher.accept(token)
    assert matcher.forced_tokens() == []


def test_a_draft_is_allowed_up_to_its_first_wrong_token(
    compiler: ConstraintCompiler, tiny_tokenizer: BpeTokenizer
) -> None:
    matcher = compiler.compile(PAIR)
    right, wrong = tiny_tokenizer.encode('{"key": "a", "n":'), tiny_tokenizer.encode("[true]")
    assert matcher.allowed_prefix(right) == len(right)
    assert matcher.allowed_prefix(right + wrong) == len(right)
    assert matcher.allowed_prefix(wrong + right) == 0
    assert matcher.allowed_prefix([]) == 0


def test_masks_of_many_equal_those_of_each(
    compiler: ConstraintCompiler, tiny_tokenizer: BpeTokenizer, filler: MaskFiller
) -> None:
    size = tiny_tokenizer.vocab_size
    constraints = [PAIR, Constraint.regex("[a-z]+"), Constraint.choice(["x", "yz"]), Constraint.json_object()]
    mask = new_mask(6, size)
    places = [0, 2, 3, 5]
    rows = [MaskRow(compiler.compile(each), place) for each, place in zip(constraints, places, strict=True)]
    assert filler.start(rows, mask).wait() == {}
    for each, place in zip(constraints, places, strict=True):
        assert set(allowed_tokens(mask[place], size).tolist()) == allowed(compiler.compile(each), size)
    assert (mask[[1, 4]] == -1).all()


def test_a_draft_has_a_row_for_what_may_follow_each_token(
    compiler: ConstraintCompiler, tiny_tokenizer: BpeTokenizer, filler: MaskFiller
) -> None:
    size = tiny_tokenizer.vocab_size
    draft = tiny_tokenizer.encode('{"key": "a", "n": 7}')
    matcher = compiler.compile(PAIR)
    mask = new_mask(1 + len(draft), size)
    assert filler.start([MaskRow(matcher, 0, draft)], mask).wait() == {}
    step = compiler.compile(PAIR)
    for row, token in enumerate(draft):
        assert set(allowed_tokens(mask[row], size).tolist()) == allowed(step, size)
        step.accept(token)
    assert set(allowed_tokens(mask[len(draft)], size).tolist()) == tiny_tokenizer.stop_ids
    assert allowed(matcher, size) == allowed(compiler.compile(PAIR), size)  # it was not moved


def test_an_answer_that_fails_does_not_stop_the_others(
    compiler: ConstraintCompiler, tiny_tokenizer: BpeTokenizer, filler: MaskFiller
) -> None:
    # What a grammar asks for in the middle is not looked at when it is compiled.
    broken = compiler.compile(Constraint.lark('start: "a" B\nB: /[^\\s\\S]/'))
    with pytest.raises(ConstraintError):
        broken.accept(tiny_tokenizer.encode("b")[0])
    mask = new_mask(2, tiny_tokenizer.vocab_size)
    failures = filler.start([MaskRow(broken, 0), MaskRow(compiler.compile(PAIR), 1)], mask).wait()
    assert list(failures) == [0]
    assert isinstance(failures[0], ConstraintError)
    assert set(allowed_tokens(mask[1], tiny_tokenizer.vocab_size).tolist()) == allowed(
        compiler.compile(PAIR), tiny_tokenizer.vocab_size
    )


@pytest.mark.parametrize("columns", [64, 70, 90])
def test_scores_of_forbidden_tokens_are_minus_infinity(columns: int) -> None:
    mask = new_mask(2, 70)
    mask[0] = 0
    mask[0, 1] = 1 << 5
    mask[1, 0] = np.array(1 << 31, dtype=np.uint32).astype(np.int32)
    logits = torch.zeros(2, columns)
    forbid(logits, mask)
    assert logits[0].isfinite().nonzero().flatten().tolist() == [37]
    kept = logits[1].isfinite().nonzero().flatten().tolist()
    assert kept == [31, *range(32, min(columns, 96))]


@pytest.mark.parametrize("seed", range(4))
def test_no_control_token_is_ever_text(
    seed: int, tekken_compiler: ConstraintCompiler, tekken_tokenizer: TekkenTokenizer
) -> None:
    matcher = tekken_compiler.compile(Constraint.regex("(?s:.*)"))
    model = RandomModel(tekken_tokenizer.vocab_size)
    tokens = allowed(matcher, tekken_tokenizer.vocab_size)
    assert {token for token in tokens if not tekken_tokenizer.token_bytes(token)} == tekken_tokenizer.stop_ids
    assert len(tokens) > 129_000
    answer = model.generate(matcher, tekken_tokenizer.stop_ids, seed, max_tokens=40)
    assert all(tekken_tokenizer.token_bytes(token) for token in answer.tokens)


def test_an_answer_cannot_end_within_a_character(
    tekken_compiler: ConstraintCompiler, tekken_tokenizer: TekkenTokenizer
) -> None:
    matcher = tekken_compiler.compile(Constraint.regex("(?s:.*)"))
    pieces = {tekken_tokenizer.token_bytes(index): index for index in range(1000, 1256)}
    for byte in "😀".encode():
        assert matcher.is_complete is (byte == 0xF0)
        matcher.accept(pieces[bytes([byte])])
    assert matcher.is_complete
    assert pieces[b"\xff"] not in allowed(matcher, tekken_tokenizer.vocab_size)
    assert pieces[b"\x80"] not in allowed(matcher, tekken_tokenizer.vocab_size)
