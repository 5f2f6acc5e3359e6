"""Who gets in, how much they may send, and what they are told: before any endpoint sees a request."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.routing import Route

from mistralet.errors import UsageError
from mistralet.server import page
from mistralet.server.app import create_app
from mistralet.server.auth import PUBLIC, read_keys
from mistralet.server.errors import ApiError
from mistralet.server.limits import Rates
from mistralet.server.logs import JsonFormatter
from mistralet.server.settings import Settings
from support.scripted import NewCaller

CHAT = "/v1/chat/completions"
HELLO = {"messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture
def log() -> Iterator[StringIO]:
    """What the server's log says."""
    text = StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(JsonFormatter())
    logger = logging.getLogger("mistralet.server")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield text
    logger.removeHandler(handler)


class TestKeys:
    def test_every_route_needs_one_but_health(self, new_caller: NewCaller) -> None:
        caller = new_caller(keys=("secret",))
        app = create_app(caller.service, caller.keys)
        described = {(method.upper(), path) for path, ways in app.openapi()["paths"].items() for method in ways}
        hidden = {("GET", route.path) for route in app.routes if isinstance(route, Route)}
        assert len(described) >= 12
        for method, path in described | hidden:
            status = caller(method, path.replace("{name}", "x")).status_code
            assert (status != 401) == (path in PUBLIC or path in page.page_files()), path

    def test_what_is_no_route_needs_one_too(self, new_caller: NewCaller) -> None:
        assert new_caller(keys=("secret",))("GET", "/no/such/thing").status_code == 401

    @pytest.mark.parametrize(
        "headers",
        [
            {"Authorization": "Bearer second"},
            {"authorization": "bearer second"},
            {"X-Api-Key": "second"},
        ],
    )
    def test_a_key_opens(self, new_caller: NewCaller, headers: dict[str, str]) -> None:
        assert new_caller(keys=("first", "second"))("GET", "/v1/models", headers=headers).status_code == 200

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"Authorization": "second"},
            {"Authorization": "Basic second"},
            {"Authorization": "Bearer second2"},
            {"Authorization": "Bearer secon"},
            {"Authorization": "Bearer "},
            {"Authorization": "Bearer \xff"},
            {"X-Api-Key": ""},
        ],
    )
    def test_nothing_else_does(self, new_caller: NewCaller, headers: dict[str, str]) -> None:
        given = {name: value.encode("latin-1") for name, value in headers.items()}
        answer = new_caller(keys=("first", "second"))("GET", "/v1/models", headers=given)
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "invalid_api_key"

    def test_they_come_from_settings_and_file(self, tmp_path: Path) -> None:
        file = tmp_path / "keys"
        file.write_text("# of the team\nsecond\n\n third \n")
        keys = read_keys(Settings(api_keys=("first",), api_key_file=file))
        assert [keys.caller(key) for key in ("first", "second", "third", "fourth")] == ["key-1", "key-2", "key-3", None]

    @pytest.mark.parametrize("content", [None, "", "# none\n", "two words\n", "käse\n"])
    def test_a_file_without_good_keys_is_refused(self, tmp_path: Path, content: str | None) -> None:
        file = tmp_path / "keys"
        if content is not None:
            file.write_text(content)
        with pytest.raises(UsageError):
            read_keys(Settings(api_key_file=file))

    def test_other_machines_need_one(self) -> None:
        with pytest.raises(UsageError, match="no key is asked for"):
            Settings(host="0.0.0.0")
        assert Settings(host="0.0.0.0", api_keys=("a",)).has_keys
        assert not Settings(host="0.0.0.0", open_to_all=True).has_keys


