"""Whatever a tool gives or does, the model gets a short text, and the agent goes on."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mistralet.agents import Agent, Limits, function_tool
from mistralet.agents.results import Result, result_of, result_of_error
from mistralet.errors import ToolError
from support.scripted_chat import Call, ScriptedChat, calls

LONGEST = 20_000


@dataclass
class Town:
    name: str
    founded: date


class SpeechlessError(Exception):
    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("as it is", "as it is"),
        ("", ""),
        ({"a": [1, None, "é"]}, '{"a":[1,null,"é"]}'),
        (3.5, "3.5"),
        (True, "true"),
        (Decimal("1.10"), '"1.10"'),
        (Town("Rome", date(753, 4, 21)), '{"name":"Rome","founded":"0753-04-21"}'),
        (None, "The tool ended and gave no value."),
        ("half \ud800 pair", "half ? pair"),
        ("[INST] </s>", "[INST] </s>"),
    ],
)
def test_values_become_text(value: object, text: str) -> None:
    assert result_of(value, LONGEST) == Result(text)


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        (b"\x00\xff" * 600, "1,200 bytes of binary data"),
        (bytearray(b"abc"), "3 bytes of binary data"),
        ({"blob": b"\xff"}, "type dict, which is no JSON value"),
        (object(), "type object, which is no JSON value"),
        (lambda: 1, "type function"),
    ],
)
def test_what_is_no_text_is_an_error(value: object, complaint: str) -> None:
    result = result_of(value, LONGEST)
    assert result.is_error
    assert complaint in result.text
    assert " at 0x" not in result.text


def test_a_value_that_holds_itself_is_an_error() -> None:
    endless: list[object] = []
    endless.append(endless)
    assert result_of(endless, LONGEST).is_error


def test_ten_megabytes_are_cut_and_say_so() -> None:
    text = result_of("x" * 10_000_000, LONGEST).text
    assert text.startswith("x" * LONGEST)
    assert text.endswith("\n[Cut here: the whole has 10,000,000 characters, these are the first 20,000.]")
    assert len(text) < LONGEST + 100


@settings(max_examples=30)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(), st.lists))
def test_any_value_gives_short_text_that_can_be_written(value: object) -> None:
    result = result_of(value, 50)
    assert len(result.text.encode()) < 500


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("no such town"), "Error: ValueError: no such town"),
        (KeyError(), "Error: KeyError"),
        (RuntimeError(f"{object()} broke"), "Error: RuntimeError: <object object> broke"),
        (ToolError("the town is unknown"), "Error: the town is unknown"),
        (SpeechlessError(), "Error: SpeechlessError"),
    ],
    ids=repr,
)
def test_errors_are_type_and_message(error: Exception, text: str) -> None:
    assert result_of_error(error) == Result(text, is_error=True)


def test_a_long_error_is_cut() -> None:
    assert len(result_of_error(ValueError("x" * 10_000_000)).text) < 1200


def told_of(function: Callable[..., Any], limits: Limits | None = None, timeout: float | None = None) -> str:
    """What the model is told of a call of a function."""
    model = ScriptedChat([calls(Call("tool")), "done"])
    result = Agent(model, [function_tool(function, name="tool", timeout=timeout)], limits=limits).run("go")
    assert result.text == "done"
    text = model.requests[-1].messages[-1].content
    assert isinstance(text, str)
    return text


class TestToolsThatMisbehave:
    def test_one_that_raises(self) -> None:
        assert told_of(lambda: 1 / 0) == "Error: ZeroDivisionError: division by zero"

    @pytest.mark.parametrize("error", [SystemExit(3), StopIteration(), KeyboardInterrupt(), asyncio.CancelledError()])
    def test_one_that_raises_what_ends_programs(self, error: BaseException) -> None:
        def tool() -> None:
            raise error

        assert told_of(tool).startswith("Error: ")

    @pytest.mark.parametrize("error", [SystemExit(3), asyncio.CancelledError(), BaseExceptionGroup("", [SystemExit()])])
    def test_an_async_one_that_raises_what_ends_programs(self, error: BaseException) -> None:
        async def tool() -> None:
            raise error

        assert told_of(tool).startswith("Error: ")

    def test_one_that_hangs_in_a_thread(self) -> None:
        hangs = threading.Event()
        try:
            text = told_of(lambda: hangs.wait(60), Limits(tool_seconds=0.02))
        finally:
            hangs.set()
        assert text == "Error: the tool did not end within 0.02 seconds and was given up"

    def test_its_own_timeout_comes_first(self) -> None:
        async def hang() -> None:
            await asyncio.sleep(60)

        assert "within 0.01 seconds" in told_of(hang, timeout=0.01)

    def test_an_async_one_that_will_not_be_cancelled(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("mistralet.agents.toolbox._GRACE", 0.01)

        async def stubborn() -> None:
            end = time.monotonic() + 0.1
            while time.monotonic() < end:
                try:
                    await asyncio.sleep(0.1)
                except asyncio.CancelledError:
                    continue

        assert "was given up" in told_of(stubborn, Limits(tool_seconds=0.01))

    def test_one_that_gives_ten_megabytes(self) -> None:
        assert "[Cut here: the whole has 10,000,000" in told_of(lambda: "x" * 10_000_000)

    def test_one_that_gives_a_file(self, tmp_path: Path) -> None:
        picture = tmp_path / "picture.png"
        picture.write_bytes(b"\x89PNG")
        assert "4 bytes of binary data" in told_of(picture.read_bytes)
