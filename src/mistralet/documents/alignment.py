"""Two versions of a text, paragraph by paragraph: what belongs together, what came, went or moved."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rapidfuzz import fuzz

from mistralet.documents.paragraphs import Paragraph

_SIMILAR = 50.0  # of 100, by words: paragraphs in the same place that are versions of one
_SAME = 88.0  # of paragraphs in different places
_SHORTEST_MOVE = 12  # letters: shorter ones, such as "Notices", are found by their neighbours

ChangeKind = Literal["changed", "added", "removed", "moved", "cosmetic"]
Mark = tuple[Literal["same", "old", "new"], str]


@dataclass(frozen=True)
class Pair:
    """A paragraph in the old version, the new one, or both."""

    old: Paragraph | None
    new: Paragraph | None
    moved: bool = False


@dataclass(frozen=True)
class Change:
    """Paragraphs that changed together."""

    kind: ChangeKind
    old: tuple[Paragraph, ...]
    new: tuple[Paragraph, ...]

    @property
    def old_text(self) -> str:
        """What the old version says."""
        return "\n".join(paragraph.text for paragraph in self.old)

    @property
    def new_text(self) -> str:
        """What the new version says."""
        return "\n".join(paragraph.text for paragraph in self.new)


def align(old: Sequence[Paragraph], new: Sequence[Paragraph]) -> list[Pair]:
    """Each paragraph of either version in one pair, in the order of the new one; what is gone stands where it was."""
    before, after = ([_key(paragraph.text) for paragraph in side] for side in (old, new))
    pairs: list[Pair] = []
    for operation, a, b, c, d in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if operation == "equal":
            pairs += [Pair(*each) for each in zip(old[a:b], new[c:d], strict=True)]
        else:
            pairs += _versions(old[a:b], new[c:d])
    return _with_moves(pairs)


def changes(pairs: Sequence[Pair]) -> list[Change]:
    """What differs; neighbours that came, went or moved together are one change. New numbers alone are none."""
    found: list[Change] = []
    last: ChangeKind | None = None
    for pair in pairs:
        kind = _kind(pair)
        if kind is not None:
            one = Change(kind, (pair.old,) if pair.old else (), (pair.new,) if pair.new else ())
            if kind == last and kind in ("added", "removed", "moved"):
                before = found.pop()
                one = Change(kind, before.old + one.old, before.new + one.new)
            found.append(one)
        last = kind
    return found


def marks(old: str, new: str) -> list[Mark]:
    """The words of both versions in order: in both, in the old one only, in the new one only."""
    before, after = (re.findall(r"\s+|[^\W_]+|[\W_]", text) for text in (old, new))
    found: list[Mark] = []
    for operation, a, b, c, d in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if operation == "equal":
            found.append(("same", "".join(before[a:b])))
            continue
        if a < b:
            found.append(("old", "".join(before[a:b])))
        if c < d:
            found.append(("new", "".join(after[c:d])))
    return found


def _kind(pair: Pair) -> ChangeKind | None:
    if pair.old is None or pair.new is None:
        return "added" if pair.old is None else "removed"
    if pair.moved:
        return "moved"
    if pair.old.text == pair.new.text:
        return None
    return "cosmetic" if _key(pair.old.text) == _key(pair.new.text) else "changed"


def _key(text: str) -> str:
    """A text without what only looks different: case, spaces, hyphens and quotation marks."""
    return re.sub(r"[\s\u00ad\"'“”„‘’«»‐‑–—-]+", "", text).casefold()


def _versions(old: Sequence[Paragraph], new: Sequence[Paragraph]) -> list[Pair]:
    """Pairs of paragraphs that are alike, in order, so that they are as much alike in all as can be."""
    likeness = [[_likeness(one, other) for other in new] for one in old]
    best = [[0.0] * (len(new) + 1) for _ in range(len(old) + 1)]
    for a in reversed(range(len(old))):
        for b in reversed(range(len(new))):
            together = best[a + 1][b + 1] + likeness[a][b] if likeness[a][b] >= _SIMILAR else 0.0
            best[a][b] = max(best[a + 1][b], best[a][b + 1], together)
    pairs = []
    a = b = 0
    while a < len(old) or b < len(new):
        if (
            a < len(old)
            and b < len(new)
            and likeness[a][b] >= _SIMILAR
            and best[a][b] == best[a + 1][b + 1] + likeness[a][b]
        ):
            pairs.append(Pair(old[a], new[b]))
            a, b = a + 1, b + 1
        elif a < len(old) and (b == len(new) or best[a][b] == best[a + 1][b]):
            pairs.append(Pair(old[a], None))
            a += 1
        else:
            pairs.append(Pair(None, new[b]))
            b += 1
    return pairs


def _with_moves(pairs: Sequence[Pair]) -> list[Pair]:
    """What went in one place and came in another is one paragraph that moved; it stands where it came."""
    gone = [place for place, pair in enumerate(pairs) if pair.new is None]
    came = [place for place, pair in enumerate(pairs) if pair.old is None]
    moved: dict[int, int] = {}  # from where it came to where it went
    for there in came:
        new = pairs[there].new
        assert new is not None
        free = [here for here in gone if here not in moved.values()]
        scored = [(_likeness(old, new), here) for here in free if (old := pairs[here].old) is not None]
        likeness, here = max(scored, default=(0.0, -1))
        enough = _SAME if len(new.text) >= _SHORTEST_MOVE else 99.9
        if likeness >= enough:
            moved[there] = here
    left = set(moved.values())
    return [
        Pair(pairs[moved[place]].old, pair.new, moved=True) if place in moved else pair
        for place, pair in enumerate(pairs)
        if place not in left
    ]


def _likeness(one: Paragraph, other: Paragraph) -> float:
    """How many words two paragraphs share in order, from 0 to 100."""
    return float(fuzz.ratio(one.text.casefold().split(), other.text.casefold().split()))
