"""`mistralet chat`: a conversation in the terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from mistralet import __version__
from mistralet.cli.common import (
    KVTypeOption,
    MaxTokensOption,
    ModelArgument,
    OpenModel,
    SeedOption,
    TemperatureOption,
    describe_speed,
    messages,
    open_model,
    sampling_params,
    start_early,
)
from mistralet.cli.conversation import Conversation
from mistralet.errors import MistraletError, UsageError

_HELP = """\
/image PATH   put a picture into your next message
/system TEXT  give the model standing instructions (without TEXT: remove them)
/reset        forget the conversation
/save PATH    write the conversation to a JSON file
/exit         leave (also Ctrl-D); Ctrl-C stops an answer"""


def chat(
    model: ModelArgument = None,
    system: Annotated[str | None, typer.Option(help="Standing instructions for the model.")] = None,
    max_tokens: MaxTokensOption = 1024,
    temperature: TemperatureOption = None,
    seed: SeedOption = None,
    kv_type: KVTypeOption = None,
) -> None:
    """Talk with a model; text and pictures, over several turns."""
    start_early(model)
    params = sampling_params(temperature, seed, max_tokens)
    opened = open_model(model, kv_type)
    conversation = Conversation(opened, params, system)
    read_line = _line_reader(opened)
    while (line := read_line()) is not None:
        try:
            if line.startswith("/"):
                if not _obey(line, conversation):
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


def _obey(line: str, conversation: Conversation) -> bool:
    """Carry out a line that starts with a slash. False ends the program."""
    name, _, argument = line.strip().partition(" ")
    if name in ("/exit", "/quit"):
        return False
    command = _COMMANDS.get(name)
    if command is None:
        raise UsageError(f"'{name}' is no command; /help lists them.")
    messages.print(command(conversation, argument.strip()), style="dim", markup=False, soft_wrap=True)
    return True


def _image(conversation: Conversation, argument: str) -> str:
    if not argument:
        raise UsageError("Name a picture: /image PATH.")
    conversation.add_image(Path(argument).expanduser())
    return "The picture goes with your next message."


def _system(conversation: Conversation, argument: str) -> str:
    conversation.system = argument or None
    return "The instructions hold from your next message on." if argument else "There are no instructions now."


def _reset(conversation: Conversation, _: str) -> str:
    conversation.reset()
    return "The conversation starts anew."


def _save(conversation: Conversation, argument: str) -> str:
    if not argument:
        raise UsageError("Name a file: /save PATH.")
    path = Path(argument).expanduser()
    conversation.save(path)
    return f"Saved to {path}."


_COMMANDS: dict[str, Callable[[Conversation, str], str]] = {
    "/help": lambda _conversation, _argument: _HELP,
    "/image": _image,
    "/system": _system,
    "/reset": _reset,
    "/save": _save,
}


def _line_reader(opened: OpenModel) -> Callable[[], str | None]:
    """What gives the next line, or None at the end: an editor in a terminal, plain lines in a pipe."""
    if not sys.stdin.isatty():
        return lambda: line.rstrip("\n") if (line := sys.stdin.readline()) else None
    from prompt_toolkit import PromptSession
    from prompt_toolkit.history import InMemoryHistory

    messages.print(
        f"mistralet {__version__} · {opened.name} · {opened.engine.context:,} tokens of context · /help lists commands"
    )
    session: PromptSession[str] = PromptSession(history=InMemoryHistory())

    def read() -> str | None:
        while True:
            try:
                return session.prompt("\n> ")
            except KeyboardInterrupt:
                continue  # clears the line, as in a shell
            except EOFError:
                return None

    return read
