"""What a tool may be called."""

from __future__ import annotations

import re

# SPEC 3.2, and OpenAI's rule too.
CHARACTERS = "a-zA-Z0-9_-"  # within the brackets of a pattern
LONGEST = 64
_NAME = re.compile(rf"[{CHARACTERS}]{{1,{LONGEST}}}")


def name_problem(name: str) -> str | None:
    """Why no tool can be called `name`, to be read after a word for it; None if one can."""
    if _NAME.fullmatch(name):
        return None
    return f"{shown(name)} is no name of a tool; use letters, digits, _ and -, at most {LONGEST}"


def shown(text: str) -> str:
    """A text that a model or a caller wrote, for a message: in quotes, and short."""
    return repr(text if len(text) <= 80 else text[:77] + "...")
