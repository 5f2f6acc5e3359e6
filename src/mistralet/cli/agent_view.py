"""How an agent's work is shown: to a person as it happens, or to a program as lines of JSON."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from mistralet.cli.terminal import harmless

if TYPE_CHECKING:
    from mistralet.agents import AgentEvent, AgentResult, EndReason, ToolResult

_MOST_LINES = 6  # of a result; the model sees all of it
_ENDS: dict[EndReason, str] = {
    "steps": "Stopped: the most steps were taken (--max-steps).",
    "tokens": "Stopped: the most tokens were written.",
    "seconds": "Stopped: the time is over.",
    "length": "The answer is cut: it reached the most tokens of a turn (--max-tokens) or the end of the context.",
    "repetition": "The answer is cut: the model repeated itself without end.",
    "cancelled": "The answer was cancelled.",
}


class AgentView:
    """What the model says goes to standard output, its calls and their results beside it to `console`.

    Text of models and tools controls no terminal: what a person agrees to must be what is shown.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._at_line_start = True
        self._writes_call = False  # a call's line is open on the console
        self._calls: list[str] = []  # the ids of the turn's calls
        self._turn_is_over = False

    def show(self, event: AgentEvent) -> None:
        """The next thing that happens."""
        from mistralet import agents

        match event:
            case agents.TextDelta(text):
                self._say(text)
            case agents.CallStarted(call_id, name):
                self._begin_line()
                self._calls = [call_id] if self._turn_is_over else [*self._calls, call_id]
                self._turn_is_over = False
                self._print(Text.assemble(("● ", "cyan"), (f"{name} ", "bold")), end="")
                self._writes_call = True
            case agents.CallArguments(_, text):
                self._print(Text(text, "dim"), end="")
            case agents.ModelProblem(problem):
                self._begin_line()
                self._print(Text(f"  {problem}", "dim yellow"))
            case agents.ToolResult():
                self._begin_line()
                self._result(event)
            case agents.StepEnd():
                self._begin_line()
                self._turn_is_over = True

    def end(self, result: AgentResult) -> None:
        """How it ended."""
        self._begin_line()
        if result.reason in _ENDS:
            self._print(Text(_ENDS[result.reason], "yellow"))
        if self._console.is_terminal:
            used = result.used
            facts = [_count(used.steps, "step"), _count(used.output_tokens, "token"), f"{used.seconds:.1f} s"]
            self._print(Text(" · ".join(facts), "dim"))

    def interrupt(self) -> None:
        """Leave the terminal in order where the work is broken off."""
        self._begin_line()

    def _say(self, text: str) -> None:
        if self._writes_call:
            self._begin_line()
        sys.stdout.write(harmless(text) if sys.stdout.isatty() else text)
        sys.stdout.flush()
        self._at_line_start = text.endswith("\n") if text else self._at_line_start

    def _begin_line(self) -> None:
        if self._writes_call:
            self._print(Text())
            self._writes_call = False
        elif not self._at_line_start:
            sys.stdout.write("\n")
            sys.stdout.flush()
        self._at_line_start = True

    def _result(self, result: ToolResult) -> None:
        lines = result.text.splitlines() or [""]
        several = len(self._calls) > 1 and result.call.id in self._calls
        number = f" #{self._calls.index(result.call.id) + 1}" if several else ""
        self._print(Text.assemble(("└ ", "cyan"), (f"{result.call.name}{number} · {result.seconds:.2f} s", "dim")))
        width = max(20, self._console.width - 4)
        for line in lines[:_MOST_LINES]:
            shown = line if len(line) <= width else f"{line[: width - 1]}…"
            self._print(Text(f"  {shown}", "red" if result.is_error else "dim"))
        if len(lines) > _MOST_LINES:
            self._print(Text(f"  … {_count(len(lines) - _MOST_LINES, 'more line')}", "dim italic"))

    def _print(self, text: Text, end: str = "\n") -> None:
        text.plain = harmless(text.plain)
        self._console.print(text, end=end, soft_wrap=True)


class JsonView:
    """Each event as a line of JSON on standard output."""

    def show(self, event: AgentEvent) -> None:
        """The next thing that happens."""
        sys.stdout.write(json.dumps(_facts(event), ensure_ascii=False) + "\n")
        sys.stdout.flush()

    def end(self, result: AgentResult) -> None:
        """Nothing more: the last event said it."""

    def interrupt(self) -> None:
        """Nothing: each line is whole."""


def _facts(event: AgentEvent) -> dict[str, Any]:
    from mistralet import agents
    from mistralet.chat.openai_json import messages_to_json

    if isinstance(event, agents.Finished):
        result = event.result
        facts = {"run_id": result.run_id, "reason": result.reason, "text": result.text, "used": asdict(result.used)}
        return {"event": "finished", **facts, "messages": messages_to_json(result.messages)}
    return {"event": _NAMES[type(event).__name__], **asdict(event)}


# What the events are called in JSON: part of the command's interface, unlike the classes' names.
_NAMES = {
    "RunStarted": "run_started",
    "TextDelta": "text",
    "CallStarted": "call_started",
    "CallArguments": "call_arguments",
    "ModelProblem": "model_problem",
    "ConsentAsked": "consent_asked",
    "ToolStarted": "tool_started",
    "ToolResult": "tool_result",
    "StepEnd": "step_end",
}


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"