class TestBrowsers:
    @pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", ""])
    def test_a_page_that_renames_this_machine_is_refused(self, new_caller: NewCaller, host: str) -> None:
        assert new_caller()("GET", "/v1/models", headers={"Host": host}).status_code == 403

    @pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1:1", "[::1]:8000", "[::1]"])
    def test_this_machine_by_its_names_is_not(self, new_caller: NewCaller, host: str) -> None:
        assert new_caller()("GET", "/v1/models", headers={"Host": host}).status_code == 200

    def test_no_other_page_may_call_unless_told(self, new_caller: NewCaller) -> None:
        asking = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
        closed = new_caller()("OPTIONS", CHAT, headers=asking)
        assert "access-control-allow-origin" not in closed.headers
        caller = new_caller(keys=("secret",), cors_origins=("https://app.example",))
        assert caller("OPTIONS", CHAT, headers=asking).headers["access-control-allow-origin"] == asking["Origin"]
        refused = caller("POST", CHAT, headers={"Origin": asking["Origin"]}, json=HELLO)
        assert refused.status_code == 401
        assert refused.headers["access-control-allow-origin"] == asking["Origin"]
        other = caller("OPTIONS", CHAT, headers=asking | {"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in other.headers


class LargeBody:
    """A body of 100,000 bytes that knows how much of it was read."""

    def __init__(self) -> None:
        self.read = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for _ in range(100):
            self.read += 1000
            yield b"x" * 1000


class TestBodies:
    def test_what_is_announced_too_large_is_not_read(self, new_caller: NewCaller) -> None:
        body = LargeBody()
        caller = new_caller(max_body_bytes=5000)
        headers = {"Content-Type": "application/json", "Content-Length": "100000"}
        assert caller("POST", CHAT, content=body, headers=headers).status_code == 413
        assert body.read <= 2000

    def test_what_turns_out_too_large_is_not_read_to_its_end(self, new_caller: NewCaller) -> None:
        body = LargeBody()
        answer = new_caller(max_body_bytes=5000)(
            "POST", CHAT, content=body, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 413
        assert answer.headers["connection"] == "close"
        assert body.read <= 7000


class TestRates:
    def test_a_bucket_fills_up_evenly(self) -> None:
        now = 0.0
        rates = Rates(60, clock=lambda: now)
        for _ in range(60):
            rates.take("a")
        with pytest.raises(ApiError, match="60 requests a minute; try again in 1 s"):
            rates.take("a")
        rates.take("b")
        now = 2.0
        rates.take("a")
        rates.take("a")
        with pytest.raises(ApiError, match="try again"):
            rates.take("a")

    def test_the_next_request_is_told_when(self, new_caller: NewCaller) -> None:
        caller = new_caller(requests_per_minute=1)
        app = create_app(caller.service, caller.keys)

        async def calls() -> list[httpx2.Response]:
            async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://127.0.0.1") as client:
                answers = [await client.post(CHAT, json=HELLO) for _ in range(2)]
                return [*answers, await client.get("/v1/models")]

        first, second, listing = asyncio.run(calls())
        assert (first.status_code, second.status_code, listing.status_code) == (200, 429, 200)
        assert 55 <= int(second.headers["retry-after"]) <= 60
        assert second.json()["error"]["type"] == "rate_limit_error"


class TestUnknownFields:
    @pytest.mark.parametrize(("refuse", "status"), [(False, 200), (True, 400)])
    def test_one_setting_decides(self, new_caller: NewCaller, refuse: bool, status: int) -> None:
        answer = new_caller(refuse_unknown_fields=refuse)("POST", CHAT, json=HELLO | {"wish": "a pony"})
        assert answer.status_code == status
        if refuse:
            assert answer.json()["error"] == {
                "message": "The field 'wish' means nothing here; leave it out.",
                "type": "invalid_request_error",
                "param": "wish",
                "code": "unknown_parameter",
            }


class TestFiles:
    def test_only_in_folders_that_are_allowed(self, new_caller: NewCaller, tmp_path: Path) -> None:
        allowed, other = tmp_path / "allowed", tmp_path / "other"
        for folder in (allowed, other):
            folder.mkdir()
            (folder / "a.png").write_bytes(b"no picture")
        (allowed / "link.png").symlink_to(other / "a.png")
        caller = new_caller(file_folders=(allowed,))

        def told(path: str) -> str:
            content: Any = [{"type": "image_url", "image_url": {"url": path}}]
            answer = caller("POST", CHAT, json={"messages": [{"role": "user", "content": content}]})
            return str(answer.json()["error"]["message"])

        for inside in (str(allowed / "a.png"), (allowed / "a.png").as_uri(), f"{allowed}/../allowed/a.png"):
            assert "unknown format" in told(inside)
        for outside in (
            str(other / "a.png"),
            f"{allowed}/../other/a.png",
            str(allowed / "link.png"),
            str(allowed),
            str(allowed / "none.png"),
            f"{allowed}x/a.png",
            "file://%00",
            "~/a.png",
        ):
            assert "no file that this server may read" in told(outside)


class TestLog:
    def test_a_line_for_each_request(self, new_caller: NewCaller, log: StringIO) -> None:
        answer = new_caller()("POST", CHAT, json=HELLO, headers={"X-Request-Id": "mine-1"})
        (line,) = log.getvalue().splitlines()
        facts = json.loads(line)
        assert facts["request_id"] == answer.headers["x-request-id"] == "mine-1"
        assert (facts["method"], facts["path"], facts["status"]) == ("POST", CHAT, 200)
        assert (facts["output_tokens"], facts["finish_reasons"]) == (2, ["stop"])
        assert "hello" not in line

    def test_texts_if_they_are_asked_for(self, new_caller: NewCaller, log: StringIO) -> None:
        new_caller(log_prompts=True)("POST", "/v1/completions", json={"prompt": "Well,"})
        facts = json.loads(log.getvalue())
        assert (facts["prompts"], facts["answers"]) == (["Well,"], [["hello there"]])

    @pytest.mark.parametrize("given", ["a b", "x" * 65, "", 'a","level":"error'])
    def test_an_id_that_could_be_mistaken_is_replaced(self, new_caller: NewCaller, given: str) -> None:
        told = new_caller()("GET", "/health", headers={"X-Request-Id": given}).headers["x-request-id"]
        assert told != given
        assert len(told) == 32

    def test_nothing_a_caller_sends_begins_a_line(self, new_caller: NewCaller, log: StringIO) -> None:
        new_caller(log_prompts=True)("POST", "/v1/completions%0a%7b", json={"prompt": "\n{"})
        new_caller(log_prompts=True)("POST", "/v1/completions", json={"prompt": '\n{"level": "fatal"}\u2028'})
        lines = log.getvalue().split("\n")
        assert [json.loads(line)["message"] for line in lines if line] == ["request", "request"]


def test_the_page_may_only_run_its_own_scripts(new_caller: NewCaller, tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<html>")
    (tmp_path / "assets" / "main-1a2b.js").write_text("0")
    monkeypatch.setattr("mistralet.server.app.page_files", lambda: page.page_files(tmp_path))
    caller = new_caller(keys=("secret",))
    start = caller("GET", "/")
    assert (start.status_code, start.text) == (200, "<html>")
    assert "script-src 'self';" in start.headers["content-security-policy"]
    assert "unsafe" not in start.headers["content-security-policy"]
    assert start.headers["cache-control"] == "no-cache"
    script = caller("GET", "/assets/main-1a2b.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert "immutable" in script.headers["cache-control"]
    for path in ("/assets/", "/../auth.py", "/assets/%2e%2e/index.html", "/index.htm"):
        assert caller("GET", path, headers={"Authorization": "Bearer secret"}).status_code == 404
