"""The contracts' clauses, and how the second version of each differs.

A clause is its title and its paragraphs. A change names the clause and paragraph it concerns.
"""

from __future__ import annotations

from dataclasses import dataclass

from mistralet.evals.corpus.truth import ChangeKind, Importance

Clauses = dict[str, list[str]]


@dataclass(frozen=True)
class Edit:
    """What the second version says in place of `old`, in the clause `title`."""

    kind: ChangeKind
    importance: Importance
    title: str
    old: str = ""
    new: str = ""
    before: str = ""  # of a clause that is added or moved: the clause it comes to stand before


@dataclass(frozen=True)
class Contract:
    """A contract in two versions."""

    name: str
    title: str
    fields: dict[str, tuple[str, str]]  # by name: the value, and the words that state it
    clauses: Clauses
    edits: tuple[Edit, ...]


_COMMON: Clauses = {
    "Confidentiality": [
        "Each party keeps secret what it learns of the other's business, and uses it for this agreement alone. This does "
        "not hold for what was known before, or became known without a breach of this clause.",
        "The duty lasts for three years after the end of this agreement.",
    ],
    "Liability": [
        "Each party is liable without limit for intent, gross negligence and harm to life or health.",
        "For slight negligence liability is limited to the damage that could be foreseen, and to the fees of one year.",
    ],
    "Force majeure": [
        "A party that is kept from its duties by events beyond its control, such as flood, war or strikes of others, is "
        "free of them while the event lasts. It tells the other party within five working days.",
    ],
    "Assignment": ["Neither party hands rights or duties to others without the written consent of the other party."],
    "Notices": [
        "Notices are made in writing, and sent to the addresses at the head of this agreement. E-mail is enough unless "
        "this agreement says otherwise.",
    ],
    "Final provisions": [
        "Changes of this agreement are made in writing. This holds for this sentence, too.",
        "Should a provision be void, the others stay in force, and the parties agree on one that comes close to it.",
    ],
}

