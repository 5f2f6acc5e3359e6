"""Scores of answers about documents, as the benchmarks define them; each from 0 to 1."""

from __future__ import annotations

import math
import re
import string
from collections.abc import Mapping, Sequence

from rapidfuzz.distance import Levenshtein

from mistralet.documents.json_leaves import Scalar
from mistralet.documents.spellings import dates

_THRESHOLD = 0.5  # of DocVQA: answers that are further off score nothing
_TOLERANCE = 0.05  # of ChartQA: a number may be so far off, as a share


def anls(answer: str, accepted: Sequence[str], threshold: float = _THRESHOLD) -> float:
    """Average normalised Levenshtein similarity of one answer (Biten et al. 2019, "Scene Text Visual Question
    Answering"; the score of DocVQA), without regard to case, spaces and a full stop at the end.

    Args:
        threshold: similarities below it count as nothing; 0, as in Mistral AI's own evaluations: none does.
    """
    closest = max((_similarity(_plain(answer), _plain(each)) for each in accepted), default=0.0)
    return closest if closest >= threshold else 0.0


def relaxed_accuracy(answer: str, accepted: Sequence[str]) -> float:
    """Whether an answer is right, numbers within 5 percent (Masry et al. 2022, "ChartQA", 5.1)."""
    return float(any(_is_right(answer, each) for each in accepted))


def final_answer(text: str) -> str:
    """What an answer that thinks aloud ends with: the line behind the last "answer:", or all of it."""
    plain = re.sub(r"[*_`]", "", text)
    found = re.split(r"answer\s*:", plain, flags=re.IGNORECASE)
    lines = [line.strip() for line in found[-1].splitlines() if line.strip()]
    return lines[0] if lines else ""


def field_f1(said: Mapping[str, Scalar], true: Mapping[str, Scalar]) -> tuple[int, int, int]:
    """Fields that are right, that were given, and that there are; see `f1`."""
    given = {name: value for name, value in said.items() if value is not None and value != ""}
    right = sum(name in true and same_value(value, true[name]) for name, value in given.items())
    return right, len(given), len(true)


def f1(right: int, given: int, there: int) -> float:
    """The harmonic mean of the share of what was given that is right, and of what there is that was given right."""
    return 2 * right / (given + there) if given + there else 1.0


def same_value(one: Scalar, other: Scalar) -> bool:
    """Whether two values of a form say the same: numbers as numbers, dates as dates, texts but for case and spaces."""
    if isinstance(one, bool) or isinstance(other, bool) or one is None or other is None:
        return one is other
    numbers = _number(one), _number(other)
    if None not in numbers:
        return math.isclose(*numbers, abs_tol=0.005)  # type: ignore[arg-type]
    texts = str(one), str(other)
    days = [next((day for _, day in dates(text)), None) for text in texts]
    if days[0] is not None and days[0] == days[1]:
        return True
    return _letters(texts[0]) == _letters(texts[1])


def _similarity(one: str, other: str) -> float:
    return 1.0 if one == other else float(Levenshtein.normalized_similarity(one, other))


def _plain(text: str) -> str:
    words = " ".join(text.lower().split())
    while words and (words[-1] in string.punctuation or words[-1].isspace()) and words[-1] != "%":
        words = words[:-1]
    return words


def _is_right(answer: str, accepted: str) -> bool:
    wanted, said = _number(accepted), _number(answer)
    if wanted is None or said is None:
        return _plain(answer) == _plain(accepted)
    shares = {said, said / 100 if "%" in answer else said}
    wants = {wanted, wanted / 100 if "%" in accepted else wanted}
    return any(abs(share - want) <= _TOLERANCE * abs(want) for share in shares for want in wants)


def _number(value: Scalar) -> float | None:
    if isinstance(value, int | float):
        return float(value)
    plain = re.sub(r"[,$€£\s]|EUR|USD", "", str(value)).rstrip("%.")
    try:
        number = float(plain)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _letters(text: str) -> str:
    return "".join(letter for letter in text.casefold() if letter.isalnum())
