"""What is sent beside the text: files, tools and their results, settings."""

from __future__ import annotations

import json

from playwright.sync_api import expect

from support.chat_page import ChatPage
from support.pictures import as_bytes, noise
from support.scripted_server import ChatServer, Reply, call

WEATHER = {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}


class TestFiles:
    def test_a_pasted_picture_is_sent_and_kept(self, chat_server: ChatServer, chat: ChatPage) -> None:
        chat.transfer("paste", "teal.png", "image/png", as_bytes(noise(8, 8)))
        expect(chat.page.get_by_alt_text("teal.png")).to_be_visible()
        chat.ask("What is it?")
        image, text = chat_server.requests[0]["messages"][0]["content"]
        assert image["image_url"]["url"].startswith("data:image/png;base64,")
        assert text == {"type": "text", "text": "What is it?"}
        chat.page.reload()
        expect(chat.questions.get_by_alt_text("teal.png")).to_be_visible()
        chat.questions.get_by_role("button", name="Show teal.png").click()
        expect(chat.page.get_by_role("dialog", name="teal.png")).to_be_visible()

    def test_a_large_picture_is_made_as_large_as_the_model_sees(self, chat_server: ChatServer, chat: ChatPage) -> None:
        chat.transfer("drop", "wide.png", "image/png", as_bytes(noise(3080, 20)))
        chat.page.get_by_alt_text("wide.png").wait_for()
        chat.field.press("Enter")
        chat.wait_for_answer()
        url = chat_server.requests[0]["messages"][0]["content"][0]["image_url"]["url"]
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

    def test_a_model_without_eyes_is_sent_no_picture(self, chat_server: ChatServer, chat: ChatPage) -> None:
        chat_server.vision = False
        chat.page.reload()
        expect(chat.page.get_by_text("tiny", exact=True)).to_be_visible()
        chat.transfer("paste", "a.png", "image/png", as_bytes(noise(2, 2)))
        expect(chat.page.get_by_text("tiny reads text only and sees no pictures.")).to_be_visible()
        chat.ask("Hi")
        assert chat_server.requests[0]["messages"][0]["content"] == "Hi"

    def test_an_edit_can_leave_a_file_out(self, chat_server: ChatServer, chat: ChatPage) -> None:
        chat_server.replies.append(Reply(status=400, error="This PDF is locked."))
        chat.transfer("drop", "locked.pdf", "application/pdf", b"%PDF-1.7")
        chat.page.get_by_text("locked.pdf").wait_for()
        chat.ask("Read it")
        chat.questions.get_by_role("button", name="Edit").click()
        chat.button("Remove locked.pdf").click()
        chat.page.get_by_label("Edit message").press("Enter")
        expect(chat.answers).to_contain_text("Hello.")
        assert chat_server.requests[1]["messages"][0]["content"] == "Read it"
        chat.questions.get_by_role("button", name="Version before").click()
        expect(chat.questions).to_contain_text("locked.pdf")

    def test_a_pdf_is_a_file_part_and_its_refusal_is_shown(self, chat_server: ChatServer, chat: ChatPage) -> None:
        chat_server.replies.append(Reply(status=400, error="PDF needs mistralet[documents]."))
        chat.transfer("drop", "letter.pdf", "application/pdf", b"%PDF-1.7")
        chat.page.get_by_text("letter.pdf").wait_for()
        chat.send("Read it")
        expect(chat.page.get_by_role("alert")).to_contain_text("PDF needs mistralet[documents].")
        part = {"filename": "letter.pdf", "file_data": "data:application/pdf;base64,JVBERi0xLjc="}
        assert chat_server.requests[0]["messages"][0]["content"][0] == {"type": "file", "file": part}

    def test_other_files_are_text_or_refused(self, chat_server: ChatServer, chat: ChatPage) -> None:
        chat.transfer("drop", "noise.bin", "", b"\xff\xfe\x00")
        expect(chat.page.get_by_text("noise.bin cannot be sent")).to_be_visible()
        chat.transfer("drop", "notes.md", "text/markdown", b"# Notes")
        chat.page.get_by_text("notes.md", exact=True).wait_for()
        chat.ask("Sum up")
        assert chat_server.requests[0]["messages"][0]["content"][0]["text"] == "File notes.md:\n\n# Notes\n"

    def test_a_file_can_be_taken_away_again(self, chat_server: ChatServer, chat: ChatPage) -> None:
        file = {"name": "a.png", "mimeType": "image/png", "buffer": as_bytes(noise(2, 2))}
        chat.page.get_by_label("Add files").set_input_files(file)
        chat.button("Remove a.png").click()
        chat.ask("Hi")
        assert chat_server.requests[0]["messages"][0]["content"] == "Hi"


