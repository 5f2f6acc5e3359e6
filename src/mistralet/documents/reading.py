"""What of some documents a model reads: all pages where they fit its context, else those likeliest to matter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mistralet.chat import ChatModel, ImagePart, Part, TextPart
from mistralet.documents.document import Document, Page
from mistralet.documents.search import Index
from mistralet.errors import DocumentError

# What a template puts around a conversation, and instructions; more than any of ours take.
_OVERHEAD = 300  # tokens
_PICTURE_SIDE = 1540  # pixels: what the family's vision reads at most
_PICTURE_TOKENS = 3100  # of such a picture
_MOST_PAGES = 8  # that are read of what does not fit: enough to find an answer, few enough to be read soon
_SHORTEST = 200  # tokens of a page's text that are worth reading


@dataclass(frozen=True)
class Reading:
    """Pages for a model, in the order of the documents."""

    pages: tuple[tuple[Document, Page], ...]
    tokens: int  # of their texts
    is_whole: bool  # nothing was left out
    plan: str  # a sentence for people


async def choose_pages(
    model: ChatModel, documents: Sequence[Document], index: Index, question: str, answer_tokens: int
) -> Reading:
    """The pages that a model is to read before it answers a question.

    Raises:
        DocumentError: nothing of them can be read, or a page does not fit.
    """
    facts = await model.facts()
    pages = readable(documents)
    _check_scans(pages, facts.reads_pictures)
    (asked,) = await model.count_tokens([question])
    room = facts.context - answer_tokens - asked - _OVERHEAD
    if room < _SHORTEST:
        raise DocumentError(f"The model's context of {facts.context:,} tokens leaves no room for a page; ask for less.")
    sizes = await page_tokens(model, pages)
    whole = sum(sizes)
    if whole <= room:
        plan = f"{count_of(pages)}, {whole:,} tokens: all of it is read{_but_for(documents)}."
        return Reading(tuple(pages), whole, is_whole=True, plan=plan)
    size_of = {id(page): size for (_, page), size in zip(pages, sizes, strict=True)}
    chosen: dict[int, tuple[Document, Page]] = {}
    left = room
    for document, page in index.pages(question) or pages:
        size = size_of[id(page)]
        if len(chosen) < _MOST_PAGES and size <= left:
            chosen[id(page)] = (document, page)
            left -= size
    if not chosen:
        raise DocumentError(f"No page fits the model's context of {facts.context:,} tokens; give it a larger one.")
    kept = tuple(pair for pair in pages if id(pair[1]) in chosen)
    plan = (
        f"{len(pages)} pages, {whole:,} tokens, are more than fit: the {len(kept)} likeliest are read "
        f"({', '.join(str(page.number) for _, page in kept)})."
    )
    return Reading(kept, room - left, is_whole=False, plan=plan)


async def parts_that_fit(
    model: ChatModel, document: Document, asked: str, answer_tokens: int
) -> list[tuple[Page, ...]]:
    """The pages of a document in as few parts as the model can read at once, in order.

    Args:
        asked: what is asked of each part.
        answer_tokens: of the answer about one.

    Raises:
        DocumentError: a page does not fit, or is a picture and the model reads none.
    """
    facts = await model.facts()
    pages = readable([document])
    _check_scans(pages, facts.reads_pictures)
    (question,) = await model.count_tokens([asked])
    room = facts.context - answer_tokens - question - _OVERHEAD
    parts: list[list[Page]] = [[]]
    left = room
    for (_, page), size in zip(pages, await page_tokens(model, pages), strict=True):
        if size > room:
            raise DocumentError(
                f"Page {page.number} of {document.name} has {size:,} tokens, but the model's context leaves room for "
                f"{max(0, room):,}; take a model with a larger one."
            )
        if size > left:
            parts.append([])
            left = room
        parts[-1].append(page)
        left -= size
    return [tuple(part) for part in parts]


def readable(documents: Sequence[Document]) -> list[tuple[Document, Page]]:
    """The pages of which something was read."""
    return [(document, page) for document in documents for page in document.pages if not page.unread]


def count_of(pages: Sequence[object]) -> str:
    """How many pages these are, for people."""
    return f"{len(pages)} page{'s' * (len(pages) > 1)}"


async def page_tokens(model: ChatModel, pages: Sequence[tuple[Document, Page]]) -> list[int]:
    """The tokens of each page, with the line that names it."""
    texts = await model.count_tokens([page_text(document, page) for document, page in pages])
    return [size + _PICTURE_TOKENS * page.is_scan for size, (_, page) in zip(texts, pages, strict=True)]


def page_text(document: Document, page: Page) -> str:
    """A page as a model reads it."""
    label = f" ({page.label})" if page.label else ""
    return f"[{document.name}, page {page.number}{label}]\n{page.text}\n\n"


def page_parts(pages: Sequence[tuple[Document, Page]]) -> list[Part]:
    """Pages as parts of a message: their text, and the picture of those that are scans."""
    parts: list[Part] = []
    for document, page in pages:
        parts.append(TextPart(page_text(document, page)))
        if page.is_scan:
            parts.append(ImagePart(document.source.picture(page.number, _PICTURE_SIDE)))
    return _joined(parts)


def _joined(parts: Sequence[Part]) -> list[Part]:
    """Texts that follow each other as one: templates put lines between parts."""
    joined: list[Part] = []
    for part in parts:
        last = joined[-1] if joined else None
        if isinstance(part, TextPart) and isinstance(last, TextPart):
            joined[-1] = TextPart(last.text + part.text)
        else:
            joined.append(part)
    return joined


def _but_for(documents: Sequence[Document]) -> str:
    unread = [page for document in documents for page in document.unread_pages]
    return f" but for {count_of(unread)} that cannot be" if unread else ""


def _check_scans(pages: Sequence[tuple[Document, Page]], reads_pictures: bool) -> None:
    scans = [(document, page) for document, page in pages if page.is_scan]
    if scans and not reads_pictures:
        document, page = scans[0]
        raise DocumentError(
            f"Page {page.number} of {document.name} is a picture, and this model reads text only; "
            "add --ocr to read its text, or take a model with vision."
        )
