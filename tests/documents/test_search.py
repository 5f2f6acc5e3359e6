"""Pages are found by the words of a question, in the language of the documents."""

from __future__ import annotations

import pytest

from mistralet.documents.search import Index
from mistralet.documents.words import language_of, stems
from support.documents import typed_document


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The rent is paid by the tenant.", "english"),
        ("Le loyer est payé par le locataire dans les trente jours.", "french"),
        ("Die Miete ist von dem Mieter zu zahlen und nicht später.", "german"),
        ("El alquiler se paga por el inquilino en los treinta días.", "spanish"),
        ("Il canone è pagato dal conduttore con la fattura.", "italian"),
        ("O aluguel não é pago pelo dono da casa.", "portuguese"),
        ("De huur wordt door de huurder betaald en niet later.", "dutch"),
        ("", "english"),
    ],
)
def test_the_language_is_told_by_common_words(text: str, language: str) -> None:
    assert language_of(text) == language


def test_stems_leave_out_what_says_nothing() -> None:
    assert stems("The inspections of 3.5 units, Émile's", "english") == ["inspect", "3.5", "unit", "emile", "s"]


def test_the_page_with_the_words_comes_first() -> None:
    one = typed_document("All about apples.", "Pears are green. Nothing else.", name="one.pdf")
    two = typed_document("Plums ripen in August. The plum is blue.", name="two.pdf")
    index = Index([one, two])
    assert [(document.name, page.number) for document, page in index.pages("When does a plum ripen?")][:1] == [
        ("two.pdf", 1)
    ]
    assert [page.number for document, page in index.pages("green pear")] == [2]
    assert index.pages("zebra") == []


def test_words_that_stand_together_count_more_than_words_far_apart() -> None:
    filler = " ".join(f"Sentence number {number} is here." for number in range(40))
    apart = typed_document(f"The valve is red. {filler} The torque is high.", name="apart.pdf")
    together = typed_document(f"{filler} The valve has a torque of 3 Nm.", name="together.pdf")
    (first, _), *_ = Index([apart, together]).pages("valve torque")
    assert first is together


def test_documents_without_words() -> None:
    assert Index([typed_document("")]).pages("anything") == []
    assert Index([]).pages("anything") == []
