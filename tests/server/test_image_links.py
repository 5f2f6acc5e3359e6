"""Images that are named by a link: fetched from public addresses, and from nowhere else."""

from __future__ import annotations

from typing import Any

import pytest

from mistralet.errors import WebError
from mistralet.server import image_links
from mistralet.web import WebDocument, WebRules
from support.pictures import as_bytes, noise
from support.scripted import Caller, ScriptedEngine

CHAT = "/v1/chat/completions"


def asking(*links: str) -> dict[str, Any]:
    content = [{"type": "image_url", "image_url": {"url": link}} for link in links]
    return {"messages": [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, *content]}]}


def test_each_link_is_fetched_once_within_bounds(seeing_caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched = []

    async def fetch(link: str, rules: WebRules) -> WebDocument:
        fetched.append(link)
        settings = seeing_caller.service.settings
        assert (rules.longest, rules.seconds) == (settings.max_image_bytes, settings.fetch_seconds)
        assert not rules.allow_private
        return WebDocument(link, "image/png", None, as_bytes(noise(30, 30, seed=len(link))))

    monkeypatch.setattr(image_links, "fetch", fetch)
    links = ("https://a.example/1.png", "https://a.example/2.png?long", "https://a.example/1.png")
    assert seeing_caller("POST", CHAT, json=asking(*links)).status_code == 200
    assert sorted(fetched) == sorted(set(links))
    engine = seeing_caller.service.engine
    assert isinstance(engine, ScriptedEngine)
    first, second, third = engine.asked[0].prompt.images
    assert first.digest == third.digest != second.digest


@pytest.mark.parametrize(
    "link",
    [
        "http://127.0.0.1:8000/a.png",
        "http://localhost/a.png",
        "http://169.254.169.254/latest/meta-data",
        "http://[::1]/",
        "http://[::ffff:10.0.0.1]/",
        "http://2130706433/",
        "HTTP://10.0.0.1/",
    ],
)
def test_no_link_leads_inside(seeing_caller: Caller, link: str) -> None:
    answer = seeing_caller("POST", CHAT, json=asking(link))
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["param"] == "messages[0].content[1].image_url"
    assert "not on the public internet" in error["message"] or "names no host" in error["message"]


def test_what_cannot_be_fetched_is_the_callers_to_know(seeing_caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fetch(_link: str, _rules: WebRules) -> WebDocument:
        raise WebError("'a.example' answers with status 404.")

    monkeypatch.setattr(image_links, "fetch", fetch)
    answer = seeing_caller("POST", CHAT, json=asking("https://a.example/1.png"))
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, "'a.example' answers with status 404.")
