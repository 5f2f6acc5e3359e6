"""`python -m bench.tool_calls`: turns of a random model with the tools of `tool_sets.json`, read and checked.

Its weights are random and the temperature is 2, so that nothing but the grammar keeps it to calls of tools.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, islice, product
from pathlib import Path
from typing import Any

import numpy as np

from bench.constraints import RandomModel, problem_of
from mistralet.chat import (
    ChatEvent,
    ChatFormat,
    ChatRequest,
    Finish,
    FormatProblem,
    Message,
    NamedTool,
    Reply,
    Tool,
    ToolChoice,
    chat_format,
)
from mistralet.checkpoint.gguf_file import read_gguf
from mistralet.engine.constraint import ConstraintCompiler, loosened
from mistralet.hub.tiny import tiny_path
from mistralet.tokenizer import TekkenTokenizer, Tokenizer, tokenizer_from_gguf

TOOL_SETS: dict[str, list[Tool]] = {
    name: [Tool(**tool) for tool in tools]
    for name, tools in json.loads((Path(__file__).parent / "tool_sets.json").read_text(encoding="utf-8")).items()
}
MAX_TOKENS, MAX_TEXT_TOKENS = 200, 24  # of turns that call, and of others, of which a random model finds no end
# So likely [TOOL_CALLS] is in a text of random tokens: about once in 16.
_CALLS_BIAS = 9.0
# In ChatML a call begins with many tokens, which no bias makes likely: these answers are begun.
_BEGUN = "Let me see.\n<tool_call>\n"


@dataclass(frozen=True)
class Kind:
    """What is asked for besides the tools."""

    choice: ToolChoice
    is_parallel: bool
    calls_are_likely: bool = False  # where the model may as well talk


KINDS = [
    *(Kind("required", True), Kind("auto", True, True), Kind("required", False), Kind("auto", False, True)),
    *(Kind("auto", True), Kind("none", True), Kind(NamedTool(""), True)),  # "": the first tool
]


@dataclass(frozen=True)
class Turn:
    """A turn that was read."""

    calls: list[tuple[str, str]]  # name and arguments; the last may be cut
    text: str
    finish: str
    problems: list[str]  # told by the parser

    @classmethod
    def of(cls, events: list[ChatEvent]) -> Turn:
        """Join the events of a turn."""
        reply = Reply()
        for event in events:
            reply.add(event)
        (_,) = (event for event in events if isinstance(event, Finish))
        calls = [(call.name, call.arguments) for call in reply.calls]
        problems = [event.problem for event in events if isinstance(event, FormatProblem)]
        return cls(calls, reply.text, reply.finish.reason, problems)


def requests(numbers: range) -> Iterator[tuple[str, Kind, ChatRequest]]:
    """The requests with these numbers, which go through all sets and kinds again and again."""
    for (name, tools), kind in islice(cycle(product(TOOL_SETS.items(), KINDS)), numbers.start, numbers.stop):
        choice = NamedTool(tools[0].name) if isinstance(kind.choice, NamedTool) else kind.choice
        yield name, kind, ChatRequest([Message("user", "Go.")], tools, choice, kind.is_parallel)


def answer(
    chat: ChatFormat,
    compiler: ConstraintCompiler,
    model: RandomModel,
    tokenizer: Tokenizer,
    request: ChatRequest,
    kind: Kind,
    seed: int,
) -> tuple[Turn, list[float]]:
    """A turn, and the seconds that each of its masks took."""
    constraint = chat.constraint(request)
    assert constraint is not None
    matcher = compiler.compile(constraint)
    begun: list[int] = []
    bias = {}
    if kind.calls_are_likely:
        if tokenizer.name.startswith("Tekken"):
            bias = {tokenizer.control_id("[TOOL_CALLS]"): _CALLS_BIAS}
        else:
            begun = tokenizer.encode(_BEGUN)
    for token in begun:
        matcher.accept(token)
    talks = request.tool_choice in ("auto", "none") and not kind.calls_are_likely
    drawn = model.generate(matcher, tokenizer.stop_ids, seed, MAX_TEXT_TOKENS if talks else MAX_TOKENS, bias)
    parser = chat.parser(request)
    events = [event for token in [*begun, *drawn.tokens] for event in parser.push([token])]
    return Turn.of(events + parser.finish(drawn.finish_reason)), drawn.mask_seconds


def problems_of(turn: Turn, request: ChatRequest) -> list[str]:
    """What is wrong with a turn; a call that was cut, as the turn says, is not."""
    tools = {tool.name: tool for tool in request.tools}
    whole = turn.calls[:-1] if turn.finish == "length" else turn.calls
    found = list(turn.problems)
    for name, arguments in whole:
        if name not in tools:
            found.append(f"{name} is no tool")
        elif problem := problem_of(arguments, held_to(tools[name])):
            found.append(f"{name}: {problem}: {arguments!r}")
    found += [f"unknown tool {name}" for name, _ in turn.calls if name not in tools]
    if turn.calls and turn.finish not in ("tool_calls", "length"):
        found.append(f"ends with {turn.finish} after a call")
    if request.tool_choice == "none" and turn.calls:
        found.append("calls, though it must not")
    if request.tool_choice not in ("none", "auto") and (turn.text or (not turn.calls and turn.finish != "length")):
        found.append("talks, though it must call")
    if isinstance(request.tool_choice, NamedTool) and {name for name, _ in turn.calls} - {request.tool_choice.name}:
        found.append("calls another tool than the one named")
    if not request.parallel_tool_calls and len(turn.calls) > 1:
        found.append("calls more than once")
    return found


def held_to(tool: Tool) -> dict[str, Any]:
    """The schema that arguments are sure to fit: the tool's own, but for what only a strict one insists on."""
    return tool.parameters if tool.strict else dict(loosened(tool.parameters))


