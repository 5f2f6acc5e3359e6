"""Documents: opened page by page, asked, extracted from, summarised and compared, with the place of what is said."""

from mistralet.documents.document import Box, Document, Page, PageSource, Table, UnreadPage, Word
from mistralet.documents.events import FlowEvent, Planned, Progress, TextDelta
from mistralet.documents.quotes import Citation, cite, find_quote

__all__ = [
    "Box",
    "Citation",
    "Document",
    "FlowEvent",
    "Page",
    "PageSource",
    "Planned",
    "Progress",
    "Table",
    "TextDelta",
    "UnreadPage",
    "Word",
    "cite",
    "find_quote",
]
