"""`/`: the chat page, static files that hold no secret and need no key."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import FileResponse, Response

FOLDER = Path(__file__).parent / "web"
# The page runs its own scripts only, and speaks with this server only, whatever an answer that it shows may hold.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; "
    "img-src 'self' data: blob:; connect-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def page_files(folder: Path = FOLDER) -> dict[str, Path]:
    """The page's files by the paths they are served at; none if it is not built."""
    files = {f"/{path.relative_to(folder).as_posix()}": path for path in sorted(folder.rglob("*")) if path.is_file()}
    return files | ({"/": files["/index.html"]} if "/index.html" in files else {})


def add_page(app: FastAPI, files: Mapping[str, Path]) -> None:
    """Serve exactly these files: no path that a caller sends is ever looked up."""
    for path, file in files.items():
        app.add_route(path, _sender(file), methods=["GET"], include_in_schema=False)


def _sender(file: Path) -> Callable[[Request], Awaitable[Response]]:
    # The build puts a hash into the names of these.
    caching = "public, max-age=31536000, immutable" if file.parent.name == "assets" else "no-cache"

    async def send(_: Request) -> Response:
        return FileResponse(file, headers={**_HEADERS, "Cache-Control": caching})

    return send
