"""Who may call: everything but `/health` needs a key, if there are any."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Iterable
from pathlib import Path

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from mistralet.errors import UsageError
from mistralet.server.errors import ApiError
from mistralet.server.settings import Settings

PUBLIC = frozenset({"/health"})
_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")


class Keys:
    """The keys that callers may show. Only their digests are kept."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._digests = [_digest(key) for key in keys]

    def caller(self, key: str) -> str | None:
        """A name for who shows `key`, which does not tell the key; None if it is none of ours.

        Takes the same time whichever it is, and however much of it is right.
        """
        shown, found = _digest(key), None
        for number, digest in enumerate(self._digests, start=1):
            if hmac.compare_digest(shown, digest):
                found = f"key-{number}"
        return found

    def __bool__(self) -> bool:
        return bool(self._digests)


def read_keys(settings: Settings) -> Keys:
    """The keys of the settings and their file.

    Raises:
        UsageError: the file cannot be read or has no key, or a key cannot be sent in a header.
    """
    keys = list(settings.api_keys)
    if settings.api_key_file is not None:
        keys += _keys_of_file(settings.api_key_file)
    for number, key in enumerate(keys, start=1):
        if not key.isascii() or not key.isprintable() or " " in key or not key:
            raise UsageError(f"API key {number} is not made of letters, digits and signs only; choose another.")
    return Keys(keys)


class KeyCheck:
    """ASGI middleware: who calls is put into the scope as "caller"; who shows no key gets no further."""

    def __init__(self, app: ASGIApp, keys: Keys, public: Collection[str] = PUBLIC, loopback_only: bool = False) -> None:
        """
        Args:
            public: paths that need no key.
            loopback_only: without keys, answer only to names of this machine, so that no web page can reach the server
                under a name of its own that leads here (DNS rebinding).
        """
        self.app = app
        self._keys = keys
        self._public = public
        self._loopback_only = loopback_only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] == "http":
            scope["caller"] = self._caller(scope)
        await self.app(scope, receive, send)

    def _caller(self, scope: Scope) -> str:
        client = scope.get("client")
        address = client[0] if client else "local"
        headers = Headers(scope=scope)
        if not self._keys:
            host = headers.get("host", "")
            if self._loopback_only and host.rsplit(":", 1)[0].lower() not in _LOOPBACK_NAMES and host != "[::1]":
                raise ApiError(403, "This server answers to 'localhost' and '127.0.0.1' only; call it by one of them.")
            return str(address)
        if scope["path"] in self._public:
            return str(address)
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        key = bearer.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")
        caller = self._keys.caller(key)
        if caller is not None:
            return caller
        problem = (
            "The API key is wrong; correct it." if key else "There is no API key; send 'Authorization: Bearer KEY'."
        )
        raise ApiError(401, problem, code="invalid_api_key", headers={"WWW-Authenticate": "Bearer"})


def _keys_of_file(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise UsageError(f"The file of API keys {path} cannot be read ({error}).") from error
    keys = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if not keys:
        raise UsageError(f"The file of API keys {path} holds none; write one a line.")
    return keys


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
