"""Forms: values that fit the schema, the places that state them, and how sure the model was."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import pytest

from mistralet.chat import ChatEvent, ChatRequest, ScoredToken, ScoredTokens, TextPart
from mistralet.documents import Document, Planned
from mistralet.documents.extract import Extraction, extract
from mistralet.engine.sampling import SamplingParams
from mistralet.errors import DocumentError
from support.documents import typed_document
from support.scripted_chat import ScriptedChat, Turn

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "buyer": {"type": ["string", "null"]},
        "total": {"type": ["number", "null"], "description": "sum to pay"},
        "items": {"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}}}},
    },
}
BILL = typed_document("Buyer: Ann Lee\nPaper 3 pieces\nSum to pay: 1,200.50")


def extracted(model: ScriptedChat, document: Document, schema: dict[str, Any] = SCHEMA, **options: Any) -> Extraction:
    async def last() -> object:
        return [event async for event in extract(model, document, schema, **options)][-1]

    result = asyncio.run(last())
    assert isinstance(result, Extraction)
    return result


def test_each_value_has_its_place() -> None:
    model = ScriptedChat([json.dumps({"buyer": "Ann Lee", "total": 1200.5, "items": [{"name": "Pens"}]})])
    result = extracted(model, BILL)
    assert result.value["total"] == 1200.5
    buyer, total, item = result.fields
    assert (buyer.path, buyer.found, buyer.citation and buyer.citation.quote) == ("buyer", True, "Ann Lee")
    assert (total.path, total.citation and total.citation.quote) == ("total", "1,200.50")
    assert (item.path, item.found, item.citation) == ("items[0].name", False, None)
    assert model.schemas == [SCHEMA]
    assert model.params[0].temperature == 0
    assert model.params[0].logprobs == 0


class Sure(ScriptedChat):
    """Says how sure it is: of the letters of some words half, of all else quite."""

    async def stream(self, request: ChatRequest, params: SamplingParams) -> AsyncGenerator[ChatEvent, None]:
        events = [event async for event in super().stream(request, params)]
        text = str(self.turns[0])
        for letter in text:
            yield ScoredTokens((ScoredToken(letter.encode(), math.log(0.5) if letter in "Année" else 0.0),))
        for event in events:
            yield event


def test_confidence_is_of_the_tokens_of_the_value_alone() -> None:
    text = json.dumps({"buyer": "Année", "items": [], "total": 1200.5}, ensure_ascii=False)
    buyer, total = extracted(Sure([text]), BILL).fields
    assert buyer.confidence == pytest.approx(0.5)
    assert total.confidence == pytest.approx(1.0)


def test_without_scores_there_is_no_confidence() -> None:
    result = extracted(ScriptedChat([json.dumps({"buyer": "Ann Lee"})]), BILL)
    assert [field.confidence for field in result.fields] == [None]


@pytest.mark.parametrize(
    ("turn", "why"),
    [
        (Turn('{"buyer": "An', reason="length"), "longer than 1000 tokens"),
        ('{"buyer": 7}', "does not fit the schema"),
        ("no json", "does not fit the schema"),
    ],
)
def test_a_form_that_is_none_is_told(turn: Turn | str, why: str) -> None:
    with pytest.raises(DocumentError, match=why):
        extracted(ScriptedChat([turn]), BILL)


class Reader(ScriptedChat):
    """Fills in what the pages before it state; each of its turns is one page's form."""

    def __init__(self, forms: dict[str, dict[str, Any]], context: int) -> None:
        super().__init__([], context=context)
        self.forms = forms

    async def stream(self, request: ChatRequest, params: SamplingParams) -> AsyncGenerator[ChatEvent, None]:
        text = "".join(part.text for part in request.messages[-1].parts if isinstance(part, TextPart))
        form: dict[str, Any] = {"buyer": None, "total": None, "items": []}
        for mark, said in self.forms.items():
            if mark in text:
                form |= said
        self.turns = [json.dumps(form)]
        async for event in super().stream(request, params):
            yield event


class TestBeyondTheContext:
    FILLER = "word " * 150

    def read(self, forms: Sequence[dict[str, Any]], texts: Sequence[str] = ("", "", "")) -> Extraction:
        pages = [f"mark{number}. {text} {self.FILLER}" for number, text in enumerate(texts)]
        model = Reader({f"mark{number}": form for number, form in enumerate(forms)}, context=620)
        return extracted(model, typed_document(*pages), max_tokens=100)

    def test_what_the_parts_say_is_put_together(self) -> None:
        result = self.read([{"buyer": "Ann Lee"}, {"total": 5, "items": [{"name": "a"}]}, {"items": [{"name": "b"}]}])
        assert result.plan == "3 pages: read in 3 parts."
        assert result.value == {"buyer": "Ann Lee", "total": 5, "items": [{"name": "a"}, {"name": "b"}]}
        assert [field.path for field in result.fields] == ["buyer", "total", "items[0].name", "items[1].name"]

    def test_what_a_page_states_counts_more_than_what_none_does(self) -> None:
        result = self.read([{"total": 4}, {"total": 5}, {"total": 6}], ["", "costs 5 euros", ""])
        assert result.value["total"] == 5
        (total,) = [field for field in result.fields if field.path == "total"]
        assert total.citation is not None
        assert total.citation.page == 2

    def test_what_comes_twice_is_taken_once(self) -> None:
        result = self.read([{"items": [{"name": "a"}]}] * 3)
        assert result.value["items"] == [{"name": "a"}]

    def test_a_page_that_does_not_fit_is_told(self) -> None:
        with pytest.raises(DocumentError, match="Page 1 of"):
            extracted(ScriptedChat([], context=600), typed_document("word " * 900), max_tokens=100)


def test_the_plan_comes_first() -> None:
    async def first() -> object:
        stream = extract(ScriptedChat(["{}"]), BILL, SCHEMA)
        event = await anext(stream)
        await stream.aclose()
        return event

    assert asyncio.run(first()) == Planned("1 page: read at once.")
