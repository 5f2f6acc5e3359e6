"""`fetch`: what a URL from outside names, without letting it reach anything but the public internet.

A URL that a stranger or a model wrote could name a router, a cloud's metadata or a database beside this machine. So
its host is resolved once, every address it has must be public, and the connection goes to an address that was checked:
a name that changes its address between the check and the connection (DNS rebinding) gains nothing. Redirects are
followed by hand, each checked like the first.
"""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import re
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mistralet.content_encoding import decoders_of, decompressed
from mistralet.errors import WebError

if TYPE_CHECKING:
    import httpx2

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_MOST_REDIRECTS = 5
_SECONDS_TO_CONNECT = 5.0  # to one address
_REDIRECTS = (301, 302, 303, 307, 308)
_LABEL = r"(?!-)[a-z0-9_-]{1,63}(?<!-)"
_HOST_NAME = re.compile(rf"(?=.{{1,253}}\Z)(?:{_LABEL}\.)*{_LABEL}")
# A name whose last part is a number is an IPv4 address to some programs: 127.1, 0x7f000001, 017700000001
# (https://url.spec.whatwg.org/#ends-in-a-number-checker).
_ENDS_IN_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")

# https://www.iana.org/assignments/iana-ipv4-special-registry (what is not globally reachable), multicast,
# and one address that is in no registry.
_SPECIAL_IPV4 = tuple(
    map(
        ipaddress.IPv4Network,
        (
            *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
            *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24"),
            *("203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
            "168.63.129.16/32",  # what Azure answers its virtual machines from
        ),
    )
)
# Global unicast is 2000::/3. Not in it: loopback, link-local, unique local, multicast, IPv4-mapped, NAT64.
_UNICAST_IPV6 = ipaddress.IPv6Network("2000::/3")
# https://www.iana.org/assignments/iana-ipv6-special-registry: protocols (Teredo too), documentation, 6to4.
_SPECIAL_IPV6 = tuple(map(ipaddress.IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")))
# IPv6 addresses whose last bits are an IPv4 one: compatible, mapped (RFC 4291), NAT64 (RFC 6052, RFC 8215).
_HOLD_IPV4 = tuple(map(ipaddress.IPv6Network, ("::/96", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48")))
# What tells machines of a cloud their secrets is never wanted: link-local addresses, and those that Azure, Alibaba,
# Oracle and Amazon use besides.
_METADATA = tuple(
    map(
        ipaddress.ip_network,
        (
            *("169.254.0.0/16", "168.63.129.16/32", "100.100.100.200/32", "192.0.0.192/32"),
            *("fe80::/10", "fd00:ec2::254/128", "fd20:ce::254/128"),
        ),
    )
)


@dataclass(frozen=True)
class WebRules:
    """What may be fetched."""

    hosts: Sequence[str] | None = None  # names (`example.com`) and all below one (`*.example.com`); None: any
    content_types: Sequence[str] | None = None  # `text/html`, and all of a kind (`image/*`); None: any
    longest: int = 10_000_000  # bytes of the body, after decompression
    seconds: float = 20.0  # for all of it: names, connections, redirects, body
    allow_private: bool = False  # this machine and its network too; link-local addresses never


@dataclass(frozen=True)
class WebDocument:
    """What was found."""

    url: str  # after redirects
    content_type: str  # lower case, without parameters; "" if the server told none
    charset: str | None
    body: bytes


async def fetch(url: str, rules: WebRules | None = None) -> WebDocument:
    """Get what a URL names with HTTP or HTTPS, without cookies, credentials or proxies.

    Raises:
        WebError: it may not be fetched, is not found, or breaks a rule. The message names the host at most, never an
            address or anything that a server said.
    """
    import httpx2

    rules = rules or WebRules()
    host = "The server"
    try:
        async with asyncio.timeout(rules.seconds):
            target = _parsed(url)
            for _ in range(_MOST_REDIRECTS + 1):
                host = f"'{target.host}'"
                answer = await _fetch_once(target, rules)
                if isinstance(answer, WebDocument):
                    return answer
                target = answer
    except TimeoutError as error:
        raise WebError(f"{host} did not send all within {rules.seconds:g} seconds.") from error
    except (httpx2.HTTPError, httpx2.StreamError, OSError, ValueError) as error:
        raise WebError(f"{host} cannot be reached, or its answer is broken.") from error
    raise WebError(f"{host} redirects more than {_MOST_REDIRECTS} times.")


async def _fetch_once(url: httpx2.URL, rules: WebRules) -> WebDocument | httpx2.URL:
    """What a URL names, or the URL it redirects to."""
    import httpx2

    _require_allowed(url, rules)
    port = url.port or {"http": 80, "https": 443}[url.scheme]
    addresses = await _checked_addresses(url.raw_host.decode("ascii"), port, rules)
    async with httpx2.AsyncHTTPTransport(verify=_tls_context(), trust_env=False) as transport:
        response = await _connect(transport, url, addresses, rules.seconds)
        try:
            if response.status_code in _REDIRECTS and "location" in response.headers:
                return _parsed(response.headers["location"], base=url)
            if not response.is_success:
                raise WebError(f"'{url.host}' answers with status {response.status_code}.")
            content_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
            _require_kind(content_type, url, rules)
            body = await _read_body(response, url, rules)
            return WebDocument(str(url), content_type, response.charset_encoding, body)
        finally:
            await response.aclose()


def _parsed(text: str, base: httpx2.URL | None = None) -> httpx2.URL:
    import httpx2

    try:
        url = httpx2.URL(text)
        url = base.join(url) if base else url
    except httpx2.InvalidURL as error:
        raise WebError("The URL is not valid: it must look like https://host/path.") from error
    if url.scheme not in ("http", "https"):
        raise WebError("The URL is not one of the web: it must begin with http:// or https://.")
    if url.userinfo:
        raise WebError("The URL holds a user name or password: leave them out.")
    return url.copy_with(fragment=None)


def _require_allowed(url: httpx2.URL, rules: WebRules) -> None:
    host = url.raw_host.decode("ascii").lower()
    name = _without_dot(host)
    if not (_is_address(host) or (_HOST_NAME.fullmatch(name) and not _ENDS_IN_NUMBER.fullmatch(name))):
        raise WebError("The URL names no host: it must be a name such as example.com, or an address in full.")
    if url.port is not None and not 0 < url.port < 1 << 16:
        raise WebError("The URL has a port that does not exist: it must be from 1 to 65535.")
    if rules.hosts is not None and not any(_matches(name, allowed) for allowed in rules.hosts):
        raise WebError(f"'{url.host}' is not among the hosts that may be fetched from.")


def _without_dot(host: str) -> str:
    return host.removesuffix(".")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return "%" not in host


def is_host_rule(text: str) -> bool:
    """Whether `WebRules.hosts` may hold it: a host's name, an IPv4 address, or `*.` and a name."""
    import httpx2

    try:
        host = httpx2.URL(f"http://{text.removeprefix('*.')}").raw_host.decode("ascii")
    except httpx2.InvalidURL:
        return False
    below = text.startswith("*.")
    named = _HOST_NAME.fullmatch(host) and not _ENDS_IN_NUMBER.fullmatch(host)
    return not set(text) & set("/:@?#%\\") and bool(named or (_is_address(host) and not below))


def _matches(host: str, allowed: str) -> bool:
    import httpx2

    below = allowed.startswith("*.")
    name = httpx2.URL(f"http://{allowed.removeprefix('*.')}").raw_host.decode("ascii")
    return host.endswith(f".{name}") if below else host == name


async def _checked_addresses(host: str, port: int, rules: WebRules) -> list[Address]:
    """The addresses of a host, all of which may be connected to."""
    try:
        addresses = await _resolve(host, port)
    except (OSError, UnicodeError) as error:
        raise WebError(f"'{host}' is not found: check how it is spelled.") from error
    if not rules.allow_private and not all(map(_is_public, addresses)):
        raise WebError(f"'{host}' is not on the public internet, and nothing else may be fetched from.")
    if any(map(_is_metadata, addresses)):
        raise WebError(f"'{host}' is link-local or tells a cloud's secrets, and is never fetched from.")
    return addresses


async def _resolve(host: str, port: int) -> list[Address]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(ipaddress.ip_address(entry[4][0]) for entry in found))


def _is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _SPECIAL_IPV4)
    special = any(address in network for network in _SPECIAL_IPV6) or _is_isatap(address)
    return address in _UNICAST_IPV6 and not special


def _is_isatap(address: ipaddress.IPv6Address) -> bool:
    """Whether it leads to an IPv4 address within a network (RFC 5214, section 6.1; two bits may be either)."""
    return int(address) >> 32 & 0xFCFF_FFFF == 0x0000_5EFE


def _is_metadata(address: Address) -> bool:
    inner = _inner_ipv4(address) if isinstance(address, ipaddress.IPv6Address) else None
    return any(each in network for each in (address, inner) if each for network in _METADATA)


def _inner_ipv4(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 one leads to, if one: mapped, compatible, NAT64, ISATAP, or 6to4."""
    if any(address in network for network in _HOLD_IPV4) or _is_isatap(address):
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.sixtofour


@functools.cache
def _tls_context() -> ssl.SSLContext:
    import httpx2

    return httpx2.create_ssl_context(trust_env=False)


async def _connect(
    transport: httpx2.AsyncHTTPTransport, url: httpx2.URL, addresses: Sequence[Address], seconds: float
) -> httpx2.Response:
    """The answer of the first address that takes a connection, asked under the host's own name.

    One that does not answer leaves time for the others.
    """
    import httpx2

    headers = {
        "Host": url.netloc.decode("ascii"),
        "User-Agent": "mistralet",
        "Accept": "*/*",
        "Accept-Encoding": "gzip, deflate",
        "Connection": "close",
    }
    extensions = {
        "sni_hostname": _without_dot(url.raw_host.decode("ascii")),  # the name that the certificate must be for
        "timeout": {"connect": min(_SECONDS_TO_CONNECT, seconds / (len(addresses) + 1))},
    }
    failure: Exception = OSError("no address")
    for address in addresses:
        pinned = url.copy_with(host=str(address))
        try:
            return await transport.handle_async_request(
                httpx2.Request("GET", pinned, headers=headers, extensions=extensions)
            )
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            failure = error
    raise failure


def _require_kind(content_type: str, url: httpx2.URL, rules: WebRules) -> None:
    if rules.content_types is None:
        return
    kind = content_type.partition("/")[0]
    if not any(allowed in (content_type, f"{kind}/*") for allowed in rules.content_types):
        raise WebError(f"'{url.host}' answers with another kind of content than {' or '.join(rules.content_types)}.")


async def _read_body(response: httpx2.Response, url: httpx2.URL, rules: WebRules) -> bytes:
    """The body, decompressed; counted as it comes, whatever length was announced.

    Raises:
        ValueError: it is compressed in another way than was asked for, or not to its end.
    """
    decoders = decoders_of(response.headers.get("content-encoding", ""))
    body = bytearray()
    async for piece in response.aiter_raw():
        for decoded in decompressed(piece, decoders):
            body += decoded
            if len(body) > rules.longest:
                raise WebError(f"'{url.host}' sends more than {rules.longest:,} bytes.")
    if not all(decoder.is_at_end for decoder in decoders):
        raise ValueError("cut short")
    return bytes(body)
