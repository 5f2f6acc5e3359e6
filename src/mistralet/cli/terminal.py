"""Text of models, tools and files before a terminal."""

from __future__ import annotations

import re

# What would move the cursor, change colours or turn the order of letters around.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def harmless(text: str) -> str:
    """`text` with a sign in place of what controls a terminal; line breaks and tabs stay."""
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text)
