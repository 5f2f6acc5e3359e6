"""`fetch_page`: a page of the web as text, from hosts that are allowed."""

from __future__ import annotations

import codecs
import json

from mistralet.agents.builtin.page_text import page_text
from mistralet.agents.function_tool import function_tool
from mistralet.agents.tool import AgentTool
from mistralet.errors import ToolError, WebError
from mistralet.web import WebDocument, WebRules, fetch

_HTML = ("text/html", "application/xhtml+xml")
_KINDS = ("text/*", "application/json", "application/ld+json", "application/problem+json", "application/xml")
_FEEDS = ("application/xhtml+xml", "application/rss+xml", "application/atom+xml", "application/javascript")
_ENCODINGS = ("utf-8", "utf-16", "ascii", "iso8859", "cp125", "koi8", "gb", "big5", "shift_jis", "euc", "iso2022")
_LONGEST = 4_000_000  # bytes
_SECONDS = 20.0


def fetch_tools(rest: str) -> list[AgentTool]:
    """The tool `fetch_page`; `fetch:example.com,*.example.org` names the hosts, `fetch:*` is all that are public.

    Raises:
        ToolError: no host is named, one is no host, or what reads HTML is not installed.
    """
    hosts = [host.strip() for host in rest.split(",") if host.strip()]
    if not hosts:
        raise ToolError("The tool 'fetch' needs hosts: fetch:example.com,*.example.org, or fetch:* for all.")
    for host in hosts:
        if (
            "/" in host
            or ":" in host
            or "*" in host.removeprefix("*")
            or (host.startswith("*") and host[1:2] not in ".")
        ):
            raise ToolError(f"'{host}' is no host: name it as example.com, or *.example.com for all below it.")
    page_text("")  # says now, not in the middle of a task, if the library is missing
    rules = WebRules(None if "*" in hosts else hosts, (*_KINDS, *_FEEDS), _LONGEST, _SECONDS)

    async def fetch_page(url: str) -> str:
        document = await fetch(url, rules)
        return f"{document.url}\n\n{_text(document)}"

    where = "any public host" if rules.hosts is None else ", ".join(hosts)
    fetch_page.__doc__ = f"""Get a page or a JSON or text file from the web and read it as text. Allowed: {where}.

    Args:
        url: the whole address, with https://.
    """
    return [function_tool(fetch_page, timeout=_SECONDS + 10)]


def _text(document: WebDocument) -> str:
    if document.body[:1024].count(0):
        raise WebError("What the page sends is binary, and cannot be read as text.")
    text = document.body.decode(_codec(document.charset), errors="replace")
    if document.content_type in _HTML:
        return page_text(text, document.url)
    if document.content_type.endswith("json"):
        try:
            return json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":"))
        except (ValueError, RecursionError):
            return text  # what is not JSON after all is shown as it came
    return text


def _codec(charset: str | None) -> str:
    """The encoding that a server told, if pages are written in it; others can take very long."""
    try:
        name = codecs.lookup(charset or "utf-8").name
    except (LookupError, ValueError):
        return "utf-8"
    return name if name.startswith(_ENCODINGS) else "utf-8"
