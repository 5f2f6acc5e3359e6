"""A typed function is a tool: its hints are the schema, its docstring the descriptions, its arguments converted."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from mistralet.agents import function_tool
from mistralet.errors import ToolError


class Unit(Enum):
    CELSIUS = "C"
    FAHRENHEIT = "F"


@dataclass
class Place:
    """Where."""

    city: str
    country: str = "France"


class Range(BaseModel):
    first: date
    title: str = "all"


def everything(
    place: Place,
    days: Range,
    unit: Unit = Unit.CELSIUS,
    detail: Literal["short", "long"] = "short",
    tags: list[str] | None = None,
    weights: dict[str, float] = {},  # noqa: B006
    count: Annotated[int, Field(ge=1)] = 1,
) -> list[object]:
    """Everything there is.

    All of it.

    Args:
        place: Where it is.
        days: When.
        count: How often.
    """
    return [place, days, unit, detail, tags, weights, count]


def run(function: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    return asyncio.run(function_tool(function).run(arguments))  # type: ignore[arg-type]


def test_the_schema() -> None:
    tool = function_tool(everything).tool
    assert (tool.name, tool.description) == ("everything", "Everything there is.\n\nAll of it.")
    properties = tool.parameters["properties"]
    assert list(properties) == ["place", "days", "unit", "detail", "tags", "weights", "count"]
    assert tool.parameters["required"] == ["place", "days"]
    assert tool.parameters["additionalProperties"] is False
    assert properties["place"] == {"$ref": "#/$defs/Place", "description": "Where it is."}
    assert properties["detail"] == {"default": "short", "enum": ["short", "long"], "type": "string"}
    assert properties["count"] == {"default": 1, "description": "How often.", "minimum": 1, "type": "integer"}
    assert tool.parameters["$defs"]["Unit"] == {"enum": ["C", "F"], "type": "string"}
    assert tool.parameters["$defs"]["Range"]["properties"]["title"] == {"default": "all", "type": "string"}


def test_arguments_arrive_as_the_hints_say() -> None:
    arguments = {"place": {"city": "Nice"}, "days": {"first": "2026-01-31"}, "unit": "F", "weights": {"a": 1}}
    expected = [Place("Nice"), Range(first=date(2026, 1, 31)), Unit.FAHRENHEIT, "short", None, {"a": 1.0}, 1]
    assert run(everything, arguments) == expected


def test_defaults_are_the_functions_own() -> None:
    nothing = object()

    def tool(value: Any = nothing) -> bool:
        return value is nothing

    assert run(tool, {}) is True
    assert function_tool(tool).tool.parameters["properties"] == {"value": {}}


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({}, "place: Field required"),
        ({"place": {"city": "Nice"}, "days": {"first": "soon"}}, "days.first: Input should be a valid date"),
        ({"place": {"city": "Nice"}, "days": {"first": "2026-01-31"}, "count": 0}, "count: Input should be greater"),
        ({"place": {"city": "Nice"}, "days": {"first": "2026-01-31"}, "x": 0}, "x: Extra inputs"),
    ],
)
def test_what_does_not_fit_is_a_sentence(arguments: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ToolError, match=complaint) as caught:
        run(everything, arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "docstring",
    [
        "Adds.\n\nArgs:\n    a: the first\n    b (int): the second",
        "Adds.\n\nParameters\n----------\na : int\n    the first\nb : int\n    the second\n",
        "Adds.\n\n:param a: the first\n:param int b: the second",
    ],
    ids=["google", "numpy", "rest"],
)
def test_docstrings_of_every_style(docstring: str) -> None:
    def add(a: int, b: int) -> int:
        return a + b

    add.__doc__ = docstring
    tool = function_tool(add).tool
    assert tool.description == "Adds."
    assert [p["description"] for p in tool.parameters["properties"].values()] == ["the first", "the second"]


def test_a_plain_docstring_and_none() -> None:
    def plain(a: int) -> None:
        """Does it."""

    assert function_tool(plain).tool.description == "Does it."
    assert function_tool(lambda a: a, name="bare").tool.description == ""


def test_functions_of_every_kind_run() -> None:
    class Counter:
        def add(self, model_config: int, /, schema: int = 1, *, json: int = 1) -> int:
            return model_config + schema + json

        def __call__(self, b: int) -> int:
            """Called as it is."""
            return b

    async def later(a: int) -> int:
        return a

    def gives_awaitable(a: int) -> Any:
        return later(a)

    assert run(Counter().add, {"model_config": 5, "json": 3}) == 9  # names that pydantic has for itself
    assert function_tool(Counter(), name="call").tool.description == "Called as it is."
    assert run(later, {"a": 1}) == 1
    assert run(gives_awaitable, {"a": 2}) == 2
    assert asyncio.run(function_tool(functools.partial(later, 3), name="three").run({})) == 3  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("function", "complaint"),
    [
        (lambda *args: args, "it takes \\*args"),
        (lambda **options: options, "it takes \\*\\*options"),
        (lambda: 1, "is no name of a tool"),
        (functools.partial(run), "is no name of a tool"),
    ],
)
def test_what_cannot_be_a_tool(function: Callable[..., Any], complaint: str) -> None:
    name = "named" if "takes" in complaint else None
    with pytest.raises(ToolError, match=complaint):
        function_tool(function, name=name)


def test_a_hint_without_a_schema_is_refused() -> None:
    def calls_back(then: Callable[[], int]) -> int:
        return then()

    def opaque(thing: threading_lock) -> None:  # type: ignore[name-defined]  # noqa: F821
        """Whose hint means nothing."""

    def odd(thing: type[Exception] | memoryview) -> None:
        """Whose hint has no JSON form."""

    for function in (calls_back, opaque, odd):
        with pytest.raises(ToolError, match=f"'{function.__name__}' cannot be a tool"):
            function_tool(function)
