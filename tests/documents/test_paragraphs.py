"""Paragraphs as their author wrote them, over ends of lines and pages."""

from __future__ import annotations

from mistralet.documents.paragraphs import Paragraph, paragraphs
from support.documents import typed_document


def read(*pages: str) -> list[tuple[str, str, int]]:
    return [(each.number, each.text, each.page) for each in paragraphs(typed_document(*pages))]


def test_lines_of_a_paragraph_are_put_together() -> None:
    text = (
        "1. Subject\n1.1 The seller delivers the goods to the place that\n"
        "is named in Annex A, and bears the cost.\n1.2 Done."
    )
    assert read(text) == [
        ("1", "Subject", 1),
        ("1.1", "The seller delivers the goods to the place that is named in Annex A, and bears the cost.", 1),
        ("1.2", "Done.", 1),
    ]


def test_words_that_were_parted_are_joined_and_others_keep_their_hyphen() -> None:
    assert read("The notice peri-\nod of the long-term\nlease.") == [
        ("", "The notice period of the long-term lease.", 1)
    ]


def test_numbers_of_every_kind_begin_a_paragraph() -> None:
    numbers = [number for number, *_ in read("§ 3 One thing\n(a) second thing\nArticle 5 Third\n4) fourth\n• fifth")]
    assert numbers == ["§ 3", "(a)", "Article 5", "4", "•"]


def test_a_paragraph_goes_on_over_a_page_and_headers_are_set_aside() -> None:
    begun = "The tenant pays the rent on the first day of each month, and the costs of heating"
    first = f"Lease of 2024\n1.1 {begun}\nPage 1"
    second = "Lease of 2024\nwithin thirty days after they are told.\n1.2 The rest.\nPage 2"
    assert read(first, second) == [
        ("1.1", f"{begun} within thirty days after they are told.", 1),
        ("1.2", "The rest.", 2),
    ]


def test_empty_lines_part_paragraphs() -> None:
    assert [text for _, text, _ in read("one two\n\nthree four")] == ["one two", "three four"]


def test_a_document_without_text_has_none() -> None:
    assert paragraphs(typed_document("", " \n ")) == []
    assert paragraphs(typed_document("7.")) == [Paragraph("", "7.", 1)]
