"""`Index`: the passages and pages that fit a question, by BM25 (Robertson and Zaragoza 2009) and by meaning."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence, Set
from dataclasses import dataclass, field

from mistralet.documents.document import Document, Page
from mistralet.documents.meanings import Meanings
from mistralet.documents.passages import passages
from mistralet.documents.words import language_of, stems

_K1, _B = 1.2, 0.75  # of BM25
# Passages that are looked at together, five sentences and a heading: an answer often stands beside the words that name
# its subject.
_WINDOW = 6
_PAGE_WEIGHT = 1.5  # of what the page as a whole says, beside its best window
_RANK_OFFSET = 60  # of reciprocal rank fusion


class Index:
    """All passages of some documents."""

    def __init__(self, documents: Sequence[Document], meanings: Meanings | None = None) -> None:
        """
        Args:
            meanings: ranks pages by meaning, too; None: by words alone.
        """
        self._meanings = meanings
        self.language = language_of(" ".join(page.text for document in documents for page in document.pages)[:200_000])
        self._pages = [(document, page) for document in documents for page in document.pages if not page.unread]
        self._windows = _Bm25()
        self._whole = _Bm25()
        self._page_of: list[int] = []  # of each window
        for place, (document, page) in enumerate(self._pages):
            sentences = [stems(passage.text, self.language) for passage in passages(document, page)]
            self._whole.add([stem for sentence in sentences for stem in sentence])
            for start in range(max(1, len(sentences) - _WINDOW + 1)):
                window = sentences[start : start + _WINDOW]
                self._windows.add([stem for sentence in window for stem in sentence])
                self._page_of.append(place)

    def pages(self, question: str) -> list[tuple[Document, Page]]:
        """The pages that share words with a question, or its meaning, the likeliest first.

        Two rankings are joined by reciprocal rank fusion (Cormack et al. 2009).
        """
        ranked = self._by_words(question)
        if self._meanings is not None:
            scores: dict[int, float] = defaultdict(float)
            for ranking in (ranked, self._meanings.ranked(self._pages, question)):
                for rank, place in enumerate(ranking):
                    scores[place] += 1 / (_RANK_OFFSET + rank)
            ranked = sorted(scores, key=lambda place: (-scores[place], place))
        return [self._pages[place] for place in ranked]

    def _by_words(self, question: str) -> list[int]:
        wanted = stems(question, self.language)
        scores: dict[int, float] = defaultdict(float)
        for window, score in self._windows.scores(wanted).items():
            place = self._page_of[window]
            scores[place] = max(scores[place], score)
        for place, score in self._whole.scores(wanted).items():
            scores[place] += _PAGE_WEIGHT * score
        return sorted(scores, key=lambda place: (-scores[place], place))

    def weight(self, stem: str) -> float:
        """How much a word says: the rarer among the passages, the more."""
        return self._windows.weight(stem)

    def share(self, wanted: Set[str], there: Set[str]) -> float:
        """How much of what some words say others say, too, from 0 to 1."""
        whole = sum(map(self.weight, wanted))
        return sum(self.weight(stem) for stem in wanted & there) / whole if whole else 0.0


@dataclass
class _Bm25:
    """Scores of texts, each given as its stems."""

    lengths: list[int] = field(default_factory=list)
    postings: dict[str, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))

    def add(self, text: Sequence[str]) -> None:
        for stem, count in Counter(text).items():
            self.postings[stem].append((len(self.lengths), count))
        self.lengths.append(len(text))

    def weight(self, stem: str) -> float:
        found = len(self.postings.get(stem, ()))
        return math.log(1 + (len(self.lengths) - found + 0.5) / (found + 0.5))

    def scores(self, wanted: Sequence[str]) -> dict[int, float]:
        mean = sum(self.lengths) / max(1, len(self.lengths)) or 1.0
        scores: dict[int, float] = defaultdict(float)
        for stem in set(wanted):
            weight = self.weight(stem)
            for text, count in self.postings.get(stem, ()):
                scale = _K1 * (1 - _B + _B * self.lengths[text] / mean)
                scores[text] += weight * count * (_K1 + 1) / (count + scale)
        return scores
