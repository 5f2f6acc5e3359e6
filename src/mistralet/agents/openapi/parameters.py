"""Parameters of an operation, and how a value is written in a request (OpenAPI 3.1.1: Parameter Object)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from mistralet.errors import ToolError

# What each place may hold, its default first.
_STYLES = {
    "path": ("simple",),
    "query": ("form", "spaceDelimited", "pipeDelimited", "deepObject"),
    "header": ("simple",),
    "cookie": ("form",),
}
_SEPARATORS = {"form": ",", "spaceDelimited": " ", "pipeDelimited": "|"}


@dataclass(frozen=True)
class Parameter:
    """One parameter."""

    name: str
    place: str  # path, query, header or cookie
    style: str
    explode: bool  # each item, or each property, by itself
    is_json: bool  # written as JSON, whatever it is
    required: bool
    schema: dict[str, Any]

    def problem(self) -> str | None:
        """Why it cannot be used, if it cannot."""
        if self.place not in _STYLES:
            return f"its parameter '{self.name}' is in '{self.place}'"
        if self.style not in _STYLES[self.place]:
            return f"its parameter '{self.name}' has the style '{self.style}'"
        return None

    def segment(self, value: Any) -> str:
        """A value as (part of) one segment of a path."""
        text = quote(self._joined(value), safe=",=" if isinstance(value, list | dict) else "")
        if not text:
            raise ToolError(f"the argument '{self.name}' is empty, but it is a part of a path")
        return text

    def pairs(self, value: Any) -> list[tuple[str, str]]:
        """A value as names and values of a query, or of cookies."""
        if self.is_json or not isinstance(value, list | dict):
            return [(self.name, self._joined(value))]
        if self.style == "deepObject" and isinstance(value, dict):
            return [(f"{self.name}[{key}]", scalar(item)) for key, item in value.items()]
        if not self.explode:
            parts = value if isinstance(value, list) else [part for pair in value.items() for part in pair]
            return [(self.name, _SEPARATORS.get(self.style, ",").join(map(scalar, parts)))]
        if isinstance(value, list):
            return [(self.name, scalar(item)) for item in value]
        return [(key, scalar(item)) for key, item in value.items()]

    def header(self, value: Any) -> str:
        """A value as that of a header."""
        text = self._joined(value)
        if not text.isprintable():
            raise ToolError(f"the argument '{self.name}' holds a control character, which a header may not")
        return text

    def _joined(self, value: Any) -> str:
        if self.is_json:
            return json.dumps(value, ensure_ascii=False)
        if isinstance(value, list):
            return ",".join(map(scalar, value))
        if isinstance(value, dict):
            between = "=" if self.explode else ","
            return ",".join(f"{key}{between}{scalar(item)}" for key, item in value.items())
        return scalar(value)


def parameter(content: Mapping[str, Any], schema: dict[str, Any]) -> Parameter:
    """A parameter as the document has it, with its schema resolved."""
    place = str(content.get("in"))
    style = str(content.get("style") or _STYLES.get(place, ("",))[0])
    return Parameter(
        name=str(content.get("name")),
        place=place,
        style=style,
        explode=bool(content.get("explode", style == "form")),
        is_json="content" in content,
        required=content.get("required") is True or place == "path",
        schema=schema,
    )


def scalar(value: Any) -> str:
    """A value as a request writes it: a text as it is, all else as JSON does."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
