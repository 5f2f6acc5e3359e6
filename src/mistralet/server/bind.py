"""Where a server listens; looked at before a model is loaded, so that a port in use is known at once."""

from __future__ import annotations

import socket
import ssl

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


def check_tls(settings: Settings) -> None:
    """Raises `UsageError` if certificate and key cannot be used."""
    if settings.tls_certificate is None:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(settings.tls_certificate, settings.tls_key)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(
            f"The certificate {settings.tls_certificate} and its key {settings.tls_key} cannot be used"
            f" ({error.strerror or error}); give a pair of PEM files."
        ) from error


def url(settings: Settings, bound: socket.socket) -> str:
    """Where the server is."""
    scheme = "https" if settings.tls_certificate else "http"
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{scheme}://{host}:{bound.getsockname()[1]}"
