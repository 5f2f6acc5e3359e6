"""JSON that callers and models write: read with bounds, written as the templates have it."""

from __future__ import annotations

import json
from typing import Any, NoReturn

# Deeper values would overflow the stack of one reader or another.
MOST_NESTING = 64
TOO_DEEP = f"is nested more than {MOST_NESTING} deep; make it flatter"


def dump(value: object) -> str:
    """`value` as the models were trained to see JSON (SPEC 3.2): one line, ", " and ": ", characters unescaped."""
    return json.dumps(value, ensure_ascii=False)


def parse_arguments(text: str) -> dict[str, Any]:
    """The arguments of a call; no text at all means none.

    Raises:
        ValueError: `text` is no JSON object that can be used. Its message reads on after a name for `text`.
    """
    try:
        value = json.loads(text, parse_constant=_no_number) if text else {}
    except RecursionError:
        raise ValueError(TOO_DEEP) from None
    except ValueError as error:
        raise ValueError(f"is no JSON object ({error}); give one, such as {{}}") from error
    if not isinstance(value, dict):
        raise ValueError(f"is no JSON object but a {type(value).__name__}; give one, such as {{}}")
    if problem := value_problem(value):
        raise ValueError(problem)
    return value


def value_problem(value: dict[str, Any]) -> str | None:
    """Why `value` is not to be written as JSON, to be read after a name for it; None if it is fine."""
    layer: list[Any] = [value]  # the objects and lists of one depth
    for _ in range(MOST_NESTING):
        inner: list[Any] = []
        for item in layer:
            if isinstance(item, dict) and not all(isinstance(key, str) for key in item):
                return "has a key that is no text; make it one"
            for child in item.values() if isinstance(item, dict) else item:
                if isinstance(child, dict | list):
                    inner.append(child)
                elif not isinstance(child, str | int | float | None):
                    return f"holds a {type(child).__name__}, which JSON cannot; take that out"
        if not inner:
            return None
        layer = inner
    return TOO_DEEP


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")
