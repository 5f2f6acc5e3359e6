"""Images that are named by a link: fetched from public addresses, and from nowhere else."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from PIL import Image

from mistralet.errors import WebError
from mistralet.model import Prompt
from mistralet.server import image_links
from mistralet.web import WebDocument, WebRules
from support.pictures import as_bytes, noise
from support.scripted import Caller, NewCaller, ScriptedEngine

CHAT = "/v1/chat/completions"


def asking(*links: str) -> dict[str, Any]:
    content = [{"type": "image_url", "image_url": {"url": link}} for link in links]
    return {"messages": [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, *content]}]}


def last_prompt(caller: Caller) -> Prompt:
    engine = caller.service.engine
    assert isinstance(engine, ScriptedEngine)
    return engine.asked[-1].prompt


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
    first, second, third = last_prompt(seeing_caller).images
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


def data_url(data: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


def test_each_page_of_a_tiff_is_an_image_and_counts_as_one(new_seeing_caller: NewCaller) -> None:
    pages = [noise(30, 30, seed=seed) for seed in range(3)]
    link = data_url(as_bytes(pages[0], "TIFF", save_all=True, append_images=pages[1:]))
    caller = new_seeing_caller(max_images=3)
    assert caller("POST", CHAT, json=asking(link)).status_code == 200
    assert len(last_prompt(caller).images) == 3
    refused = caller("POST", CHAT, json=asking(link, data_url(as_bytes(pages[0]))))
    assert (refused.status_code, "images" in refused.json()["error"]["message"]) == (400, True)


@pytest.mark.parametrize(("is_set", "rows"), [(False, 1), (True, 2)])
def test_photographs_are_turned_where_that_is_set(new_seeing_caller: NewCaller, is_set: bool, rows: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter to the right
    caller = new_seeing_caller(upright_images=is_set)
    assert caller("POST", CHAT, json=asking(data_url(as_bytes(noise(56, 28), exif=exif)))).status_code == 200
    assert last_prompt(caller).images[0].rows == rows
