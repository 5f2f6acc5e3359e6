"""`fetch` gets what is public, from the address that was checked, within its bounds, and refuses the rest."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import ipaddress
import shutil
import socket
import ssl
import subprocess
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mistralet import web
from mistralet.errors import WebError
from mistralet.web import WebDocument, WebRules, fetch
from support.web_server import Answer, WebServer, redirect, response, web_server

ANY = WebRules(allow_private=True)


def gzipped(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)  # the same bytes each time: they name tests


class Names:
    """What the names of a test mean, instead of what the network says; every question is kept."""

    def __init__(self) -> None:
        self.addresses: dict[str, list[str]] = {}
        self.asked: list[str] = []

    async def resolve(self, host: str, _port: int) -> list[web.Address]:
        self.asked.append(host)
        try:
            return [ipaddress.ip_address(host)]
        except ValueError:
            found = self.addresses.get(host, ["127.0.0.1"] if host.endswith(".example") else [])
        if not found:
            raise OSError("no such name")
        return list(map(ipaddress.ip_address, found))


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    names = Names()
    monkeypatch.setattr(web, "_resolve", names.resolve)
    return names


def fetched(
    answers: Mapping[str, Answer], url: Callable[[WebServer], str], rules: WebRules = ANY, **tls: Any
) -> tuple[WebDocument, list[list[str]]]:
    async def run() -> tuple[WebDocument, list[list[str]]]:
        async with web_server(answers, **tls) as server:
            return await fetch(url(server), rules), server.requests

    return asyncio.run(run())


def refusal(url: str, rules: WebRules | None = None) -> str:
    with pytest.raises(WebError) as caught:
        asyncio.run(fetch(url, rules))
    return str(caught.value)


def test_a_document_is_found() -> None:
    answers = {"/a?b=c": response("é".encode(), kind="Text/HTML; charset=UTF-8")}
    document, [head] = fetched(answers, lambda server: server.url("/a?b=c#part"))
    assert (document.content_type, document.charset, document.body.decode()) == ("text/html", "utf-8", "é")
    assert document.url.endswith("/a?b=c")
    assert head[0] == "GET /a?b=c HTTP/1.1"
    assert any(line.startswith("Host: site.example:") for line in head)
    assert not [line for line in head if line.lower().startswith(("cookie", "authorization", "referer"))]


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://site.example/",
        "gopher://127.0.0.1:6379/_INFO",
        "data:text/plain,hello",
        "//site.example/",
        "site.example",
        "",
        "http://",
        "http:///etc/passwd",
        "http://user@site.example/",
        "http://user:pass@site.example/",
        "http://:@site.example/",
        "http://127.0.0.1:80@site.example/",
        "http://site.example\\@127.0.0.1/",
        "http://site.example:0/",
        "http://site.example:65536/",
        "http://site.example:x/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7f.0.0.1/",
        "http://017700000001/",
        "http://0177.0.0.1/",
        "http://127.1/",
        "http://127.0.1/",
        "http://127.0.0.1./",
        "http://0/",
        "http://1.2.3.4.5/",
        "http://example.0x/",
        "http://①②⑦.⓪.⓪.①/",
        "http://127%2e0%2e0%2e1/",
        "http://[::1%25lo]/",
        "http://[fe80::1%eth0]/",
        "http://[::1",
        "http://ho st/",
        "http://host\r\nX: y/",
        "http://site.example%00.evil.example/",
        "http://site..example/",
        "http://-site.example/",
        f"http://{'a' * 64}.example/",
        f"http://{'a.' * 130}example/",
        "http://site.example/" + "a" * 70_000,
    ],
)
def test_a_url_that_is_no_plain_one_is_refused_before_any_name_is_asked_for(names: Names, url: str) -> None:
    assert refusal(url, ANY)
    assert names.asked == []


NOT_PUBLIC = [
    *("127.0.0.1", "127.255.255.254", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1"),
    *("169.254.169.254", "100.64.0.1", "100.100.100.200", "192.0.0.192", "168.63.129.16", "198.18.0.1", "192.0.2.1"),
    *("198.51.100.1", "203.0.113.1", "192.88.99.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::808:808"),
    *("64:ff9b:1::1", "100::1", "fe80::1", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1"),
    *("2600::5efe:8.8.8.8", "2600::200:5efe:127.0.0.1", "2600::300:5efe:0a00:1"),
    *("2001::1", "2001:0:4136:e378::1", "2001:10::1", "2002:7f00:1::1", "2002:808:808::1", "3fff::1", "5f00::1"),
]


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_what_is_not_public_is_refused(names: Names, address: str) -> None:
    literal = f"[{address}]" if ":" in address else address
    names.addresses["inside.example"] = [address]
    names.addresses["mixed.example"] = ["93.184.216.34", address]
    for host in (literal, "inside.example", "mixed.example"):
        sentence = refusal(f"http://{host}/")
        assert "is not on the public internet" in sentence
        assert address not in sentence.replace(f"'{address}'", "")  # a name's address is not told


@pytest.mark.parametrize(
    "address",
    [
        *("169.254.169.254", "169.254.170.2", "168.63.129.16", "100.100.100.200", "192.0.0.192", "fe80::1"),
        *("fd00:ec2::254", "fd20:ce::254", "::ffff:169.254.169.254", "::169.254.169.254", "64:ff9b::169.254.169.254"),
        *("64:ff9b:1::169.254.169.254", "2002:a9fe:a9fe::1", "fd00::5efe:169.254.169.254"),
    ],
)
def test_metadata_of_clouds_is_refused_even_where_private_addresses_are_allowed(names: Names, address: str) -> None:
    names.addresses["inside.example"] = ["127.0.0.1", address]
    for host in (f"[{address}]" if ":" in address else address, "inside.example"):
        assert "is never fetched from" in refusal(f"http://{host}/", ANY)


@pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "172.32.0.1", "2606:4700::1111", "2a00:1450::1"])
def test_what_is_public_is_tried(address: str) -> None:
    assert web._is_public(ipaddress.ip_address(address))


@given(st.ip_addresses())
def test_no_address_that_python_calls_special_is_public(address: web.Address) -> None:
    special = address.is_private or address.is_multicast or address.is_reserved or address.is_unspecified
    assert not (special and web._is_public(address))


def test_the_checked_address_is_the_one_connected_to(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name is resolved once; what it means a moment later does not matter."""
    monkeypatch.setattr(web, "_is_public", lambda address: str(address) == "127.0.0.1")
    names.addresses["rebinding.example"] = ["127.0.0.1"]
    document, _ = fetched(
        {"/": response(b"first")}, lambda server: server.url("/", "rebinding.example"), WebRules(allow_private=False)
    )
    assert document.body == b"first"
    assert names.asked == ["rebinding.example"]


