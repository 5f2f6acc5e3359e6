"""Tasks as people give them, from the first question to the answer, with a model that follows what it is told."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from mistralet.agents import Agent, Transcript
from mistralet.agents.builtin import named_tools
from mistralet.chat import Message
from support.scripted_chat import Call, ScriptedChat, Turn, calls


def result_in(message: Message) -> str:
    assert message.role == "tool"
    assert isinstance(message.content, str)
    return message.content


def test_a_sales_database_is_explored_asked_wrongly_and_asked_again(tmp_path: Path) -> None:
    path = tmp_path / "sales.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE sales (city TEXT, year INTEGER, euros REAL)")
        rows = [("Rome", 2024, 10.5), ("Rome", 2025, 30.0), ("Oslo", 2024, 20.0), ("Oslo", 2025, 5.0)]
        database.executemany("INSERT INTO sales VALUES (?, ?, ?)", rows)
    database.close()

    before = path.read_bytes()

    def ask_wrongly(messages: Sequence[Message]) -> Turn:
        name, kind = result_in(messages[-1]).splitlines()[1].split(" | ")
        assert kind == "table"
        return calls(Call("run_query", {"query": f"SELECT city, sum(amount) FROM {name} GROUP BY city"}))

    def correct_it(messages: Sequence[Message]) -> Turn:
        assert "no such column: amount" in result_in(messages[-1])
        return calls(
            Call("run_query", {"query": "SELECT city, sum(euros) FROM sales GROUP BY city ORDER BY 2 DESC"}),
            Call("run_query", {"query": "DELETE FROM sales"}),
        )

    def answer(messages: Sequence[Message]) -> str:
        assert result_in(messages[-1]).startswith("Error: ")
        city, euros = result_in(messages[-2]).splitlines()[1].split(" | ")
        return f"{city} sold most: {euros} euros."

    model = ScriptedChat([calls(Call("list_tables")), ask_wrongly, correct_it, answer])
    agent = Agent(model, named_tools(f"sql:{path}"))
    assert agent.run("Which city sold most?").text == "Rome sold most: 40.5 euros."
    assert path.read_bytes() == before


def test_the_weather_of_two_cities_over_two_questions_in_one_transcript(tmp_path: Path) -> None:
    temperatures = {"Rome": 21, "Oslo": 9}

    async def weather(city: str) -> dict[str, int]:
        """The weather in a city."""
        return {"temperature": temperatures[city]}

    def compare(messages: Sequence[Message]) -> str:
        rome, oslo = (json.loads(result_in(message))["temperature"] for message in messages[-2:])
        return "Rome" if rome > oslo else "Oslo"

    with Transcript(tmp_path / "runs.db") as transcript:
        both = calls(Call("weather", {"city": "Rome"}), Call("weather", {"city": "Oslo"}))
        agent = Agent(ScriptedChat([both, compare, "Both are."]), [weather], transcript=transcript)
        first = agent.run("Where is it warmer?")
        second = agent.run([*first.messages, Message("user", "Which of them is a capital?")])
        assert (first.text, second.text) == ("Rome", "Both are.")
        assert transcript.load(second.run_id).messages == list(second.messages)
