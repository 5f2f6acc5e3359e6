"""What a tool may be called."""

from __future__ import annotations

import re

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")  # SPEC 3.2, and OpenAI's rule too


def name_problem(name: str) -> str | None:
    """Why no tool can be called `name`, to be read after a word for it; None if one can."""
    if _NAME.fullmatch(name):
        return None
    return f"{_shortened(name)} is no name of a tool; use letters, digits, _ and -, at most 64"


def _shortened(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "...")
