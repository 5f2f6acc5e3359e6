"""The chat page as a reader uses it: what the tests of it do again and again."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request, expect

# A transfer of one file, as paste and drop bring it.
_TRANSFER = """([type, name, mime, data]) => {
    const bytes = Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
    const transfer = new DataTransfer();
    transfer.items.add(new File([bytes], name, { type: mime }));
    const init = { bubbles: true, cancelable: true };
    document.querySelector("#message").dispatchEvent(type === "paste"
        ? new ClipboardEvent("paste", { ...init, clipboardData: transfer })
        : new DragEvent("drop", { ...init, dataTransfer: transfer }));
}"""
_WINDOW = {"viewport": {"width": 1200, "height": 760}, "reduced_motion": "reduce"}
# Chromium reports each answer that is no 2xx, and each connection that fails; the page shows them itself.
_EXPECTED_ERROR = "Failed to load resource"


@dataclass(frozen=True)
class ChatPage:
    """A tab with the chat page."""

    page: Page
    url: str
    wrong: list[str]  # errors that the page reported, and requests that went elsewhere

    @property
    def field(self) -> Locator:
        """Where messages are written."""
        return self.page.get_by_label("Message", exact=True)

    @property
    def answers(self) -> Locator:
        """The answers that are shown."""
        return self.page.get_by_role("article", name="Answer")

    @property
    def questions(self) -> Locator:
        """The questions that are shown."""
        return self.page.get_by_role("article", name="You")

    def button(self, name: str) -> Locator:
        """A button by its exact name."""
        return self.page.get_by_role("button", name=name, exact=True)

    def send(self, text: str) -> None:
        """Write a message and send it."""
        self.field.fill(text)
        self.field.press("Enter")

    def ask(self, text: str) -> None:
        """Send a message and wait for the end of the answer."""
        self.send(text)
        self.wait_for_answer()

    def wait_for_answer(self) -> None:
        """Wait until nothing is being written."""
        expect(self.answers.last.get_by_role("button", name="Regenerate")).to_be_enabled()

    def transfer(self, how: str, name: str, mime: str, content: bytes) -> None:
        """Paste or drop ("paste", "drop") a file."""
        self.page.evaluate(_TRANSFER, [how, name, mime, base64.b64encode(content).decode()])

    def open_settings(self) -> Locator:
        """Show the settings."""
        self.page.keyboard.press("Control+,")
        return self.page.get_by_role("complementary", name="Settings")

    def stored(self) -> list[dict[str, Any]]:
        """The conversations in the browser's database."""
        text = self.page.evaluate(
            """() => new Promise((resolve) => {
                indexedDB.open("mistralet").onsuccess = ({ target: { result } }) => {
                    result.transaction("conversations").objectStore("conversations").getAll().onsuccess =
                        ({ target }) => { result.close(); resolve(JSON.stringify(target.result)); };
                };
            })"""
        )
        return list(json.loads(text))

    def open(self) -> None:
        """Go to the page."""
        self.page.goto(self.url)
        expect(self.field).to_be_visible()

    def start_afresh(self) -> None:
        """As in a new browser, in half the time that one takes."""
        context = self.page.context
        for other in context.pages:
            if other is not self.page:
                other.close()
        self.page.goto("about:blank")
        context.clear_permissions()
        context.set_offline(False)
        session = context.new_cdp_session(self.page)
        session.send("Storage.clearDataForOrigin", {"origin": self.url, "storageTypes": "all"})
        session.detach()
        self.wrong.clear()
        self.open()

    def check(self) -> None:
        """See that the page reported no error, and asked nobody but its server."""
        if self.wrong:
            raise AssertionError(f"The page reports errors or asks elsewhere: {self.wrong}")


@contextmanager
def open_page(browser: Browser, url: str, **context_options: Any) -> Iterator[ChatPage]:
    """The page in a context of its own, with nothing stored; `check`ed in the end."""
    context = browser.new_context(**{**_WINDOW, **context_options})
    context.set_default_timeout(5000)
    chat = ChatPage(context.new_page(), url, [])

    def note_message(message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith(_EXPECTED_ERROR):
            chat.wrong.append(message.text)

    def note_request(request: Request) -> None:
        if not request.url.startswith((url, "data:", "blob:")):
            chat.wrong.append(request.url)

    chat.page.on("pageerror", lambda error: chat.wrong.append(str(error)))
    chat.page.on("console", note_message)
    chat.page.on("request", note_request)
    chat.open()
    yield chat
    context.close()
    chat.check()
