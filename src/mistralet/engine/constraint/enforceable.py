"""What the grammar compiler says of a schema before it knows the vocabulary."""

from __future__ import annotations

import json
from typing import Any

from mistralet.engine.constraint.reasons import reason

# The compiler follows references on its stack, where a chain of a few thousand ends the process; and it takes a second
# for a million characters. What is larger is left to `Trial`, which can be stopped.
_MOST_REFERENCES = 300
_MOST_CHARACTERS = 100_000


def quick_problem(schema: dict[str, Any]) -> str | None:
    """Why no answer can be held to `schema`, to be read after "the JSON schema ..."; None if nothing is found at once.

    Takes a fraction of a millisecond for a schema of a usual size, and finds all but what is too large.
    """
    text = json.dumps({"grammars": [{"json_schema": schema}]}, ensure_ascii=False)
    if len(text) > _MOST_CHARACTERS or text.count('"$ref"') > _MOST_REFERENCES:
        return None
    from llguidance import LLMatcher

    problem = LLMatcher.validate_grammar(text)
    return reason(problem) if problem else None
