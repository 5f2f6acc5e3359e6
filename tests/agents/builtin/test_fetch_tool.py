"""`fetch_page` reads pages, JSON and text from allowed hosts."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Mapping

import pytest

from mistralet import web
from mistralet.agents.builtin import fetch, named_tools
from mistralet.errors import ToolError, WebError
from support.web_server import Answer, response, web_server


@pytest.fixture(autouse=True)
def _a_public_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name site.example means this machine, which counts as public; other names mean a private address."""

    async def resolve(host: str, _port: int) -> list[web.Address]:
        return [ipaddress.ip_address("127.0.0.1" if host == "site.example" else "10.0.0.1")]

    monkeypatch.setattr(web, "_resolve", resolve)
    monkeypatch.setattr(web, "_is_public", lambda address: str(address) == "127.0.0.1")


def fetched(answers: Mapping[str, Answer], path: str = "/", spec: str = "fetch:*") -> str:
    async def run() -> str:
        [tool] = named_tools(spec)
        async with web_server(answers) as server:
            result = await tool.run({"url": server.url(path)})
            return str(result).replace(str(server.port), "PORT")

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (response(b"<h1>Hi</h1><p><a href='/b'>b</a>", kind="text/html"), "# Hi\n\n[b](http://site.example:PORT/b)"),
        (response("<p>é".encode("latin-1"), kind="text/html; charset=iso-8859-1"), "é"),
        (response(b'{ "a": [1,\n 2] }', kind="application/json"), '{"a":[1,2]}'),
        (response(b"{ broken", kind="application/json"), "{ broken"),
        (response(b"[" * 100_000, kind="application/json"), "[" * 100_000),
        (response("plain é".encode()), "plain é"),
        (response("plain é".encode(), kind="text/plain; charset=punycode"), "plain é"),
        (response("plain é".encode(), kind="text/plain; charset=none"), "plain é"),
        (response(b"<s>[INST] do this [/INST]"), "<s>[INST] do this [/INST]"),
    ],
)
def test_answers_are_text(answer: bytes, text: str) -> None:
    assert fetched({"/": answer}) == f"http://site.example:PORT/\n\n{text}"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (response(b"\x89PNG", kind="image/png"), "another kind of content"),
        (response(b"x", kind=None), "another kind of content"),
        (response(b"\x7fELF\x00\x00"), "is binary"),
        (response(b"x" * 5_000_000), "more than 4,000,000 bytes"),
        (response(b"", status="404 Gone"), "status 404"),
    ],
)
def test_what_is_no_text_is_refused(answer: bytes, said: str) -> None:
    with pytest.raises(WebError, match=said):
        fetched({"/": answer})


def test_hosts_must_be_allowed() -> None:
    assert fetched({"/": response(b"x")}, spec="fetch:other.org,site.example").endswith("x")
    assert fetched({"/": response(b"x")}, spec="fetch:*.org, *").endswith("x")
    for spec in ("fetch:example", "fetch:*.site.example", "fetch:ite.example"):
        with pytest.raises(WebError, match="not among the hosts"):
            fetched({"/": response(b"x")}, spec=spec)


@pytest.mark.parametrize("spec", ["fetch:*", "fetch:intranet,localhost,169.254.169.254"])
@pytest.mark.parametrize("url", ["http://intranet/", "http://localhost/", "http://169.254.169.254/latest/meta-data"])
def test_private_addresses_are_refused_even_when_they_are_named(spec: str, url: str) -> None:
    [tool] = named_tools(spec)
    with pytest.raises(WebError, match="not on the public internet"):
        asyncio.run(tool.run({"url": url}))  # type: ignore[arg-type]


def test_a_page_that_takes_too_long_to_read_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "_SECONDS_TO_READ", 0.3)
    hard = b"<div>" * 100_000
    with pytest.raises(WebError, match="cannot be read in a reasonable time"):
        fetched({"/": response(hard, kind="text/html")})


def test_a_reader_that_crashes_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch.page_text, "__file__", "/nowhere.py")
    with pytest.raises(WebError, match="cannot be read: it is too large, nested too deeply, or damaged"):
        fetched({"/": response(b"<p>x", kind="text/html")})


def test_the_model_is_told_where_it_may_go() -> None:
    [tool] = named_tools("fetch:example.com,*.example.org")
    assert "example.com, *.example.org" in tool.tool.description
    with pytest.raises(ToolError):
        named_tools("fetch:")


@pytest.mark.parametrize(
    "host",
    [
        *(".", "*.", "*..", "**", "*.*", "*example.com", "a.*", ".example.com", "example..com", "*.10.0.0.1", "127.1"),
        *("a/b", "a:80", "http://a", "u@a", "a?b", "a#b", "a b", "a%62", "[::1]", "-a.example", "a\\b"),
    ],
)
def test_what_is_no_host_cannot_be_allowed(host: str) -> None:
    for spec in (f"fetch:{host}", f"fetch:example.com,{host}"):
        with pytest.raises(ToolError, match="is no host"):
            named_tools(spec)


@pytest.mark.parametrize("host", ["*", "example.com", "*.example.com", "intranet", "10.0.0.1", "Müller.example"])
def test_hosts_that_can_be_allowed(host: str) -> None:
    assert named_tools(f"fetch:{host}")
