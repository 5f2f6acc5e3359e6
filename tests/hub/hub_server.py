"""A small Hugging Face on 127.0.0.1: model information, file listing and files, over real HTTP."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from urllib.parse import unquote, urlsplit

from support.http_server import http_server

_API = re.compile(r"/api/models/([^/]+/[^/]+)(?:/(revision|tree)/[^/]+)?")
_FILE = re.compile(r"/([^/]+/[^/]+)/resolve/[^/]+/(.+)")


@dataclass
class FakeHub:
    """What the server has, how it misbehaves, and what it was asked for."""

    url: str = ""
    repos: dict[str, dict[str, bytes]] = field(default_factory=dict)  # name -> file name -> content
    gated: set[str] = field(default_factory=set)
    cut: dict[str, int] = field(default_factory=dict)  # file name -> bytes after which the connection breaks, once
    status: int | None = None  # to answer everything with
    sent: list[tuple[str, str]] = field(default_factory=list)  # name of each file sent, and the range asked for
    request_count: int = 0

    def sent_files(self) -> list[str]:
        """The names of the files that were sent, sorted."""
        return sorted(name for name, _ in self.sent)


@contextmanager
def serve() -> Iterator[FakeHub]:
    """Run a `FakeHub` until the block ends."""
    hub = FakeHub()
    with http_server(_Handler, hub=hub) as hub.url:
        yield hub


class _Handler(BaseHTTPRequestHandler):
    hub: FakeHub

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def _answer(self, with_body: bool) -> None:
        self.hub.request_count += 1
        path = unquote(urlsplit(self.path).path)
        api, file = _API.fullmatch(path), _FILE.fullmatch(path)
        repo = (api or file or [None, ""])[1]
        if self.hub.status is not None:
            self._refuse(self.hub.status, "")
        elif repo not in self.hub.repos:
            self._refuse(404, "RepoNotFound")
        elif api is not None:
            self._describe(repo, self.hub.repos[repo], wants_tree=api[2] == "tree")
        elif repo in self.hub.gated:
            self._refuse(403, "GatedRepo")
        elif file[2] not in self.hub.repos[repo]:
            self._refuse(404, "EntryNotFound")
        else:
            self._send_file(repo, file[2], with_body)

    def _describe(self, repo: str, files: dict[str, bytes], wants_tree: bool) -> None:
        if wants_tree:
            facts: object = [
                {"type": "file", "path": name, "size": len(content), "oid": _digest(content)}
                for name, content in files.items()
            ]
        else:
            siblings = [{"rfilename": name} for name in files]
            facts = {"id": repo, "modelId": repo, "sha": _commit(files), "siblings": siblings, "private": False}
        body = json.dumps(facts).encode()
        self._headers(200, {"Content-Type": "application/json", "Content-Length": str(len(body))})
        self.wfile.write(body)

    def _send_file(self, repo: str, name: str, with_body: bool) -> None:
        content = self.hub.repos[repo][name]
        wanted = self.headers.get("Range", "")
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        headers = {
            "ETag": f'"{_digest(content)}"',
            "X-Repo-Commit": _commit(self.hub.repos[repo]),
            "Content-Length": str(len(content) - start),
        }
        if wanted:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self._headers(206 if wanted else 200, headers)
        if with_body:
            self.hub.sent.append((name, wanted))
            end = self.hub.cut.pop(name, len(content))
            self.wfile.write(content[start:end])

    def _refuse(self, status: int, code: str) -> None:
        self._headers(status, {"X-Error-Code": code, "Content-Length": "0"})

    def _headers(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


def _digest(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()


def _commit(files: dict[str, bytes]) -> str:
    return _digest(json.dumps({name: _digest(content) for name, content in files.items()}).encode())
