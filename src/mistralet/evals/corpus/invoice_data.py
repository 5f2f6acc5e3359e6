"""The words of invoices in five languages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Language:
    """How a language writes an invoice."""

    code: str
    country: str
    vat: int  # percent
    thousands: str
    decimal: str
    date_form: str  # with day, month, year
    months: tuple[str, ...]  # empty: as numbers
    words: dict[str, str]

    def money(self, cents: int) -> str:
        """An amount as it is printed, without its currency."""
        whole = f"{cents // 100:,}".replace(",", self.thousands)
        return f"{whole}{self.decimal}{cents % 100:02}"

    def date(self, day: date) -> str:
        """A day as it is printed."""
        month = self.months[day.month - 1] if self.months else f"{day.month:02}"
        return self.date_form.format(day=f"{day.day:02}" if not self.months else day.day, month=month, year=day.year)


_NAMES = ("invoice", "number", "date", "to", "item", "count", "price", "sum", "net", "vat", "total", "pay")


def _words(*words: str) -> dict[str, str]:
    return dict(zip(_NAMES, words, strict=True))


_ENGLISH = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_FRENCH = (
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
)
_SPANISH = (
    "enero",
    "febrero",
    "marzo",
    "abril",
    "mayo",
    "junio",
    "julio",
    "agosto",
    "septiembre",
    "octubre",
    "noviembre",
    "diciembre",
)

LANGUAGES: tuple[Language, ...] = (
    Language(
        "en", "IE", 23, ",", ".", "{day} {month} {year}", _ENGLISH,
        _words("Invoice", "Invoice number", "Date", "Bill to", "Description", "Qty", "Unit price", "Amount", "Net",
               "VAT", "Total", "Please pay within 30 days to"),
    ),
    Language(
        "fr", "FR", 20, " ", ",", "{day} {month} {year}", _FRENCH,
        _words("Facture", "Facture n°", "Date", "Client", "Désignation", "Qté", "Prix unitaire", "Montant", "Total HT",
               "TVA", "Total TTC", "À régler sous 30 jours sur le compte"),
    ),
    Language(
        "de", "DE", 19, ".", ",", "{day}.{month}.{year}", (),
        _words("Rechnung", "Rechnungsnummer", "Datum", "Kunde", "Bezeichnung", "Menge", "Einzelpreis", "Betrag",
               "Nettobetrag", "MwSt.", "Gesamtbetrag", "Zahlbar binnen 30 Tagen auf"),
    ),
    Language(
        "es", "ES", 21, ".", ",", "{day} de {month} de {year}", _SPANISH,
        _words("Factura", "Factura n.º", "Fecha", "Cliente", "Descripción", "Cant.", "Precio", "Importe",
               "Base imponible", "IVA", "Total", "A pagar en 30 días en la cuenta"),
    ),
    Language(
        "it", "IT", 22, ".", ",", "{day}/{month}/{year}", (),
        _words("Fattura", "Fattura n.", "Data", "Cliente", "Descrizione", "Qtà", "Prezzo", "Importo", "Imponibile",
               "IVA", "Totale", "Da pagare entro 30 giorni sul conto"),
    ),
)  # fmt: skip
PEOPLE: tuple[str, ...] = (
    "Nordwind Kühlhaus GmbH",
    "Lumen Technik AG",
    "Atelier Soleil SARL",
    "Casa Verde Immobilien S.A.",
    "Molino Blanco S.L.",
    "Panificio Aurora S.r.l.",
    "Greyfell Instruments Ltd",
    "Harbour & Vale Stationers Ltd",
    "Brückner Metallbau KG",
    "Officine Tramonto S.p.A.",
)
ITEMS: tuple[dict[str, str], ...] = tuple(
    dict(zip(("en", "fr", "de", "es", "it"), row, strict=True))
    for row in (
        ("Paper, 500 sheets", "Papier, 500 feuilles", "Papier, 500 Blatt", "Papel, 500 hojas", "Carta, 500 fogli"),
        ("Desk lamp", "Lampe de bureau", "Schreibtischlampe", "Lámpara de mesa", "Lampada da tavolo"),
        ("Office chair", "Chaise de bureau", "Bürostuhl", "Silla de oficina", "Sedia da ufficio"),
        ("Toner, black", "Toner noir", "Toner schwarz", "Tóner negro", "Toner nero"),
        ("Maintenance, hours", "Entretien, heures", "Wartung, Stunden", "Mantenimiento, horas", "Manutenzione, ore"),
        ("Travel costs", "Frais de déplacement", "Fahrtkosten", "Gastos de viaje", "Spese di viaggio"),
        ("Steel shelf", "Étagère en acier", "Stahlregal", "Estante de acero", "Scaffale in acciaio"),
        ("Cable, 10 m", "Câble, 10 m", "Kabel, 10 m", "Cable, 10 m", "Cavo, 10 m"),
        ("Training day", "Journée de formation", "Schulungstag", "Día de formación", "Giornata di formazione"),
        ("Shipping", "Port et emballage", "Versand", "Envío", "Spedizione"),
    )
)