class TestTools:
    def define_tools(self, chat: ChatPage) -> None:
        chat.open_settings().get_by_label("Tools").fill(json.dumps([WEATHER]))
        chat.button("Close settings").click()

    def test_a_call_is_shown_and_answered_by_the_reader(self, chat_server: ChatServer, chat: ChatPage) -> None:
        self.define_tools(chat)
        chat_server.replies.extend([Reply(call("get_weather", '{"city": "Arles"}'), "tool_calls"), Reply(["Windy."])])
        chat.send("Weather?")
        card = chat.page.get_by_role("group").filter(has_text="get_weather")
        expect(card).to_contain_text("waits for you")
        expect(card).to_contain_text('"city": "Arles"')
        assert chat_server.requests[0]["tools"] == [{"type": "function", "function": WEATHER}]
        card.get_by_label("Result").fill('{"wind": 90}')
        chat.button("Send result").click()
        expect(chat.answers.last).to_contain_text("Windy.")
        expect(card).to_contain_text("answered")
        asked = {"name": "get_weather", "arguments": '{"city": "Arles"}'}
        assert chat_server.requests[1]["messages"][1:] == [
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "call0", "type": "function", "function": asked}],
            },
            {"role": "tool", "tool_call_id": "call0", "content": '{"wind": 90}'},
        ]

    def test_the_model_goes_on_when_all_calls_are_answered(self, chat_server: ChatServer, chat: ChatPage) -> None:
        self.define_tools(chat)
        calls = [*call("get_weather", '{"city": "Arles"}'), *call("get_weather", '{"city": "Nice"}', 1)]
        chat_server.replies.extend([Reply(calls, "tool_calls"), Reply(["So be it."])])
        chat.send("Weather?")
        expect(chat.button("Refuse")).to_have_count(2)
        chat.button("Refuse").last.click()
        assert len(chat_server.requests) == 1
        chat.page.get_by_label("Result").fill("sun")
        chat.button("Send result").click()
        expect(chat.answers.last).to_contain_text("So be it.")
        results = [(message["tool_call_id"], message["content"]) for message in chat_server.requests[1]["messages"][2:]]
        assert results == [("call0", "sun"), ("call1", "The user refused this call.")]

    def test_tools_that_are_no_json_are_said_to_be_none(self, chat_server: ChatServer, chat: ChatPage) -> None:
        settings = chat.open_settings()
        settings.get_by_label("Tools").fill("[{]")
        expect(settings).to_contain_text("The tools are not JSON")
        chat.send("Hi")
        expect(chat.page.get_by_role("alert")).to_contain_text("The tools are not JSON")
        assert chat_server.requests == []


class TestSettings:
    def test_what_is_set_is_sent_and_kept(self, chat_server: ChatServer, chat: ChatPage) -> None:
        settings = chat.open_settings()
        settings.get_by_label("System prompt").fill("Be brief.")
        settings.get_by_label("Temperature").fill("0.2")
        settings.get_by_label("Seed").fill("7")
        settings.get_by_label("Stop sequences").press_sequentially("END\nSTOP")
        chat.ask("Hi")
        expected = {"temperature": 0.2, "seed": 7, "stop": ["END", "STOP"]}
        assert {name: chat_server.requests[0].get(name) for name in expected} == expected
        assert chat_server.requests[0]["messages"][0] == {"role": "system", "content": "Be brief."}
        chat.page.reload()
        expect(chat.open_settings().get_by_label("Temperature")).to_have_value("0.2")
        chat.button("Back to the server's defaults").click()
        chat.ask("Again")
        assert not expected.keys() & chat_server.requests[1].keys()

    def test_a_value_out_of_range_is_not_taken(self, chat_server: ChatServer, chat: ChatPage) -> None:
        settings = chat.open_settings()
        settings.get_by_label("Temperature").fill("9")
        expect(settings).to_contain_text("Temperature must be from 0 to 2.")
        chat.ask("Hi")
        assert "temperature" not in chat_server.requests[0]

    def test_one_of_several_models_is_chosen(self, chat_server: ChatServer, chat: ChatPage) -> None:
        chat_server.models = ("small", "large")
        chat.page.reload()
        chat.page.get_by_label("Model").select_option("large")
        chat.ask("Hi")
        assert chat_server.requests[0]["model"] == "large"
