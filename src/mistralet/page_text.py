"""`page_text`: what a person reads of an HTML page, as plain text with Markdown's headings, lists and links.

It is also a program for `run_limited`, which reads a URL's line and a page on its standard input and writes the text.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING
from urllib.parse import urljoin

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

_UNREAD = (
    "script, style, noscript, template, svg, iframe, object, canvas, head > *:not(title), [hidden], "
    "[style*='display:none' i], [style*='display: none' i]"
)
_LINES = frozenset(
    (
        *("address", "article", "aside", "body", "br", "dd", "div", "dl", "dt", "fieldset", "figcaption", "figure"),
        *("footer", "form", "header", "hr", "html", "li", "main", "nav", "section", "tr"),
    )
)
_PARAGRAPHS = frozenset(("p", "pre", "blockquote", "table", "ul", "ol", "title", "h1", "h2", "h3", "h4", "h5", "h6"))
_BEFORE = {"li": "- ", "td": " | ", "th": " | ", **{f"h{level}": f"{'#' * level} " for level in range(1, 7)}}
_SPACES = re.compile(r"\s+")
_LONGEST = 500_000  # characters of a text


def page_text(html: str, url: str | None = "") -> str:
    """The text of a page; links are made whole with the page's `url`, or left out if that is None."""
    from selectolax.lexbor import LexborHTMLParser

    tree = LexborHTMLParser(html)
    for node in tree.css(_UNREAD):
        node.decompose()
    pieces: list[str] = []
    # A stack of our own: pages may be nested deeper than Python's calls. A text on it is what ends an element.
    stack: list[LexborNode | str] = [tree.root] if tree.root else []
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            _add(pieces, item)
        elif item.tag == "-text":
            _add(pieces, _SPACES.sub(" ", item.text_content or ""))
        elif item.tag == "pre":
            pieces += ["\n\n", item.text(), "\n\n"]
        else:
            before, after = _around(item, url)
            for piece in before:
                _add(pieces, piece)
            stack += reversed(after)
            stack += reversed(list(item.iter(include_text=True)))
    lines = "".join(pieces).split("\n")
    return "\n".join(line.rstrip().removeprefix(" | ") for line in lines).strip()


def _add(pieces: list[str], piece: str) -> None:
    """Add a text, or the end of a line or paragraph, of which the longer one counts where several meet."""
    at_start = not pieces or pieces[-1].startswith("\n")
    if piece.startswith("\n"):
        if not at_start:
            pieces.append(piece)
        elif pieces and len(piece) > len(pieces[-1]):
            pieces[-1] = piece
    elif piece and not (at_start and piece == " "):
        pieces.append(piece.lstrip(" ") if at_start and not piece.startswith(" |") else piece)


def _around(node: LexborNode, url: str | None) -> tuple[list[str], list[str]]:
    """What stands before an element's content, and after it."""
    tag = node.tag or ""
    if (
        tag == "a"
        and url is not None
        and (target := (node.attributes.get("href") or "").strip())
        and not target.startswith("#")
    ):
        return ["["], [f"]({_whole(url, target)})"]
    if tag == "img":
        described = node.attributes.get("alt")
        return [f"[image: {described}]"] if described else [], []
    end = ["\n\n"] if tag in _PARAGRAPHS else ["\n"] if tag in _LINES else []
    return [*end, _BEFORE.get(tag, "")], end


def _whole(url: str, target: str) -> str:
    try:
        return urljoin(url, target)
    except ValueError:
        return target


def main() -> None:
    """Read a URL and a page, write the text."""
    url, _, html = sys.stdin.buffer.read().decode("utf-8", errors="replace").partition("\n")
    sys.stdout.buffer.write(page_text(html, url)[:_LONGEST].encode("utf-8", errors="replace"))


if __name__ == "__main__":
    main()
