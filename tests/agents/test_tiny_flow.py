"""A real model: the stand-in writes a call that fits its tool, reads the result and answers."""

from __future__ import annotations

import json
from pathlib import Path

from mistralet.agents import Agent
from mistralet.engine import Engine, SamplingParams, load


def test_a_call_is_written_run_and_answered(tiny_path: Path) -> None:
    asked = []

    def weather(city: str) -> str:
        """The weather in a city."""
        asked.append(city)
        return f"{city}: 21 degrees, sunny"

    loaded = load(tiny_path)
    engine = Engine(loaded.model, loaded.tokenizer)
    params = SamplingParams(temperature=0, max_tokens=40)
    agent = Agent(engine, [weather], params=params, parallel_tool_calls=False)
    result = agent.run("What is the weather in Paris?", tool_choice="required")
    _, question, told, answer = result.messages
    (call,) = question.tool_calls
    assert asked == [json.loads(call.arguments)["city"]] == ["Paris"]
    assert told.content == "Paris: 21 degrees, sunny"
    assert "21 degrees" in answer.content
    assert result.used.prompt_tokens > result.used.output_tokens > 0
