"""`page_text`: what a person reads of an HTML page, as plain text with Markdown's headings, lists and links."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from mistralet.errors import ToolError

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

_UNREAD = "script, style, noscript, template, svg, iframe, object, canvas, head > *:not(title), [hidden]"
_BLOCKS = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "div",
        "dd",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "form",
        "header",
        "hr",
        "html",
        "main",
        "nav",
        "ol",
        "p",
        "pre",
        "section",
        "table",
        "title",
        "tr",
        "ul",
        "li",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
    ]
)
_BEFORE = {"li": "- ", "td": " | ", "th": " | ", **{f"h{level}": f"{'#' * level} " for level in range(1, 7)}}
_SPACES = re.compile(r"[ \t\r\f\v\u00a0]+")


def page_text(html: str, url: str = "") -> str:
    """The text of a page; links are made whole with the page's `url`.

    Raises:
        ToolError: the library that reads HTML is not installed.
    """
    try:
        from selectolax.lexbor import LexborHTMLParser
    except ImportError as error:
        raise ToolError("Reading HTML needs a library: pip install 'mistralet[web]'.") from error
    tree = LexborHTMLParser(html)
    for node in tree.css(_UNREAD):
        node.decompose()
    pieces: list[str] = []
    # A stack of our own: pages may be nested deeper than Python's calls. A text is what ends an element.
    stack: list[LexborNode | str] = [tree.root] if tree.root else []
    while stack:
        node = stack.pop()
        if isinstance(node, str):
            pieces.append(node)
        elif node.tag == "-text":
            pieces.append(_SPACES.sub(" ", (node.text_content or "").replace("\n", " ")))
        else:
            before, after = _around(node, url)
            pieces.append(before)
            stack.append(after)
            stack += reversed(list(node.iter(include_text=True)))
    return _tidy("".join(pieces))


def _around(node: LexborNode, url: str) -> tuple[str, str]:
    """What stands before an element's content, and after it."""
    tag = node.tag or ""
    line = "\n" if tag in _BLOCKS or tag == "br" else ""
    if tag == "a" and (target := (node.attributes.get("href") or "").strip()) and not target.startswith("#"):
        return "[", f"]({_whole(url, target)})"
    if tag == "img" and (described := node.attributes.get("alt")):
        return f"[image: {described}]", ""
    return line + _BEFORE.get(tag, ""), line if tag != "br" else ""


def _whole(url: str, target: str) -> str:
    try:
        return urljoin(url, target)
    except ValueError:
        return target


def _tidy(text: str) -> str:
    """One empty line at most between lines, and no spaces at their ends."""
    lines = [line.strip().removeprefix("| ") for line in text.split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
