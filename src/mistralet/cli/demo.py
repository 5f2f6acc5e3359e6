"""`mistralet demo`: see it work in a few seconds, with nothing to answer and nothing to set."""

from __future__ import annotations

import sys
from importlib.resources import files

from rich.console import Console

from mistralet import __version__
from mistralet.cli.common import OpenModel, describe_speed, open_model, sampling_params
from mistralet.cli.conversation import Conversation

_CHAT_QUESTION = "What does a baker do? Answer in one sentence."
_DOCUMENT = "service_agreement.md"
_DOCUMENT_QUESTION = "In which months are the inspections?"
_NEXT = """\
mistralet chat               talk with this model
mistralet plan small-3.2     what Mistral Small 3.2 needs of a machine
mistralet chat small-3.2:q4  fetch the real model (15 GB) and talk with it
mistralet --help             everything else"""


def demo() -> None:
    """Answer a question and read a sample document, with the stand-in model."""
    console = Console(highlight=False)
    console.print(f"[bold]mistralet {__version__}[/bold]: Mistral Small 3 on your own machine\n")
    opened = open_model("tiny")
    console.print(
        "The model is 'tiny' (SmolLM2-135M), a stand-in that runs anywhere;\n"
        "Mistral Small 3.2 is 180 times its size.\n",
        style="dim",
    )
    _ask(console, opened, _CHAT_QUESTION, _CHAT_QUESTION)
    document = files("mistralet").joinpath("samples", _DOCUMENT).read_text(encoding="utf-8")
    console.print(f"About {_DOCUMENT} ({len(document.split())} words):", style="dim")
    _ask(console, opened, _DOCUMENT_QUESTION, f"{document}\n\n{_DOCUMENT_QUESTION}")
    console.print("Next:", style="bold")
    console.print(_NEXT, markup=False)


def _ask(console: Console, opened: OpenModel, shown: str, message: str) -> None:
    """Print a question, the answer as it comes, and its speed."""
    console.print(f"> {shown}", style="bold cyan", markup=False)
    conversation = Conversation(opened, sampling_params(temperature=0, seed=0, max_tokens=64))
    answer = conversation.ask(message)
    for piece in answer.pieces:
        sys.stdout.write(piece)
        sys.stdout.flush()
    console.print(f"\n{describe_speed(answer.stats)}\n", style="dim")