def test_the_next_address_is_tried_when_one_takes_no_connection(names: Names) -> None:
    names.addresses["two.example"] = ["127.0.0.2", "127.0.0.1"]
    document, _ = fetched({"/": response(b"here")}, lambda server: server.url("/", "two.example"))
    assert document.body == b"here"


def test_an_address_that_does_not_answer_leaves_time(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is connected to first is a socket whose queue is full, so that nothing comes back."""
    names.addresses["two.example"] = ["127.0.0.2", "127.0.0.1"]
    monkeypatch.setattr(web, "_SECONDS_TO_CONNECT", 0.1)

    async def run() -> WebDocument:
        async with web_server({"/": response(b"here")}) as server:
            with socket.socket() as deaf, contextlib.ExitStack() as full:
                deaf.bind(("127.0.0.2", server.port))
                deaf.listen(0)
                for _ in range(3):
                    waiting = full.enter_context(socket.socket())
                    waiting.setblocking(False)
                    waiting.connect_ex(("127.0.0.2", server.port))
                return await fetch(server.url("/", "two.example"), ANY)

    assert asyncio.run(run()).body == b"here"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed(status: int) -> None:
    answers = {"/a": redirect("../b?x", status), "/b?x": response(b"there", "Set-Cookie: a=b")}
    document, heads = fetched(answers, lambda server: server.url("/a"))
    assert document.body == b"there"
    assert document.url.endswith("/b?x")
    assert [head[0].split()[1] for head in heads] == ["/a", "/b?x"]


def test_no_cookie_is_sent_back() -> None:
    first = response(b"", "Location: /b", "Set-Cookie: session=1", status="302 Elsewhere")
    _, heads = fetched({"/a": first, "/b": response(b"")}, lambda server: server.url("/a"))
    assert not [line for head in heads for line in head if line.lower().startswith("cookie")]


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("http://169.254.169.254/latest/meta-data/", "'169.254.169.254' is not on the public internet"),
        ("http://inside.example/", "'inside.example' is not on the public internet"),
        ("//[::1]/", "'::1' is not on the public internet"),
        ("file:///etc/passwd", "must begin with http"),
        ("http://user:pass@site.example/", "user name"),
        ("http://0x7f000001/", "names no host"),
        ("http://site.example:x/", "not valid"),
    ],
)
def test_a_redirect_is_checked_like_the_first(
    names: Names, monkeypatch: pytest.MonkeyPatch, location: str, said: str
) -> None:
    monkeypatch.setattr(web, "_is_public", lambda address: str(address) == "127.0.0.1")
    names.addresses["inside.example"] = ["10.0.0.1"]
    with pytest.raises(WebError, match=said.replace(".", r"\.")):
        fetched({"/": redirect(location)}, lambda server: server.url("/"), WebRules())


def test_a_redirect_may_not_leave_the_hosts_that_are_allowed() -> None:
    rules = WebRules(hosts=["site.example"], allow_private=True)
    with pytest.raises(WebError, match=r"'other\.example' is not among the hosts"):
        fetched({"/": redirect("http://other.example/")}, lambda server: server.url("/"), rules)


def test_redirects_end() -> None:
    hops = {f"/{hop}": redirect(f"/{hop + 1}") for hop in range(6)}
    document, _ = fetched(hops | {"/6": response(b"end")}, lambda server: server.url("/1"))
    assert document.body == b"end"
    with pytest.raises(WebError, match="redirects more than 5 times"):
        fetched(hops | {"/6": response(b"end")}, lambda server: server.url("/0"))


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("example.com", True),
        ("EXAMPLE.com", True),
        ("example.com.", True),
        ("www.example.com", False),
        ("notexample.com", False),
        ("example.com.evil.org", False),
        ("a.example.org", True),
        ("a.b.example.org", True),
        ("example.org", False),
        ("evilexample.org", False),
        ("müller.example", True),
        ("xn--mller-kva.example", True),
    ],
)
def test_hosts_are_allowed_by_name(names: Names, host: str, allowed: bool) -> None:
    sentence = refusal(f"http://{host}/", WebRules(hosts=["Example.com", "*.example.org", "müller.example"]))
    assert ("is not among the hosts" in sentence) is not allowed  # what is allowed is not found, or not public
    assert bool(names.asked) is allowed


def test_bodies_are_counted_as_they_come() -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"400\r\n" + b"x" * 1024 + b"\r\n")
            await writer.drain()

    rules = WebRules(allow_private=True, longest=100_000)
    with pytest.raises(WebError, match="sends more than 100,000 bytes"):
        fetched({"/": endless}, lambda server: server.url("/"), rules)
    document, _ = fetched({"/": response(b"x" * 100_000)}, lambda server: server.url("/"), rules)
    assert len(document.body) == 100_000


def test_what_grows_when_it_is_decompressed_is_counted_then() -> None:
    small = gzip.compress(b"hello")
    document, _ = fetched({"/": response(small, "Content-Encoding: gzip")}, lambda server: server.url("/"))
    assert document.body == b"hello"
    bomb = gzip.compress(gzip.compress(bytes(50_000_000), compresslevel=1))
    assert len(bomb) < 50_000
    with pytest.raises(WebError, match="sends more than 100,000 bytes"):
        fetched(
            {"/": response(bomb, "Content-Encoding: gzip, gzip")},
            lambda server: server.url("/"),
            WebRules(allow_private=True, longest=100_000),
        )


@pytest.mark.parametrize(
    ("sent", "encoding"),
    [
        (gzip.compress(b"hello"), "gzip"),
        (gzip.compress(b"hel") + gzip.compress(b"lo"), "X-GZip"),
        (zlib.compress(b"hello"), "deflate"),
        (zlib.compress(b"hello", wbits=-15), "deflate"),
        (gzip.compress(zlib.compress(b"hello")), "deflate, gzip"),
        (b"hello", "identity"),
    ],
    ids=["gzip", "two files", "deflate", "without a frame", "two encodings", "identity"],
)
def test_encodings(sent: bytes, encoding: str) -> None:
    answers = {"/": response(sent, f"Content-Encoding: {encoding}")}
    assert fetched(answers, lambda server: server.url("/"))[0].body == b"hello"


async def _drip(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while True:  # each wait is short, all of them are not
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.01)


async def _silence(_writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


@pytest.mark.parametrize("answer", [_drip, _silence])
def test_the_time_is_that_of_the_whole(answer: Answer) -> None:
    rules = WebRules(allow_private=True, seconds=0.1)
    with pytest.raises(WebError, match=r"'site\.example' did not send all within 0\.1 seconds"):
        fetched({"/": answer}, lambda server: server.url("/"), rules)


def test_a_name_that_takes_long_to_resolve_counts_too(monkeypatch: pytest.MonkeyPatch) -> None:
    async def slow(_host: str, _port: int) -> list[web.Address]:
        await asyncio.sleep(60)
        return []

    monkeypatch.setattr(web, "_resolve", slow)
    assert "did not send all" in refusal("http://site.example/", WebRules(seconds=0.05))


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"+PONG 10.1.2.3\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Length: nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 1_000_000 + b"\r\n\r\n",
        response(b"this is not gzip", "Content-Encoding: gzip"),
        response(b"x", "Content-Encoding: " + ", ".join(["gzip"] * 20)),
        response(b"x", "Content-Encoding: br"),
        response(gzipped(b"x"), "Content-Encoding: gzip, br"),
        response(gzipped(b"hello" * 1000)[:-1], "Content-Encoding: gzip"),
        response(gzipped(b"hello" * 1000)[:20], "Content-Encoding: gzip"),
        response(zlib.compress(b"hello" * 1000)[:-1], "Content-Encoding: deflate"),
        response(gzipped(gzipped(b"hello")[:-1]), "Content-Encoding: gzip, gzip"),
        response(gzipped(b"hello") + b"more", "Content-Encoding: gzip"),
    ],
)
def test_a_broken_answer_is_one_sentence_without_what_it_said(answer: bytes) -> None:
    with pytest.raises(WebError, match=r"^'site\.example' cannot be reached, or its answer is broken\.$"):
        fetched({"/": answer}, lambda server: server.url("/"))


def test_a_status_is_told_and_its_page_is_not() -> None:
    with pytest.raises(WebError, match=r"^'site\.example' answers with status 403\.$"):
        fetched({"/": response(b"secret", status="403 secret")}, lambda server: server.url("/"))


def test_a_host_that_is_not_found_is_named() -> None:
    assert refusal("https://nowhere.test/") == "'nowhere.test' is not found: check how it is spelled."


@pytest.mark.parametrize(
    ("kind", "taken"),
    [
        ("image/png", True),
        ("IMAGE/PNG; q=1", True),
        ("text/html", True),
        ("text/plain", False),
        ("imagex/png", False),
        (None, False),
    ],
)
def test_kinds_of_content_are_held_to(kind: str | None, taken: bool) -> None:
    rules = WebRules(content_types=["image/*", "text/html"], allow_private=True)
    answers = {"/": response(b"x", kind=kind)}
    if taken:
        assert fetched(answers, lambda server: server.url("/"), rules)[0].body == b"x"
        return
    with pytest.raises(WebError, match=r"another kind of content than image/\* or text/html"):
        fetched(answers, lambda server: server.url("/"), rules)


def test_proxies_and_passwords_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    (tmp_path / ".netrc").write_text("default login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    document, [head] = fetched({"/": response(b"direct")}, lambda server: server.url("/"))
    assert document.body == b"direct"
    assert not any(line.lower().startswith("authorization") for line in head)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for site.example, in one file."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate with")
    path = tmp_path_factory.mktemp("tls") / "site.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=site.example"
    names = "subjectAltName=DNS:site.example"
    subprocess.run([*command.split(), "-addext", names, "-keyout", path, "-out", f"{path}.cert"], check=True, stderr=-3)
    path.write_text(path.read_text() + Path(f"{path}.cert").read_text())
    return path


def test_the_certificate_must_be_that_of_the_name(monkeypatch: pytest.MonkeyPatch, certificate: Path) -> None:
    asked: list[str | None] = []
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(certificate)
    server_side.sni_callback = lambda _socket, name, _context: asked.append(name)
    monkeypatch.setattr(web, "_tls_context", lambda: ssl.create_default_context(cafile=certificate))

    answers = {"/": response(b"private")}
    document, [head] = fetched(answers, lambda server: server.url("/", scheme="https"), tls=server_side)
    assert document.body == b"private"
    assert asked == ["site.example"]
    assert any(line.startswith("Host: site.example:") for line in head)
    with pytest.raises(WebError, match=r"'other\.example' cannot be reached"):
        fetched(answers, lambda server: server.url("/", "other.example", "https"), tls=server_side)
