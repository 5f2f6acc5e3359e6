"""Values are found in the place that names them, in whichever spelling."""

from __future__ import annotations

import pytest

from mistralet.documents.json_leaves import Scalar
from mistralet.documents.locating import locate
from support.documents import typed_document

INVOICE = typed_document(
    "Invoice no. A-17\nDate: 7 March 2025\nNet: 1.000,00\nVAT: 190,00\nTotal: 1.190,00",
    "Old total: 1.190,00\nIBAN DE02 1203 0000 0000 2020 51\nShipped: 07.03.2025",
)


@pytest.mark.parametrize(
    ("value", "about", "page", "quote"),
    [
        ("A-17", "number", 1, "A-17"),
        (1190, "total", 1, "1.190,00"),
        (190.0, "vat", 1, "190,00"),
        ("2025-03-07", "date", 1, "7 March 2025"),
        ("2025-03-07", "day it was shipped", 2, "07.03.2025"),
        ("DE02120300000000202051", "iban", 2, "DE02 1203 0000 0000 2020 51"),
        ("invoice NO. a-17", "", 1, "Invoice no. A-17"),
    ],
)
def test_a_value_is_found(value: Scalar, about: str, page: int, quote: str) -> None:
    citation = locate(INVOICE, value, about)
    assert citation is not None
    assert (citation.page, citation.quote) == (page, quote)
    assert citation.boxes


@pytest.mark.parametrize("value", [None, True, False, "", "B-18", 1191, "2025-03-08", 19])
def test_what_is_not_stated_is_not_found(value: Scalar) -> None:
    assert locate(INVOICE, value, "total") is None
