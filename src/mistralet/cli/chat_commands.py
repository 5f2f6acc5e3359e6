"""The lines of a chat that start with a slash."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mistralet.cli.common import messages
from mistralet.cli.conversation import Conversation
from mistralet.errors import UsageError

_HELP = """\
/image PATH   put a picture into your next message
/system TEXT  give the model standing instructions (without TEXT: remove them)
/reset        forget the conversation
/save PATH    write the conversation to a JSON file
/exit         leave (also Ctrl-D); Ctrl-C stops an answer"""


def obey(line: str, conversation: Conversation) -> bool:
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
    count = conversation.add_image(Path(argument).expanduser())
    return f"{'The picture goes' if count == 1 else f'{count} pictures go'} with your next message."


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
