"""The socket a server listens on; taken before a model is loaded, so that a port in use is known at once."""

from __future__ import annotations

import socket

from mistralet.errors import UsageError
from mistralet.server.settings import Settings


def bind(settings: Settings) -> socket.socket:
    """The socket to serve on, which nobody can reach yet.

    Raises:
        UsageError: the port is in use, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    taken = socket.socket(family, socket.SOCK_STREAM)
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind((settings.host, settings.port))
    except OSError as error:
        taken.close()
        raise UsageError(
            f"The server cannot listen at {settings.host}, port {settings.port} ({error.strerror}); choose another one"
            " with --port or --host."
        ) from error
    return taken


def url(settings: Settings, bound: socket.socket) -> str:
    """Where the server is."""
    scheme = "https" if settings.tls_certificate else "http"
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{scheme}://{host}:{bound.getsockname()[1]}"
