"""From statements to the passages they rest on: found by their words, and where these are not enough, by the model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from mistralet.chat import ChatModel, ChatRequest, Message, Reply
from mistralet.documents.document import Document, Page
from mistralet.documents.passages import Passage, passages
from mistralet.documents.quotes import Citation, boxes_of
from mistralet.documents.search import Index
from mistralet.documents.words import stems
from mistralet.engine.sampling import SamplingParams

_CERTAIN = 0.6  # of a statement's words in a passage: it is the source
_LIKELY = 0.2  # at least, of a passage that the model may choose
_CANDIDATES = 6
_NEAREST = 3


@dataclass(frozen=True)
class Statement:
    """A sentence, and what it rests on; nothing where no passage says so."""

    text: str
    citations: tuple[Citation, ...] = ()


class Citer:
    """Finds the passages on some pages that statements rest on."""

    def __init__(self, model: ChatModel, pages: Sequence[tuple[Document, Page]], index: Index) -> None:
        self._model = model
        self._index = index
        self._passages = [passage for document, page in pages for passage in passages(document, page)]
        self._stems = [frozenset(stems(passage.text, index.language)) for passage in self._passages]

    async def statement(self, text: str, question: str = "") -> Statement:
        """A sentence with its source.

        Args:
            question: what the sentence answers; its words tell between passages that fit alike.
        """
        own = frozenset(stems(text, self._index.language))
        both = own | frozenset(stems(question, self._index.language))
        fits = [(self._index.share(own, there), self._index.share(both, there)) for there in self._stems]
        ranked = sorted(range(len(fits)), key=lambda place: (-sum(fits[place]), place))
        if not ranked or fits[ranked[0]][0] <= 0:
            return Statement(text)
        if fits[ranked[0]][0] >= _CERTAIN:
            return Statement(text, (cited(self._passages[ranked[0]]),))
        likely = [self._passages[place] for place in ranked[:_CANDIDATES] if max(fits[place]) >= _LIKELY]
        chosen = await self._chosen(text, likely) if likely else None
        return Statement(text, () if chosen is None else (cited(chosen),))

    def nearest(self, question: str) -> list[Citation]:
        """On each of the pages that fit a question best, the passage that shares most words with it.

        They tell where to look if an answer is doubted.
        """
        asked = frozenset(stems(question, self._index.language))
        by_page: dict[int, list[int]] = {}
        for place, passage in enumerate(self._passages):
            by_page.setdefault(id(passage.page), []).append(place)
        found: list[Citation] = []
        for _, page in self._index.pages(question):
            own = by_page.get(id(page))
            if own and len(found) < _NEAREST:
                best = max(own, key=lambda place: self._index.share(asked, self._stems[place]))
                found.append(cited(self._passages[best]))
        return found

    async def _chosen(self, text: str, likely: Sequence[Passage]) -> Passage | None:
        """The passage that the model takes for the source of a statement; None if it takes none."""
        listed = "\n".join(f"{number}. {passage.text}" for number, passage in enumerate(likely, 1))
        asked = (
            f"Passages:\n{listed}\n\nStatement: {' '.join(text.split())}\n\n"
            "Which passage says what the statement says? Answer with its number, or 0 if none does."
        )
        schema = {"type": "integer", "enum": list(range(len(likely) + 1))}
        request = ChatRequest([Message("user", asked)], answer_schema=schema)
        reply = Reply()
        async for event in self._model.stream(request, SamplingParams(temperature=0, max_tokens=8)):
            reply.add(event)
        try:
            number = json.loads(reply.text)
        except ValueError:  # cut short by a context that is full
            return None
        return likely[number - 1] if isinstance(number, int) and 0 < number <= len(likely) else None


def cited(passage: Passage) -> Citation:
    """A passage as a citation."""
    quote = passage.page.text[passage.start : passage.end]
    boxes = boxes_of(passage.document, passage.page.number, passage.start, passage.end)
    return Citation(passage.document.name, passage.page.number, quote, boxes)