CONTRACTS: tuple[Contract, ...] = (
    Contract(
        "service",
        "Service Agreement",
        {
            "client": ("Nordwind Kühlhaus GmbH", "Nordwind Kühlhaus GmbH (the Client)"),
            "contractor": ("Lumen Technik AG", "Lumen Technik AG (the Contractor)"),
            "date": ("2024-03-14", "14 March 2024"),
            "notice_period": ("three months", "three months before the end of a calendar year"),
            "fee": ("4,800", "EUR 4,800 a month"),
            "governing_law": ("Germany", "The law of Germany governs this agreement"),
        },
        {
            "Subject": [
                "This agreement of 14 March 2024 is made between Nordwind Kühlhaus GmbH (the Client) and Lumen Technik AG "
                "(the Contractor). The Contractor maintains the cold stores of the Client at the sites in Annex A.",
            ],
            "Definitions": [
                "Site means a place listed in Annex A. Working day means Monday to Friday but for public holidays at the "
                "site. Fault means any state in which a cold store does not keep its set temperature.",
            ],
            "Services": [
                "The Contractor inspects each cold store four times a year, and writes a report within ten working days.",
                "The Contractor answers a report of a fault within two hours, and is at the site within eight hours.",
                "Spare parts are taken from the stock of the Contractor, which keeps those listed in Annex B.",
            ],
            "Fees": [
                "The Client pays EUR 4,800 a month, and EUR 95 for each hour of work outside working days.",
                "Invoices are due within thirty days. On late payment the Client owes interest of five percent a year.",
            ],
            "Term and termination": [
                "This agreement begins on 1 April 2024, and runs for two years. It goes on year by year unless a party "
                "ends it in writing three months before the end of a calendar year.",
                "Either party may end it at once for good cause, such as two missed inspections within a year.",
            ],
            "Insurance": ["The Contractor keeps a liability insurance of at least EUR 2,000,000 for each event."],
            **_COMMON,
            "Governing law": [
                "The law of Germany governs this agreement. The courts of Bremen have jurisdiction over all disputes.",
            ],
        },
        (
            Edit("term", "high", "Term and termination", "three months before", "six months before"),
            Edit("amount", "high", "Fees", "EUR 4,800 a month", "EUR 5,250 a month"),
            Edit(
                "term", "medium", "Services", "is at the site within eight hours", "is at the site within twelve hours"
            ),
            Edit(
                "added",
                "medium",
                "Data protection",
                new="The Contractor handles personal data of the Client's staff by the law on data protection alone, and "
                "deletes them at the end of this agreement.",
                before="Force majeure",
            ),
            Edit(
                "removed",
                "high",
                "Insurance",
                old="The Contractor keeps a liability insurance of at least EUR 2,000,000 for each event.",
            ),
            Edit("moved", "low", "Assignment", before="Confidentiality"),
            Edit(
                "reworded",
                "low",
                "Notices",
                "E-mail is enough unless this agreement says otherwise.",
                "Unless this agreement says otherwise, e-mail is sufficient.",
            ),
            Edit("cosmetic", "cosmetic", "Final provisions", "close to it.", "close  to it."),
        ),
    ),
    Contract(
        "lease",
        "Lease of Business Premises",
        {
            "landlord": ("Casa Verde Immobilien S.A.", "Casa Verde Immobilien S.A. (the Landlord)"),
            "tenant": ("Atelier Soleil SARL", "Atelier Soleil SARL (the Tenant)"),
            "date": ("2023-09-01", "1 September 2023"),
            "rent": ("2,350", "EUR 2,350 a month"),
            "deposit": ("7,050", "a deposit of EUR 7,050"),
            "governing_law": ("Luxembourg", "The law of Luxembourg governs this lease"),
        },
        {
            "Premises": [
                "By this lease of 1 September 2023, Casa Verde Immobilien S.A. (the Landlord) lets the ground floor of 12, "
                "rue des Tanneurs, of 140 square metres, to Atelier Soleil SARL (the Tenant).",
            ],
            "Use": [
                "The Tenant uses the premises as a workshop and shop for lamps. Other uses need the Landlord's written "
                "consent, which is not refused without good reason.",
            ],
            "Rent": [
                "The rent is EUR 2,350 a month, due on the third working day. Charges for heat and water are paid by use.",
                "The rent follows the consumer price index once a year, for the first time on 1 January 2025.",
            ],
            "Deposit": [
                "The Tenant pays a deposit of EUR 7,050, which the Landlord keeps apart and returns within two months "
                "after the end of the lease.",
            ],
            "Term": [
                "The lease begins on 1 October 2023, and runs for five years. The Tenant may extend it once by five years, "
                "by a letter six months before its end.",
            ],
            "Repairs": [
                "The Landlord keeps roof, walls and pipes in repair. The Tenant bears small repairs of up to EUR 150 each, "
                "and no more than EUR 900 a year.",
            ],
            "Alterations": [
                "Alterations need the Landlord's written consent. At the end the Tenant may leave them in place."
            ],
            "Subletting": ["The Tenant may sublet up to half of the premises after telling the Landlord."],
            **_COMMON,
            "Governing law": [
                "The law of Luxembourg governs this lease. The courts of Luxembourg City have jurisdiction."
            ],
        },
        (
            Edit("amount", "high", "Rent", "EUR 2,350 a month", "EUR 2,480 a month"),
            Edit("amount", "medium", "Repairs", "no more than EUR 900 a year", "no more than EUR 1,400 a year"),
            Edit(
                "removed",
                "high",
                "Subletting",
                old="The Tenant may sublet up to half of the premises after telling the Landlord.",
            ),
            Edit("term", "medium", "Term", "six months before its end", "nine months before its end"),
            Edit(
                "added",
                "low",
                "Signs",
                new="The Tenant may put up one sign of no more than two square metres above the entrance.",
                before="Confidentiality",
            ),
            Edit("moved", "low", "Notices", before="Liability"),
            Edit("reworded", "low", "Use", "is not refused without good reason", "may be refused for good reason only"),
            Edit("cosmetic", "cosmetic", "Premises", "rue des Tanneurs", "Rue des Tanneurs"),
        ),
    ),
    Contract(
        "supply",
        "Supply Contract",
        {
            "supplier": ("Molino Blanco S.L.", "Molino Blanco S.L. (the Supplier)"),
            "buyer": ("Panificio Aurora S.r.l.", "Panificio Aurora S.r.l. (the Buyer)"),
            "date": ("2025-01-20", "20 January 2025"),
            "price": ("612", "EUR 612 a tonne"),
            "quantity": ("480 tonnes", "480 tonnes a year"),
            "governing_law": ("Italy", "The law of Italy governs this contract"),
        },
        {
            "Subject": [
                "By this contract of 20 January 2025, Molino Blanco S.L. (the Supplier) sells wheat flour to Panificio "
                "Aurora S.r.l. (the Buyer), 480 tonnes a year in equal monthly lots.",
            ],
            "Quality": [
                "The flour has at least 12.5 percent protein, and no more than 14 percent moisture. Each lot comes with a "
                "certificate of a laboratory.",
                "The Buyer examines a lot within seven days, and states defects within three days after it found them.",
            ],
            "Price": [
                "The price is EUR 612 a tonne, delivered to the Buyer's store in Parma. It is fixed for twelve months.",
                "From then on the parties set it anew each half year, by the notation of the exchange in Bologna.",
            ],
            "Delivery": [
                "The Supplier delivers in the first week of each month. For each day of delay it owes one percent of the "
                "price of the lot, and no more than ten percent.",
            ],
            "Payment": [
                "Invoices are due within sixty days after delivery. A discount of two percent is given within ten days."
            ],
            "Term": [
                "The contract runs until 31 December 2027. It may be ended on 30 June of each year, with notice of 90 days."
            ],
            **_COMMON,
            "Governing law": ["The law of Italy governs this contract. The courts of Parma have jurisdiction."],
        },
        (
            Edit("amount", "high", "Price", "EUR 612 a tonne", "EUR 639 a tonne"),
            Edit("amount", "medium", "Delivery", "no more than ten percent", "no more than five percent"),
            Edit("term", "medium", "Payment", "within sixty days", "within forty-five days"),
            Edit("term", "high", "Term", "with notice of 90 days", "with notice of 180 days"),
            Edit(
                "added",
                "medium",
                "Exclusivity",
                new="The Buyer takes at least eighty percent of the flour it needs from the Supplier.",
                before="Payment",
            ),
            Edit("moved", "low", "Force majeure", before="Confidentiality"),
            Edit(
                "reworded",
                "low",
                "Quality",
                "Each lot comes with a certificate of a laboratory.",
                "A certificate of a laboratory comes with each lot.",
            ),
            Edit("cosmetic", "cosmetic", "Assignment", "hands rights", "hands  rights"),
        ),
    ),
)
