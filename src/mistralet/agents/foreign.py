"""What a model is told of foreign tools: names that it may call, which of them, descriptions of bounded length."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from mistralet.chat.names import CHARACTERS, LONGEST
from mistralet.chat.tools import MOST_TOOLS
from mistralet.errors import ToolError, UsageError

_LONGEST_DESCRIPTION = 2000  # characters
_VALID = re.compile(f"[{CHARACTERS}]*")


def tool_names(foreign: Iterable[str], prefix: str = "") -> dict[str, str]:
    """A valid name for each foreign one, by it; no two are alike, and one that is valid already is kept.

    What a name may not hold becomes `_`; a name that is taken gets a number at its end.

    Raises:
        UsageError: the prefix holds something that a name may not hold, or is too long.
    """
    if not _VALID.fullmatch(prefix) or len(prefix) > LONGEST // 2:
        raise UsageError(f"The prefix '{prefix}' must have letters, digits, _ and - only, and 32 of them at most.")
    wanted = {name: prefix + _readable(name) for name in foreign}
    given: dict[str, str] = {}
    taken: set[str] = set()
    for name in sorted(wanted, key=lambda name: wanted[name] != prefix + name or len(wanted[name]) > LONGEST):
        given[name] = _free(wanted[name], taken)
        taken.add(given[name])
    return {name: given[name] for name in wanted}


def _readable(name: str) -> str:
    if name and _VALID.fullmatch(name):
        return name
    letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(f"[^{CHARACTERS}]+", "_", letters).strip("_") or "tool"


def _free(name: str, taken: set[str]) -> str:
    candidate, number = name[:LONGEST], 1
    while candidate in taken:
        number += 1
        suffix = f"_{number}"
        candidate = name[: LONGEST - len(suffix)] + suffix
    return candidate


def chosen(offered: Sequence[str], wanted: Sequence[str] | None, source: str, option: str) -> list[str]:
    """Those of a source's tools that are wanted, in its order; None: all.

    Raises:
        ToolError: there is none, one that is wanted is not offered, or there are too many for a model to choose from.
    """
    if not offered:
        raise ToolError(f"{source} offers no tools.")
    if wanted is None:
        if len(offered) > MOST_TOOLS:
            raise ToolError(
                f"{source} offers {len(offered)} tools, but a model is told of {MOST_TOOLS} at most; "
                f"choose some with {option}=[...]."
            )
        return list(offered)
    for name in wanted:
        if name not in offered:
            near = get_close_matches(name, offered, 3) or offered[:3]
            raise ToolError(f"{source} does not offer '{name}'; it offers {', '.join(near)} and others.")
    return [name for name in offered if name in set(wanted)]


def shortened(description: str) -> str:
    """A description that leaves the context room for other things."""
    text = description.strip()
    return text if len(text) <= _LONGEST_DESCRIPTION else text[: _LONGEST_DESCRIPTION - 1] + "…"


def not_shown(kind: str, nbytes: int) -> str:
    """What stands for something that is no text."""
    size = f"{nbytes} bytes" if nbytes < 1000 else f"{nbytes / 1000:.0f} kB"
    return f"[{kind}, {size}, not shown]"
