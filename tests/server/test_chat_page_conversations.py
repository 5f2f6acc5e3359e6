"""The conversations that the browser keeps."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, expect

from support.chat_page import ChatPage, open_page
from support.pictures import as_bytes, noise
from support.scripted_server import HOLD, ChatServer, Reply


class TestConversations:
    def test_they_are_kept_and_found(self, chat_server: ChatServer, chat: ChatPage) -> None:
        chat_server.replies.extend([Reply(["Lavender."]), Reply(["Rhône."])])
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

    def test_an_answer_that_a_reload_cut_off_is_kept(self, chat_server: ChatServer, chat: ChatPage) -> None:
        chat_server.replies.append(Reply(["Half of ", HOLD, "it"]))
        chat.send("Go")
        expect(chat.answers).to_contain_text("Half of")
        chat.page.reload()
        expect(chat.answers).to_contain_text("Half of")
        expect(chat.answers).to_contain_text("stopped")

    def test_what_is_exported_can_be_imported_elsewhere(
        self, chat_server: ChatServer, chat: ChatPage, chromium: Browser, tmp_path: Path
    ) -> None:
        chat.transfer("paste", "teal.png", "image/png", as_bytes(noise(4, 4)))
        chat.page.get_by_alt_text("teal.png").wait_for()
        chat.ask("What is it?")
        chat.button("Regenerate").click()
        chat.wait_for_answer()
        with chat.page.expect_download() as download:
            chat.button("Export all conversations").click()
        file = tmp_path / "chats.json"
        download.value.save_as(file)
        with open_page(chromium, chat_server.url) as other:
            other.page.get_by_label("Import conversations").set_input_files(file)
            other.page.get_by_role("link", name="What is it?").click()
            expect(other.page.get_by_role("group", name="Versions")).to_have_text("2/2")
            expect(other.questions.get_by_alt_text("teal.png")).to_be_visible()
            assert other.stored() == chat.stored()
            other.page.get_by_label("Import conversations").set_input_files(file)
            expect(other.page.get_by_text("Imported 0 conversations, and found 1 here already.")).to_be_visible()

    def test_a_file_that_is_no_export_is_refused(self, chat: ChatPage, tmp_path: Path) -> None:
        file = tmp_path / "other.json"
        file.write_text('{"format": "something else"}', encoding="utf-8")
        chat.page.get_by_label("Import conversations").set_input_files(file)
        expect(chat.page.get_by_text("This file was not exported here.")).to_be_visible()

    def test_another_tab_sees_what_is_new(self, chat_server: ChatServer, chat: ChatPage) -> None:
        other = chat.page.context.new_page()
        other.goto(chat_server.url)
        chat.ask("From here")
        other.get_by_role("link", name="From here").click()
        expect(other.get_by_role("article", name="Answer")).to_have_count(1)
        chat.ask("And again")
        expect(other.get_by_role("article", name="Answer")).to_have_count(2)
