"""PDF files in requests of all three APIs, and those that are refused."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from mistralet.server import pdf_pages
from mistralet.server.auth import Keys
from mistralet.server.pdf_files import with_pages
from mistralet.server.settings import Settings
from mistralet.tokenizer import Tokenizer
from support.pdf_files import damaged, locked_pdf, pdf, pdf_url
from support.random_models import TEXT_AND_VISION
from support.scripted import Caller, NewCaller, ScriptedEngine, says, scripted_service

TWO = pdf("Invoice 4711", "Total 12 EUR")
READ = ["[a.pdf, page 1 of 2]\nInvoice 4711\n", "[a.pdf, page 2 of 2]\nTotal 12 EUR\n"]


def file_part(data: str, name: str | None = "a.pdf") -> dict[str, Any]:
    return {"type": "file", "file": {"filename": name, "file_data": data}}


def chat(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [{"type": "text", "text": "Sum up."}, *parts]}]}


def prompt(caller: Caller) -> str:
    engine = caller.service.engine
    assert isinstance(engine, ScriptedEngine)
    return caller.service.tokenizer.decode(engine.asked[-1].prompt.ids)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", chat(file_part(pdf_url(TWO)))),
        (
            "/v1/responses",
            {
                "input": [
                    {
                        "role": "user",
                        "content": [{"type": "input_file", "filename": "a.pdf", "file_data": pdf_url(TWO)}],
                    }
                ]
            },
        ),
        (
            "/v1/messages",
            {
                "max_tokens": 5,
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {
                                "type": "document",
                                "title": "a.pdf",
                                "source": {
                                    "type": "base64",
                                    "media_type": "application/pdf",
                                    "data": b64encode(TWO).decode(),
                                },
                            }
                        ],
                    }
                ],
            },
        ),
    ],
    ids=["chat", "responses", "messages"],
)
def test_a_model_without_vision_reads_the_text_of_each_page(
    new_caller: NewCaller, path: str, body: dict[str, Any]
) -> None:
    caller = new_caller()
    assert caller("POST", path, json=body).status_code == 200
    assert all(page in prompt(caller) for page in READ)


def test_a_model_with_vision_sees_each_page_too(seeing_caller: Caller) -> None:
    given = chat(file_part(pdf_url(pdf("One", "", size=(400, 200)))))["messages"]
    vision = seeing_caller.service.engine.info.config.vision
    assert vision is not None
    parts = asyncio.run(with_pages(seeing_caller.service, given))[0]["content"]
    assert [part["type"] for part in parts] == ["text", "text", "image_url", "text", "image_url"]
    assert parts[3]["text"] == "[a.pdf, page 2 of 2]\n\n"


def test_pages_do_not_count_as_images_of_the_request(new_caller: NewCaller, tiny_tokenizer: Tokenizer) -> None:
    body = chat(file_part(pdf_url(pdf(*["text"] * 5))))
    messages = body["messages"]
    caller = new_caller(max_images=2)
    asked = asyncio.run(with_pages(caller.service, messages))
    assert sum(part["type"] == "text" for part in asked[0]["content"]) == 6
    settings = Settings(max_images=2)
    service = scripted_service(tiny_tokenizer, says("I see", tiny_tokenizer), settings, TEXT_AND_VISION.vision)
    answer = Caller(service, Keys(()))("POST", "/v1/chat/completions", json=body)
    assert "images" not in answer.text


def test_a_page_without_text_is_told_to_a_model_without_vision(new_caller: NewCaller) -> None:
    caller = new_caller()
    given = chat(file_part(pdf_url(pdf("One", ""))))["messages"]
    parts = asyncio.run(with_pages(caller.service, given))[0]["content"]
    assert parts[2]["text"] == "[a.pdf, page 2 of 2]\n[This page is a picture, which this model does not read.]\n"


@pytest.mark.parametrize("side", [None, 300])
def test_a_damaged_page_is_told_to_the_model(new_caller: NewCaller, side: int | None) -> None:
    data = damaged(pdf("One", "Two", "Three"), 2)
    assert [page.text for page in asyncio.run(pdf_pages.read_pdf(data, 4, side))] == ["One", "", "Three"]
    parts = asyncio.run(with_pages(new_caller().service, chat(file_part(pdf_url(data)))["messages"]))[0]["content"]
    assert parts[2]["text"] == "[a.pdf, page 2 of 3]\n[This page is damaged and could not be read.]\n"


def test_a_page_of_any_size_becomes_a_picture_of_bounded_size() -> None:
    from mistralet.chat.data_url import from_data_url
    from mistralet.chat.image_file import image_size

    for size in ((14400, 14400), (14400, 3), (3, 3)):
        (page,) = asyncio.run(pdf_pages.read_pdf(pdf("", size=size), 1, 300))
        assert page.picture is not None
        assert max(image_size(from_data_url(page.picture))) == 300


def test_a_file_without_a_name(new_caller: NewCaller) -> None:
    caller = new_caller()
    assert caller("POST", "/v1/chat/completions", json=chat(file_part(pdf_url(TWO), None))).status_code == 200
    assert "[the file, page 1 of 2]\nInvoice" in prompt(caller)


PLACE = "messages[0].content[1]"
BAD = {
    "locked": (pdf_url(locked_pdf()), "A.pdf is locked with a password; save it without one."),
    "cut short": (pdf_url(TWO[:40]), "A.pdf cannot be read: it has no pages, is cut short or damaged; get it again."),
    "no pages": (pdf_url(pdf()), "A.pdf cannot be read: it has no pages, is cut short or damaged; get it again."),
    "too many pages": (pdf_url(pdf(*"12345")), "A.pdf has 5 pages, but at most 4 are read; split it."),
    "another type inside": (pdf_url(b"PK\3\4 a zip"), "A.pdf is no PDF file; send one."),
    "empty": (pdf_url(b""), "A.pdf is no PDF file; send one."),
    "another type": (
        "data:text/plain;base64,YQ==",
        f"{PLACE} is no PDF file as data:application/pdf;base64,...; send one.",
    ),
    "no base64": ("data:application/pdf;base64,&&&", f"The base64 of {PLACE} is damaged; encode the file again."),
    "too large": (pdf_url(bytes(6000)), f"{PLACE} has more than 5000 bytes; send a smaller file."),
    "no data": ("", f"{PLACE} has no file_data; send the PDF file in it, as a data: URL."),
    "a scan": (
        pdf_url(pdf("", "")),
        "A.pdf holds pictures of text only, and this model reads no pictures; send the text itself.",
    ),
}


@pytest.mark.parametrize(("data", "message"), BAD.values(), ids=BAD)
def test_a_bad_file_is_refused(new_caller: NewCaller, data: str, message: str) -> None:
    caller = new_caller(max_pages=4, max_file_bytes=5000)
    answer = caller("POST", "/v1/chat/completions", json=chat(file_part(data)))
    error = answer.json()["error"]
    assert (answer.status_code, error["message"], error["param"]) == (400, message, PLACE)


def test_the_bound_on_pages_is_one_of_all_files(new_caller: NewCaller) -> None:
    part = file_part(pdf_url(TWO))
    answer = new_caller(max_pages=3)("POST", "/v1/chat/completions", json=chat(part, part))
    assert "has 2 pages, but at most 1 are read" in answer.json()["error"]["message"]


@pytest.mark.parametrize("ending", ["import time; time.sleep(9)", "import os; os.abort()"], ids=["hangs", "crashes"])
def test_a_reader_that_hangs_or_crashes_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str) -> None:
    program = tmp_path / "reader.py"
    program.write_text(ending)
    monkeypatch.setattr(pdf_pages, "__file__", str(program))
    monkeypatch.setattr(pdf_pages, "SECONDS", 0.2)
    with pytest.raises(pdf_pages.PdfError, match="takes too much time or memory"):
        asyncio.run(pdf_pages.read_pdf(TWO, 4, None))
