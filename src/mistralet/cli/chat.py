"""`mistralet chat`: a conversation in the terminal."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

import typer

from mistralet import __version__
from mistralet.cli.chat_commands import obey
from mistralet.cli.chat_with_tools import talk_with_tools
from mistralet.cli.common import (
    KVTypeOption,
    MaxTokensOption,
    ModelArgument,
    SeedOption,
    TemperatureOption,
    describe_speed,
    messages,
    open_model,
    sampling_params,
    start_early,
)
from mistralet.cli.conversation import Conversation
from mistralet.cli.line_reader import LineReader
from mistralet.cli.tools import McpOption, ToolOption, YesOption, chosen_tools, local_chat, terminal_consent
from mistralet.errors import MistraletError


def chat(
    model: ModelArgument = None,
    system: Annotated[str | None, typer.Option(help="Standing instructions for the model.")] = None,
    max_tokens: MaxTokensOption = 1024,
    temperature: TemperatureOption = None,
    seed: SeedOption = None,
    kv_type: KVTypeOption = None,
    tool: ToolOption = None,
    mcp: McpOption = None,
    yes: YesOption = False,
) -> None:
    """Talk with a model; text and pictures, over several turns; with tools, if some are named."""
    start_early(model)
    params = sampling_params(temperature, seed, max_tokens)
    tools = chosen_tools(tool, mcp)
    opened = open_model(model, kv_type)
    conversation = Conversation(opened, params, system)
    lines = LineReader()
    if lines.is_terminal:
        context = f"{opened.engine.context:,} tokens of context"
        messages.print(f"mistralet {__version__} · {opened.name} · {context} · /help lists commands")
    if tools:
        asyncio.run(talk_with_tools(conversation, local_chat(opened), tools, terminal_consent(yes), lines))
    else:
        _talk(conversation, lines)


def _talk(conversation: Conversation, lines: LineReader) -> None:
    while (line := lines.read()) is not None:
        try:
            if line.startswith("/"):
                if not obey(line, conversation):
                    return
            elif line.strip():
                _answer(line, conversation)
        except MistraletError as error:
            messages.print(str(error), style="red", soft_wrap=True, markup=False)


def _answer(line: str, conversation: Conversation) -> None:
    """Print the model's answer as it comes; Ctrl-C keeps what has come."""
    answer = conversation.ask(line)
    try:
        for piece in answer.pieces:
            sys.stdout.write(piece)
            sys.stdout.flush()
    except KeyboardInterrupt:
        messages.print(" (stopped)", style="dim", end="")
    finally:
        conversation.keep(answer)
        sys.stdout.write("\n")
    if messages.is_terminal and answer.stats.output_tokens:
        messages.print(describe_speed(answer.stats), style="dim")
