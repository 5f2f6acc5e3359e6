"""How new a unit is."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from mistralet.engine.repetition.novelty import WINDOW, Novelty, NoveltyModel
from mistralet.engine.repetition.units import Kind


def judge(text: str, model: NoveltyModel | None = None) -> list[Novelty]:
    """Words, numbers and marks, with blanks between them."""
    model = model or NoveltyModel()
    kinds = [Kind.WORD if unit.isalpha() else Kind.NUMBER if unit.isdigit() else Kind.MARK for unit in text.split()]
    return [Novelty(model.push(kind, unit.encode())) for kind, unit in zip(kinds, text.split(), strict=True)]


def test_a_text_that_comes_again_is_followed_after_three_units() -> None:
    text = "one fine day the old king went out to hunt "
    assert set(judge(text)) == {Novelty.NEW}
    again = judge(text * 3)[20:]
    assert set(again) == {Novelty.FOLLOWED_WORD}


def test_a_word_changed_inserted_or_left_out_does_not_end_the_following() -> None:
    text = "one fine day the old king went out to hunt for deer . "
    for changed in ("old queen went", "old tired king went", "old went"):
        judged = judge(text * 3 + text.replace("old king went", changed))
        assert judged[-7:-1] == [Novelty.FOLLOWED_WORD] * 6
        assert judged[-1] == Novelty.FOLLOWED_MARK


def test_a_number_that_counts_is_told_from_one_that_does_not() -> None:
    counted = judge(" ".join(f"row {n} of the table ." for n in range(10, 90, 7)))
    others = judge(" ".join(f"row {n * n * 7919 % 9973} of the table ." for n in range(1, 13)))
    assert counted[-5] == Novelty.COUNTED
    assert others[-5] == Novelty.NUMBER


def test_known_words_in_another_order_are_mixed_or_new_pairs() -> None:
    assert judge("a b c a c b a b")[3:] == [Novelty.NEW_PAIR] * 3 + [Novelty.NEW_PAIR, Novelty.MIXED_WORD]


def test_memory_is_bounded_and_old_text_forgotten() -> None:
    model = NoveltyModel()
    judge("alpha beta gamma delta", model)
    judge(" ".join(chr(97 + n % 26) + chr(97 + n // 26 % 26) + chr(97 + n // 676) for n in range(3 * WINDOW)), model)
    assert judge("alpha", model) == [Novelty.NEW]
    assert len(model._units) < 2 * WINDOW


@settings(max_examples=30)
@given(st.lists(st.sampled_from([*"abc123,."]), max_size=80), st.lists(st.sampled_from([*"ab12,"])))
def test_a_fork_goes_on_as_the_original(before: list[str], after: list[str]) -> None:
    model = NoveltyModel()
    judge(" ".join(before), model)
    fork = model.fork()
    assert judge(" ".join(after), fork) == judge(" ".join(after), model)
