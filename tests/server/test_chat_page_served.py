"""The chat page as `mistralet serve` shows it, with the stand-in for a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from support.served import Served

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_WAIT = 30_000  # milliseconds for an answer of a real model on a busy machine


def test_a_conversation_with_a_real_model(chromium: Browser, served: Served) -> None:
    from playwright.sync_api import expect

    from support.chat_page import open_page

    with open_page(chromium, served.url) as chat:
        chat.send("How many days are in a week?")
        expect(chat.answers.first).to_contain_text("7", timeout=_WAIT)
        expect(chat.answers.first).to_contain_text("first after", timeout=_WAIT)
        chat.send("And in two weeks?")
        expect(chat.answers).to_have_count(2)
        expect(chat.answers.nth(1)).to_contain_text("first after", timeout=_WAIT)
        chat.page.reload()
        expect(chat.questions).to_have_count(2)
