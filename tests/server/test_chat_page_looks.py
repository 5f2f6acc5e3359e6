"""How the chat page looks, and how it is used without a mouse or a large screen."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, expect

from support.chat_page import ChatPage, open_page
from support.scripted_server import ChatServer, Reply, call


class TestKeyboard:
    def test_new_lines_and_compositions_do_not_send(self, chat_server: ChatServer, chat: ChatPage) -> None:
        chat.field.press_sequentially("one")
        chat.field.press("Shift+Enter")
        chat.field.press_sequentially("two")
        chat.field.evaluate(
            """(field) => field.dispatchEvent(
                new KeyboardEvent("keydown", { key: "Enter", isComposing: true, bubbles: true, cancelable: true }))"""
        )
        assert chat_server.requests == []
        chat.field.press("Enter")
        chat.wait_for_answer()
        assert chat_server.requests[0]["messages"][0]["content"] == "one\ntwo"

    def test_everything_has_a_key(self, chat: ChatPage) -> None:
        press = chat.page.keyboard.press
        chat.ask("Hi")
        press("ArrowUp")
        expect(chat.page.get_by_label("Edit message")).to_be_focused()
        press("Escape")
        press("Control+b")
        expect(chat.page.get_by_role("navigation")).to_be_hidden()
        press("Control+k")
        expect(chat.page.get_by_label("Search conversations")).to_be_focused()
        chat.answers.click()
        press("/")
        expect(chat.field).to_be_focused()
        press("Control+Comma")
        expect(chat.page.get_by_role("complementary", name="Settings")).to_be_focused()
        press("Escape")
        expect(chat.page.get_by_role("complementary", name="Settings")).to_be_hidden()
        press("Shift+?")
        expect(chat.page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
        press("Escape")
        expect(chat.page.get_by_role("dialog")).to_have_count(0)
        press("Control+Shift+O")
        expect(chat.page.get_by_role("heading", name="What shall we work on?")).to_be_visible()


class TestLooks:
    @pytest.mark.parametrize("theme", ["light", "dark"])
    def test_the_system_theme_is_followed_and_texts_have_contrast(
        self, chat_server: ChatServer, chromium: Browser, theme: str
    ) -> None:
        with open_page(chromium, chat_server.url, color_scheme=theme) as chat:
            background = colour(chat, "ground")
            assert (luminance(background) > 0.5) == (theme == "light")
            texts = [("ink", "ground"), ("ink-soft", "ground"), ("ink-soft", "side"), ("ink-soft", "hover")]
            texts += [("ink-soft", "raised"), ("ink-soft", "sunken"), ("ink", "sea-wash"), ("on-sea", "sea")]
            texts += [("sea", "ground"), ("sea", "sea-wash"), ("ember", "ember-wash"), ("ember", "side")]
            low = {pair: contrast(colour(chat, pair[0]), colour(chat, pair[1])) for pair in texts}
            assert {pair: ratio for pair, ratio in low.items() if ratio < 4.5} == {}

    def test_a_chosen_theme_is_kept(self, chat: ChatPage) -> None:
        system = colour(chat, "ground")
        chat.button("Theme: system").click()
        chat.button("Theme: light").click()
        dark = colour(chat, "ground")
        assert luminance(dark) < 0.1 < luminance(system)
        chat.page.reload()
        assert colour(chat, "ground") == dark

    def test_it_fits_a_phone(self, chat_server: ChatServer, chromium: Browser) -> None:
        phone = {"viewport": {"width": 360, "height": 700}, "is_mobile": True, "has_touch": True}
        with open_page(chromium, chat_server.url, **phone) as chat:
            code, word, table = "```\n" + "wide " * 60 + "\n```", "long" * 80, "|a|b|\n|-|-|\n|" + "x" * 90 + "|y|"
            chat_server.replies.append(Reply([f"{code}\n\n{word}\n\n{table}"]))
            chat.ask("Hi")
            width = "document.querySelector('.thread').scrollWidth"
            assert chat.page.evaluate(f"Math.max(document.documentElement.scrollWidth, {width})") <= 360
            expect(chat.page.get_by_role("navigation")).to_be_hidden()
            chat.button("Show conversations").tap()
            chat.page.get_by_role("link", name="Hi").tap()
            expect(chat.page.get_by_role("navigation")).to_be_hidden()

    def test_every_control_has_a_name(self, chat_server: ChatServer, chat: ChatPage) -> None:
        chat_server.replies.append(Reply([*call("f", "{}"), "```\nx\n```"], "tool_calls"))
        chat.ask("Hi")
        chat.open_settings()
        controls = chat.page.locator("button, input, textarea, select, a[href], [tabindex='0']")
        nameless = controls.evaluate_all(
            """(elements) => elements.filter((element) => !element.getAttribute("aria-label")
                && !element.textContent.trim() && !element.labels?.length).map((element) => element.outerHTML)"""
        )
        assert controls.count() > 40
        assert nameless == []


def colour(chat: ChatPage, name: str) -> tuple[int, ...]:
    """The red, green and blue of one of the page's colours, as it is shown now."""
    text = chat.page.evaluate(
        """(name) => {
            const probe = document.createElement("i");
            probe.style.color = `var(--${name})`;
            document.body.append(probe);
            const colour = getComputedStyle(probe).color;
            probe.remove();
            return colour;
        }""",
        name,
    )
    return tuple(int(number) for number in re.findall(r"\d+", text)[:3])


def luminance(colour: tuple[int, ...]) -> float:
    """Relative luminance, WCAG 2.2."""
    parts = [value / 255 for value in colour]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: tuple[int, ...], other: tuple[int, ...]) -> float:
    """Contrast ratio, WCAG 2.2: 4.5 is what texts need."""
    dark, light = sorted([luminance(one), luminance(other)])
    return (light + 0.05) / (dark + 0.05)
