"""From statements to the passages they rest on: found by their words, and where these are not enough, by the model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from mistralet.chat import ChatModel, ChatRequest, Message, Reply
from mistralet.documents.document import Document, Page
from mistralet.documents.passages import Passage, passages, sentences
from mistralet.documents.quotes import Citation, boxes_of
from mistralet.documents.search import Index, support
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

    async def statements(self, text: str, question: str = "") -> list[Statement]:
        """The sentences of a text with their sources.

        Args:
            question: what the text answers; its words tell between passages that fit alike.
        """
        return [await self.statement(text[start:end], question) for start, end in sentences(text)]

    async def statement(self, text: str, question: str = "") -> Statement:
        """A sentence with its source."""
        ranked = sorted(
            ((*support(text, passage, self._index, question), place) for place, passage in enumerate(self._passages)),
            key=lambda each: (-(each[0] + each[1]), each[2]),
        )
        if not ranked or ranked[0][0] <= 0:
            return Statement(text)
        own, _, place = ranked[0]
        if own >= _CERTAIN:
            return Statement(text, (cited(self._passages[place]),))
        likely = [self._passages[place] for own, both, place in ranked[:_CANDIDATES] if max(own, both) >= _LIKELY]
        chosen = await self._chosen(text, likely) if likely else None
        return Statement(text, () if chosen is None else (cited(chosen),))

    def nearest(self, question: str) -> list[Citation]:
        """On each of the pages that fit a question best, the passage that shares most words with it.

        They tell where to look if an answer is doubted.
        """
        by_page: dict[int, list[Passage]] = {}
        for passage in self._passages:
            by_page.setdefault(id(passage.page), []).append(passage)
        found: list[Citation] = []
        for _, page in self._index.pages(question):
            own = by_page.get(id(page))
            if own and len(found) < _NEAREST:
                shares = [support(question, passage, self._index)[0] for passage in own]
                found.append(cited(own[shares.index(max(shares))]))
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