def run(tokenizer: Tokenizer, numbers: range) -> tuple[Counter[str], list[str], list[float], list[float]]:
    """Turns in one template: how many ended how, what was wrong, seconds of each mask in text, and in all else."""
    chat = chat_format(tokenizer, None)
    compiler = ConstraintCompiler(tokenizer, tokenizer.stop_ids)
    model = RandomModel(tokenizer.vocab_size)
    counts: Counter[str] = Counter()
    problems: list[str] = []
    text_seconds: list[float] = []
    call_seconds: list[float] = []
    for seed, (name, kind, request) in zip(numbers, requests(numbers), strict=True):
        turn, seconds = answer(chat, compiler, model, tokenizer, request, kind, seed)
        counts["turns"] += 1
        counts["with calls"] += bool(turn.calls)
        counts["text only"] += not turn.calls
        counts["cut"] += turn.finish == "length"
        counts["calls"] += len(turn.calls)
        (call_seconds if turn.calls else text_seconds).extend(seconds)
        wrong = problems_of(turn, request)
        counts["malformed"] += bool(wrong)
        problems += [f"{tokenizer.name}, {name}, {kind.choice}, seed {seed}: {problem}" for problem in wrong]
    compiler.close()
    return counts, problems, text_seconds, call_seconds


def main() -> None:
    """Print how many turns were whole, and how long the masks took."""
    parser = argparse.ArgumentParser(prog="python -m bench.tool_calls", description=main.__doc__)
    parser.add_argument("--tekken", type=Path, nargs="*", default=[], help="tekken.json files to use beside tiny's")
    parser.add_argument("--turns", type=int, default=2000, help="in each template")
    parser.add_argument("--first", type=int, default=0, help="the first turn's number, which is its seed")
    arguments = parser.parse_args()
    numbers = range(arguments.first, arguments.first + arguments.turns)
    tiny = tokenizer_from_gguf(read_gguf(tiny_path()).metadata, "tiny", None)
    for tokenizer in (tiny, *map(TekkenTokenizer.from_file, arguments.tekken)):
        begun = time.perf_counter()
        counts, problems, text_seconds, call_seconds = run(tokenizer, numbers)
        print(f"{tokenizer.name}: {counts['turns']} turns over {len(TOOL_SETS)} sets of tools")
        print(f"  {counts['with calls']} with {counts['calls']} calls, {counts['text only']} of text only")
        print(f"  {counts['cut']} cut, which say so; {counts['malformed']} malformed")
        print(f"  {time.perf_counter() - begun:.0f} s in all")
        for what, seconds in (("text", text_seconds), ("calls", call_seconds)):
            middle, late, last = np.quantile(np.array(seconds) * 1e6, [0.5, 0.99, 1.0])
            print(
                f"  {len(seconds)} masks of {what}: {middle:.0f} us in the middle, 99 of 100 under {late:.0f},"
                f" {last:.0f} at most"
            )
        print(*problems, sep="\n", end="\n" if problems else "")


if __name__ == "__main__":
    main()
