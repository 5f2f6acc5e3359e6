"""`fetch_page`: a page of the web as text, from hosts that are allowed."""

from __future__ import annotations

import codecs
import importlib.util
import json

from mistralet import page_text
from mistralet.agents.function_tool import function_tool
from mistralet.agents.tool import AgentTool
from mistralet.errors import ToolError, WebError
from mistralet.limited_program import ProgramError, run_limited
from mistralet.web import WebDocument, WebRules, fetch, is_host_rule

_HTML = ("text/html", "application/xhtml+xml")
_KINDS = ("text/*", "application/json", "application/ld+json", "application/problem+json", "application/xml")
_FEEDS = ("application/xhtml+xml", "application/rss+xml", "application/atom+xml", "application/javascript")
_ENCODINGS = ("utf-8", "utf-16", "ascii", "iso8859", "cp125", "koi8", "gb", "big5", "shift_jis", "euc", "iso2022")
_LONGEST = 4_000_000  # bytes
_SECONDS, _SECONDS_TO_READ = 20.0, 10.0


def fetch_tools(rest: str) -> list[AgentTool]:
    """The tool `fetch_page`; `fetch:example.com,*.example.org` names the hosts, `fetch:*` is all that are public.

    Raises:
        ToolError: no host is named, one is no host, or what reads HTML is not installed.
    """
    hosts = [host.strip() for host in rest.split(",") if host.strip()]
    if not hosts:
        raise ToolError("The tool 'fetch' needs hosts: fetch:example.com,*.example.org, or fetch:* for all.")
    for host in hosts:
        if host != "*" and not is_host_rule(host):
            raise ToolError(f"'{host}' is no host: name it as example.com, or *.example.com for all below it.")
    if importlib.util.find_spec("selectolax") is None:
        raise ToolError("The tool 'fetch' needs a library that reads HTML: pip install 'mistralet[web]'.")
    rules = WebRules(None if "*" in hosts else hosts, (*_KINDS, *_FEEDS), _LONGEST, _SECONDS)

    async def fetch_page(url: str) -> str:
        document = await fetch(url, rules)
        return f"{document.url}\n\n{await _text(document)}"

    where = "any public host" if rules.hosts is None else ", ".join(hosts)
    fetch_page.__doc__ = f"""Get a page or a JSON or text file from the web and read it as text. Allowed: {where}.

    Args:
        url: the whole address, with https://.
    """
    return [function_tool(fetch_page, timeout=_SECONDS + 10)]


async def _text(document: WebDocument) -> str:
    if document.body[:1024].count(0):
        raise WebError("What the page sends is binary, and cannot be read as text.")
    text = document.body.decode(_codec(document.charset), errors="replace")
    if document.content_type in _HTML:
        return await _read_html(text, document.url)
    if document.content_type.endswith("json"):
        try:
            return json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":"))
        except (ValueError, RecursionError):
            return text  # what is not JSON after all is shown as it came
    return text


async def _read_html(html: str, url: str) -> str:
    """The text of a page, read in a process of its own (see `page_text`)."""
    page = f"{url}\n{html}".encode("utf-8", errors="replace")
    try:
        return (await run_limited(page_text.__file__, page, _SECONDS_TO_READ)).decode()
    except TimeoutError:
        raise WebError("The page cannot be read in a reasonable time: it is too large or nested too deeply.") from None
    except ProgramError:
        raise WebError("The page cannot be read: it is too large, nested too deeply, or damaged.") from None


def _codec(charset: str | None) -> str:
    """The encoding that a server told, if pages are written in it; others can take very long."""
    try:
        name = codecs.lookup(charset or "utf-8").name
    except (LookupError, ValueError):
        return "utf-8"
    return name if name.startswith(_ENCODINGS) else "utf-8"
