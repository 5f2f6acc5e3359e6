"""`compare_page`: a comparison as one HTML file, side by side, that needs no network and runs no scripts."""

from __future__ import annotations

from html import escape
from importlib.resources import files

from mistralet.documents.alignment import Change, Pair, marks
from mistralet.documents.compare import Comparison, RatedChange
from mistralet.documents.paragraphs import Paragraph

_NAMES = {"changed": "Changed", "added": "Added", "removed": "Removed", "moved": "Moved", "cosmetic": "Looks"}
_RATED = ("high", "medium", "low", "cosmetic")


def compare_page(comparison: Comparison) -> str:
    """The file's text."""
    style = files("mistralet.documents").joinpath("compare_page.css").read_text(encoding="utf-8")
    numbers = {id(paragraph): number for number, each in enumerate(comparison.changes, 1) for paragraph in _all(each)}
    entries = "".join(map(_entry, range(1, len(comparison.changes) + 1), comparison.changes))
    body = "\n".join(
        (
            f"<header><h1>What changed</h1><p><b>{escape(comparison.old)}</b> → <b>{escape(comparison.new)}</b></p>",
            f"{_counts(comparison)}</header>",
            f"<nav><h2>Changes</h2><ol>{entries}</ol></nav>",
            "<main><div class='row head'><div>Old version</div><div>New version</div></div>",
            "\n".join(_row(pair, comparison, numbers) for pair in comparison.pairs),
            "</main>",
        )
    )
    title = f"{escape(comparison.old)} and {escape(comparison.new)}"
    return (
        "<!DOCTYPE html>\n<html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        "<meta http-equiv='Content-Security-Policy' content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{title}</title><style>\n{style}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def _all(rated: RatedChange) -> tuple[Paragraph, ...]:
    return rated.change.old + rated.change.new


def _counts(comparison: Comparison) -> str:
    rated = [each.importance for each in comparison.changes]
    told = [f"<span class='badge {name}'>{rated.count(name)} {name}</span>" for name in _RATED if name in rated]
    unrated = rated.count(None)
    if unrated:
        told.append(f"<span class='badge'>{unrated} not rated</span>")
    return f"<p>{' '.join(told) or 'Nothing changed.'}</p>"


def _entry(number: int, rated: RatedChange) -> str:
    change = rated.change
    rating = f"<span class='badge {rated.importance}'>{rated.importance}</span> " if rated.importance else ""
    topic = f" · {rated.topic}" if rated.topic else ""
    told = (
        f"<p>{escape(rated.explanation)}</p>" if rated.explanation else f"<p class='quote'>{escape(_short(change))}</p>"
    )
    return (
        f"<li><a href='#c{number}'>{rating}{_NAMES[change.kind]}{topic}</a> <small>{_where(change)}</small>{told}</li>"
    )


def _short(change: Change) -> str:
    text = " ".join((change.new_text or change.old_text).split())
    return text if len(text) <= 120 else f"{text[:117]}…"


def _where(change: Change) -> str:
    old = f"p. {change.old[0].page}" if change.old else "–"
    new = f"p. {change.new[0].page}" if change.new else "–"
    return f"{old} → {new}"


def _row(pair: Pair, comparison: Comparison, numbers: dict[int, int]) -> str:
    number = numbers.get(id(pair.new if pair.new is not None else pair.old))
    if number is None:
        return f"<div class='row same'>{_cell(pair.old, _plain(pair.old))}{_cell(pair.new, _plain(pair.new))}</div>"
    rated = comparison.changes[number - 1]
    is_first = (pair.old or pair.new) is _all(rated)[0] or (pair.new is not None and pair.new is rated.change.new[0])
    anchor = f" id='c{number}'" if is_first else ""
    old, new = (_plain(pair.old), _plain(pair.new))
    if pair.old is not None and pair.new is not None:
        old, new = _marked(pair.old.text, pair.new.text)
    note = f"<span class='tag'>{number} · {_NAMES[rated.change.kind]}</span>" if is_first else ""
    return (
        f"<div class='row {rated.change.kind} {rated.importance or ''}'{anchor}>{note}"
        f"{_cell(pair.old, old)}{_cell(pair.new, new)}</div>"
    )


def _cell(paragraph: Paragraph | None, text: str) -> str:
    if paragraph is None:
        return "<div class='none'></div>"
    number = f"<b>{escape(paragraph.number)}</b> " if paragraph.number else ""
    return f"<div><small>p. {paragraph.page}</small>{number}{text}</div>"


def _plain(paragraph: Paragraph | None) -> str:
    return "" if paragraph is None else escape(paragraph.text)


def _marked(old: str, new: str) -> tuple[str, str]:
    sides: dict[str, list[str]] = {"old": [], "new": []}
    for side, text in marks(old, new):
        if side == "same":
            sides["old"].append(escape(text))
            sides["new"].append(escape(text))
        else:
            element = "del" if side == "old" else "ins"
            sides[side].append(f"<{element}>{escape(text)}</{element}>")
    return "".join(sides["old"]), "".join(sides["new"])
