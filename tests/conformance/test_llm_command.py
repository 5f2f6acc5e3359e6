"""The `llm` command against a running server, through its OpenAI plug-in and a file of models."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from support.served import SECONDS, Served

pytestmark = pytest.mark.skipif(find_spec("llm") is None, reason="needs the extra 'conformance'")

Command = Callable[..., str]
SURE = ("-o", "temperature", "0", "-o", "max_tokens", "40")
QUESTION = "What is the capital of France?"
FUNCTION = 'def weather(city: str) -> str:\n    "The weather of a city."\n    return "Sunny."\n'


@pytest.fixture
def llm(served: Served, tmp_path: Path) -> Command:
    """Runs the command as somebody who knows two models: ours whole, and ours in the old API."""
    base = {"model_name": "tiny", "api_base": f"{served.url}/v1"}
    models = [
        {"model_id": "ours", "supports_schema": True, "supports_tools": True, **base},
        {"model_id": "ours-raw", "completion": True, **base},
        {"model_id": "ours-unstreamed", "can_stream": False, **base},
    ]
    (tmp_path / "extra-openai-models.yaml").write_text(yaml.safe_dump(models))
    environment = os.environ | {"LLM_USER_PATH": str(tmp_path), "OPENAI_API_KEY": "any"}

    def run(*arguments: str) -> str:
        ran = subprocess.run(
            [sys.executable, "-m", "llm", *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    return run


def test_the_model_is_known(llm: Command) -> None:
    assert "ours" in llm("models")


@pytest.mark.parametrize("model", ["ours", "ours-unstreamed"])
def test_an_answer_and_what_is_logged_of_it(llm: Command, model: str) -> None:
    answer = llm("-m", model, "-s", "Be brief.", *SURE, QUESTION, "--log")
    assert "Paris" in answer
    (logged,) = json.loads(llm("logs", "--json"))
    assert logged["response"] == answer.rstrip("\n")
    assert logged["input_tokens"] > 5
    assert logged["output_tokens"] > 0


def test_streamed_or_not_it_is_the_same(llm: Command) -> None:
    assert llm("-m", "ours", *SURE, QUESTION) == llm("-m", "ours", "--no-stream", *SURE, QUESTION)


def test_raw_text(llm: Command) -> None:
    assert "Paris" in llm("-m", "ours-raw", *SURE, "The capital of France is")


def test_a_conversation_goes_on(llm: Command) -> None:
    llm("-m", "ours", *SURE, "My name is Ada.")
    assert llm("-c", *SURE, "What is my name?").strip()
    first, second = json.loads(llm("logs", "--json"))
    assert first["conversation_id"] == second["conversation_id"]


@pytest.mark.parametrize("how", [(), ("--no-stream",)], ids=["streamed", "whole"])
def test_a_schema(llm: Command, how: tuple[str, ...]) -> None:
    options = ("-o", "temperature", "0", "-o", "max_tokens", "200")
    answer = json.loads(llm("-m", "ours", *how, *options, "--schema", "x int, y int", "The point x=3, y=4."))
    assert all(isinstance(answer[name], int) for name in "xy")


@pytest.mark.parametrize("how", [(), ("--no-stream",)], ids=["streamed", "whole"])
def test_tools_are_offered(llm: Command, how: tuple[str, ...]) -> None:
    given = ("--functions", FUNCTION, "--chain-limit", "3", *how)
    llm("-m", "ours", *SURE, *given, "Call the tool weather for Rome.")
    assert json.loads(llm("logs", "--json"))[0]["tools"][0]["name"] == "weather"
