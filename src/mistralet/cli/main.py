"""The program `mistralet`: its verbs, and how errors are shown."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated

import typer

from mistralet import __version__
from mistralet.cli.agent import agent
from mistralet.cli.ask import ask
from mistralet.cli.chat import chat
from mistralet.cli.compare import compare
from mistralet.cli.completion import completion_errors
from mistralet.cli.demo import demo
from mistralet.cli.evaluate import app as evaluate
from mistralet.cli.extract import extract
from mistralet.cli.generate import generate
from mistralet.cli.inspect import inspect
from mistralet.cli.kv import app as kv
from mistralet.cli.list_models import list_models
from mistralet.cli.plan import plan
from mistralet.cli.pull import pull
from mistralet.cli.report import report
from mistralet.cli.serve import serve
from mistralet.cli.summarize import summarize
from mistralet.errors import MistraletError

VERBS: dict[str, Callable[..., None]] = {
    "chat": chat,
    "agent": agent,
    "ask": ask,
    "extract": extract,
    "summarize": summarize,
    "compare": compare,
    "report": report,
    "generate": generate,
    "serve": serve,
    "plan": plan,
    "inspect": inspect,
    "pull": pull,
    "list": list_models,
    "demo": demo,
}

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
for name, verb in VERBS.items():
    app.command(name)(verb)
app.add_typer(kv, name="kv")
app.add_typer(evaluate, name="eval")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback with errors.")] = False,
) -> None:
    """Mistral Small 3 on your own machine."""


def main() -> None:
    """Run the command line; an error ends it with one sentence and exit code 2, Ctrl-C with 130."""
    debug = "--debug" in sys.argv
    # The flag is taken wherever it stands, before or after the verb.
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        with completion_errors(arguments):
            app(arguments, prog_name="mistralet")
    except Exception as error:
        if debug:
            raise
        is_users = isinstance(error, MistraletError)
        what = str(error) if is_users else f"internal error: {type(error).__name__}: {error}"
        remedy = "" if is_users else "; run again with --debug and report it"
        typer.echo(f"mistralet: {what}{remedy}", err=True)
        sys.exit(2 if is_users else 1)
