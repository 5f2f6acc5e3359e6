"""`Constraint`: what the text of an answer must fit."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mistralet.engine.constraint.schema import schema_problem
from mistralet.errors import ConstraintError

MOST_CHARACTERS = 1 << 20
_TOO_DEEP = "is nested too deeply; move its inner parts to '$defs'"

# How JSON may be written: wherever whitespace may be, with a space, or a line break and an indent. It is bounded
# at each place, or a model that runs into whitespace would never come out.
JSON_OPTIONS: dict[str, Any] = {
    "whitespace_pattern": r" |\n[ \t]{0,32}",
    "item_separator": ",",
    "key_separator": ":",
}


@dataclass(frozen=True)
class Constraint:
    """A grammar that the text of an answer must fit from its first token to its last; made by the methods below.

    Can be pickled and hashed. The methods find what is wrong with the text they are given, `ConstraintCompiler.compile`
    what is wrong with its meaning.
    """

    kind: str  # what to call its source in a message
    grammar: str  # in the words of llguidance: Lark, or JSON that holds a schema

    def __post_init__(self) -> None:
        if len(self.grammar) > MOST_CHARACTERS:
            raise ConstraintError(
                f"The {self.kind} has more than {MOST_CHARACTERS} characters; leave out what the answer does not need."
            )

    @classmethod
    def json_schema(cls, schema: dict[str, Any] | str | bool) -> Constraint:
        """JSON that fits `schema` (Draft 2020-12; see docs/constraints.md), which may be given as text.

        Raises:
            ConstraintError: it is no schema, or one that no answer can be held to.
        """
        text = schema_text(schema)
        return cls("JSON schema", f'{{"grammars": [{{"json_schema": {text}}}]}}')

    @classmethod
    def json_object(cls) -> Constraint:
        """Any JSON object."""
        return cls.json_schema({"type": "object"})

    @classmethod
    def regex(cls, pattern: str) -> Constraint:
        """Text that `pattern` matches as a whole, in the syntax of Rust's `regex` (without look-around)."""
        from llguidance import LLMatcher

        return cls("regex", LLMatcher.grammar_from_regex(_require_text(pattern, "regex")))

    @classmethod
    def lark(cls, grammar: str) -> Constraint:
        """Text that the rule `start` of a Lark grammar derives, in the dialect of llguidance.

        Only such a grammar can ask for a control token: `<[9]>` is the token with id 9. JSON inside it is written
        `%json` followed by `schema_text(schema)`.
        """
        return cls("Lark grammar", _require_text(grammar, "Lark grammar"))

    @classmethod
    def choice(cls, texts: Sequence[str]) -> Constraint:
        """One of `texts`, exactly."""
        if isinstance(texts, str) or not texts:
            raise ConstraintError("The choice has no texts to choose from; give a list with at least one.")
        literals = [json.dumps(_require_text(text, "choice"), ensure_ascii=False) for text in texts]
        return cls("choice", "start: " + " | ".join(literals))


def schema_text(schema: dict[str, Any] | str | bool) -> str:
    """`schema` as one line of JSON, with the rules for whitespace; to stand after `%json` in a Lark grammar.

    Raises:
        ConstraintError: it is no schema, or one that no answer can be held to.
    """
    value = _parsed(schema)
    if value is False:
        raise ConstraintError("The JSON schema is false, which nothing fits; give the schema of what you want.")
    if value is True:
        value = {}
    if not isinstance(value, dict):
        raise ConstraintError(
            f"The JSON schema is a {type(value).__name__}; give an object, such as {{'type': 'object'}}."
        )
    try:
        text = json.dumps(value | {"x-guidance": JSON_OPTIONS}, ensure_ascii=False, allow_nan=False)
        problem = schema_problem(value)
    except RecursionError:
        problem = _TOO_DEEP
    except (TypeError, ValueError) as error:
        problem = f"holds what JSON cannot ({error}); take that out"
    if problem:
        raise ConstraintError(f"The JSON schema {problem}.")
    return _require_text(text, "JSON schema")


def _parsed(schema: dict[str, Any] | str | bool) -> Any:
    if not isinstance(schema, str):
        return schema
    try:
        return json.loads(schema)
    except RecursionError as error:
        raise ConstraintError(f"The JSON schema {_TOO_DEEP}.") from error
    except ValueError as error:
        raise ConstraintError(f"The JSON schema is not JSON ({error}); correct it.") from error


def _require_text(text: object, kind: str) -> str:
    if not isinstance(text, str):
        raise ConstraintError(f"The {kind} holds a {type(text).__name__} where a text belongs; give a string.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ConstraintError(f"The {kind} holds half a character at position {error.start}; remove it.") from error
    return text
