"""Questions about documents: what the model is given to read, and what its answer rests on."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from mistralet.chat import ImagePart, Message, TextPart
from mistralet.documents import Document, FlowEvent, Page, Planned, Progress, TextDelta, find_quote
from mistralet.documents.ask import Answer, ask
from mistralet.documents.citing import Statement
from mistralet.errors import DocumentError, PromptError
from support.documents import typed_document
from support.scripted_chat import ScriptedChat, Turn

LEASE = typed_document(
    "The lease begins on 1 May. The rent is 900 a month.",
    "The landlord repairs the roof. Pets need consent.",
    name="lease.pdf",
)


def asked(model: ScriptedChat, documents: Sequence[Document], question: str, **options: Any) -> list[Any]:
    async def collect() -> list[FlowEvent | Answer]:
        return [event async for event in ask(model, documents, question, **options)]

    return asyncio.run(collect())


def answer_of(model: ScriptedChat, documents: Sequence[Document], question: str, **options: Any) -> Answer:
    *_, answer = asked(model, documents, question, **options)
    assert isinstance(answer, Answer)
    return answer


def prompt_of(model: ScriptedChat, number: int = 0) -> str:
    message = model.requests[number].messages[-1]
    return "".join(part.text for part in message.parts if isinstance(part, TextPart))


def test_a_document_that_fits_is_read_as_a_whole_before_the_question() -> None:
    model = ScriptedChat(["The rent is 900 a month."])
    events = asked(model, [LEASE], "How high is the rent?")
    assert events[0] == Planned("2 pages, 26 tokens: all of it is read.")
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == "The rent is 900 a month."
    assert Progress("Finding sources", 1, 1) in events
    prompt = prompt_of(model)
    assert prompt.startswith("[lease.pdf, page 1]\nThe lease begins")
    assert prompt.endswith("Question: How high is the rent?")


def test_a_page_that_is_not_read_is_left_out_and_the_plan_says_so() -> None:
    lease = typed_document(LEASE.page(1).text, "lost", LEASE.page(2).text, name="lease.pdf")
    pages = [lease.page(1), Page(2, "", unread="it is damaged"), lease.page(3)]
    model = ScriptedChat(["The landlord repairs the roof."])
    events = asked(model, [replace(lease, pages=pages)], "Who repairs the roof?")
    assert events[0] == Planned("2 pages, 26 tokens: all of it is read but for 1 page that cannot be.")
    assert "page 2]" not in prompt_of(model)
    answer = events[-1]
    assert answer.pages == (("lease.pdf", 1), ("lease.pdf", 3))
    assert [citation.page for citation in answer.statements[0].citations] == [3]


def test_the_prompts_of_two_questions_begin_alike_up_to_the_question() -> None:
    first, second = ScriptedChat(["a"]), ScriptedChat(["b"])
    asked(first, [LEASE], "Who repairs the roof?")
    asked(second, [LEASE], "Are pets allowed?")
    prompts = [prompt_of(model).rpartition("Question: ")[0] for model in (first, second)]
    assert prompts[0] == prompts[1]
    assert first.requests[0].messages[0] == second.requests[0].messages[0]


def test_each_statement_has_its_page_and_the_words_it_rests_on() -> None:
    answer = answer_of(
        ScriptedChat(["The rent is 900 a month. The landlord repairs the roof."]), [LEASE], "What of rent?"
    )
    pages = [[citation.page for citation in statement.citations] for statement in answer.statements]
    assert pages == [[1], [2]]
    for statement in answer.statements:
        for citation in statement.citations:
            assert find_quote(LEASE.page(citation.page), citation.quote) is not None
            assert citation.boxes


def test_what_nothing_says_has_no_source() -> None:
    answer = answer_of(ScriptedChat(["Bananas grow in Ecuador."]), [LEASE], "Where do bananas grow?")
    assert answer.statements == (Statement("Bananas grow in Ecuador."),)


@pytest.mark.parametrize(("chosen", "pages"), [("1", [1]), ("0", []), ("7", []), ("", []), ("9x", [])])
def test_where_words_are_not_enough_the_model_chooses(chosen: str, pages: list[int]) -> None:
    """Two requests: the answer, and which of the likely passages says so."""

    def second(messages: Sequence[Message]) -> str:
        return "Rent of nine hundred a month." if len(messages) == 2 else chosen

    model = ScriptedChat([second])
    answer = answer_of(model, [LEASE], "How high is the rent a month?")
    assert [citation.page for statement in answer.statements for citation in statement.citations] == pages
    assert len(model.requests) == 2
    schema = model.schemas[1]
    assert isinstance(schema, dict)
    assert schema["enum"][0] == 0


class TestBeyondTheContext:
    PAGES = tuple(f"Chapter {number}. " + f"filler{number} words here " * 30 for number in range(30))

    def test_the_likeliest_pages_are_read_in_their_order(self) -> None:
        pages = list(self.PAGES)
        pages[20] += " The sprocket needs oil."
        pages[4] += " A sprocket is made of brass."
        document = typed_document(*pages)
        model = ScriptedChat(["The sprocket needs oil."], context=1200)
        answer = answer_of(model, [document], "What does the sprocket need?", max_tokens=100)
        numbers = [page for _, page in answer.pages]
        assert numbers == sorted(numbers)
        assert {5, 21} <= set(numbers)
        assert len(numbers) <= 8
        assert "30 pages" in answer.plan
        assert answer.statements[0].citations[0].page == 21

    def test_pages_are_left_out_until_they_fit(self) -> None:
        model = ScriptedChat(["yes"], context=700)
        answer = answer_of(model, [typed_document(*self.PAGES)], "filler3 filler9 filler20?", max_tokens=100)
        assert len(prompt_of(model).split()) <= 700 - 100 - 300
        assert answer.pages

    def test_a_question_that_shares_no_word_gets_the_first_pages(self) -> None:
        answer = answer_of(ScriptedChat(["no"], context=1200), [typed_document(*self.PAGES)], "Quux?", max_tokens=100)
        assert ("typed.pdf", 1) in answer.pages

    def test_a_context_that_is_too_small_is_told(self) -> None:
        with pytest.raises(DocumentError, match="leaves no room"):
            asked(ScriptedChat([], context=500), [typed_document(*self.PAGES)], "Why?")
        with pytest.raises(DocumentError, match="No page fits"):
            asked(ScriptedChat([], context=620), [typed_document("word " * 5000)], "Word?", max_tokens=100)


class TestScans:
    SCAN = Document("scan.pdf", "pdf", "0" * 64, [Page(1, "", is_scan=True)], LEASE.source)

    def test_go_to_a_model_with_vision_as_pictures(self) -> None:
        model = ScriptedChat(["It says hello."], reads_pictures=True)
        asked(model, [self.SCAN], "What does it say?")
        parts = model.requests[0].messages[-1].parts
        assert [type(part) for part in parts] == [TextPart, ImagePart, TextPart]
        assert parts[1] == ImagePart(b"page 1, 1540 pixels")

    def test_are_refused_by_one_without(self) -> None:
        with pytest.raises(DocumentError, match="--ocr"):
            asked(ScriptedChat([]), [self.SCAN], "What does it say?")


def test_an_empty_question_is_refused() -> None:
    with pytest.raises(PromptError, match="question is empty"):
        asked(ScriptedChat([]), [LEASE], "  ")


def test_an_answer_that_is_cut_still_has_its_sources() -> None:
    answer = answer_of(ScriptedChat([Turn("The rent is 900 a", reason="length")]), [LEASE], "rent?")
    assert answer.statements[0].citations[0].page == 1
