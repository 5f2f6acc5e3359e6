"""Twenty invoices in five languages, as PDF files and as noisy scans of them."""

from __future__ import annotations

import io
from datetime import date, timedelta
from random import Random
from typing import Any

from mistralet.documents.readers.pdf import picture
from mistralet.evals.corpus.invoice_data import ITEMS, LANGUAGES, PEOPLE, Language
from mistralet.evals.corpus.scans import scanned
from mistralet.evals.corpus.sheets import Flow, pdf_of, space, table, text
from mistralet.evals.corpus.truth import Fact, FileTruth

_COUNT = 20
_SCAN_SIDE = 1400  # pixels


def make_invoices() -> tuple[dict[str, bytes], list[FileTruth]]:
    """The files, and the fields of each."""
    files: dict[str, bytes] = {}
    truths: list[FileTruth] = []
    for number in range(_COUNT):
        language = LANGUAGES[number % len(LANGUAGES)]
        name = f"invoice-{number + 1:02}-{language.code}"
        data, facts = _invoice(Random(4000 + number), number, language)
        files[f"{name}.pdf"] = data
        files[f"{name}-scan.pdf"] = _scan(data, number)
        truths.append(FileTruth(f"{name}.pdf", "invoice", language.code, 1, facts=facts))
        truths.append(FileTruth(f"{name}-scan.pdf", "scan", language.code, 1, facts=facts))
    return files, truths


def _invoice(draw: Random, number: int, language: Language) -> tuple[bytes, tuple[Fact, ...]]:
    seller, buyer = draw.sample(PEOPLE, 2)
    day = date(2025, 1, 7) + timedelta(days=draw.randrange(300))
    code = f"{draw.choice('ABKRT')}-{2025}-{draw.randrange(1000, 9999)}"
    rows, net = [], 0
    for item in draw.sample(range(len(ITEMS)), draw.randrange(3, 7)):
        count, cents = draw.randrange(1, 12), draw.randrange(350, 90_000)
        net += count * cents
        rows.append((ITEMS[item][language.code], str(count), language.money(cents), language.money(count * cents)))
    vat = round(net * language.vat / 100)
    account = _iban(draw, language.country)
    words = language.words
    totals = [
        ("", "", words["net"], language.money(net)),
        ("", "", f"{words['vat']} {language.vat} %", language.money(vat)),
        ("", "", words["total"], f"{language.money(net + vat)} EUR"),
    ]
    head = (words["item"], words["count"], words["price"], words["sum"])
    facts_of_head = [
        text(f"{words['number']}: {code}"),
        text(f"{words['date']}: {language.date(day)}"),
        text(f"{words['to']}: {buyer}"),
    ]
    flow: Flow = [text(seller, "heading"), text(words["invoice"], "title")]
    if number % 3 == 1:  # another layout: the facts stand below the table
        flow += [table([head, *rows, *totals], (220, 60, 100, 90), numbers=(1, 2, 3)), space(20), *facts_of_head]
    else:
        flow += [*facts_of_head, space(20), table([head, *rows, *totals], (220, 60, 100, 90), numbers=(1, 2, 3))]
    flow += [space(24), text(f"{words['pay']} IBAN {account}", "small")]
    facts: dict[str, tuple[str | float, str]] = {
        "number": (code, code),
        "date": (day.isoformat(), language.date(day)),
        "seller": (seller, seller),
        "buyer": (buyer, buyer),
        "currency": ("EUR", "EUR"),
        "net": (net / 100, language.money(net)),
        "vat": (vat / 100, language.money(vat)),
        "total": ((net + vat) / 100, language.money(net + vat)),
        "iban": (account, account),
    }
    return pdf_of(flow, code), tuple(Fact(name, value, 1, quote) for name, (value, quote) in facts.items())


def _iban(draw: Random, country: str) -> str:
    """An account number of the right length with the check digits of ISO 13616."""
    lengths = {"DE": 18, "FR": 23, "ES": 20, "IT": 22, "IE": 18}
    digits = "".join(str(draw.randrange(10)) for _ in range(lengths[country]))
    moved = "".join(str(int(letter, 36)) for letter in f"{digits}{country}00")
    return f"{country}{98 - int(moved) % 97:02}{digits}"


def _scan(data: bytes, number: int) -> bytes:
    """A picture of the page, in JPEG, as a PDF file."""
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.utils import ImageReader
    from reportlab.pdfgen.canvas import Canvas

    jpeg = io.BytesIO()
    scanned(picture(data, 1, _SCAN_SIDE), seed=number).save(jpeg, "JPEG", quality=62)
    file = io.BytesIO()
    canvas: Any = Canvas(file, pagesize=A4, invariant=1)
    canvas.drawImage(ImageReader(io.BytesIO(jpeg.getvalue())), 0, 0, *A4)
    canvas.save()
    return file.getvalue()
