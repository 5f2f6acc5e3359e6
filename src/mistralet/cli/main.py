"""The program `mistralet`: its verbs, and how errors are shown."""

from __future__ import annotations

import sys
from typing import Annotated

import click
import typer

from mistralet import __version__
from mistralet.cli.chat import chat
from mistralet.cli.demo import demo
from mistralet.cli.generate import generate
from mistralet.cli.inspect import inspect
from mistralet.cli.list_models import list_models
from mistralet.cli.plan import plan
from mistralet.cli.pull import pull
from mistralet.errors import MistraletError

VERBS = {
    "chat": chat,
    "generate": generate,
    "plan": plan,
    "inspect": inspect,
    "pull": pull,
    "list": list_models,
    "demo": demo,
}

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
for name, verb in VERBS.items():
    app.command(name)(verb)


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback with errors.")] = False,  # noqa: ARG001
) -> None:
    """Mistral Small 3 on your own machine."""
    if version:
        typer.echo(__version__)
        raise typer.Exit


def main() -> None:
    """Run the command line; a user's error ends it with one sentence and exit code 2."""
    arguments = sys.argv[1:]
    debug = "--debug" in arguments
    # The flag is taken wherever it stands, before or after the verb.
    arguments = [argument for argument in arguments if argument != "--debug"]
    try:
        sys.exit(app(arguments, prog_name="mistralet", standalone_mode=False))
    except MistraletError as error:
        _fail(str(error), error, debug)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.exceptions.Abort):
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output went away (`mistralet list | head`); that is no error.
        sys.stderr.close()
        sys.exit(0)
    except Exception as error:  # the last guard: a traceback helps nobody but us
        _fail(f"internal error: {type(error).__name__}: {error}; run again with --debug and report it", error, debug)


def _fail(message: str, error: Exception, debug: bool) -> None:
    if debug:
        raise error
    typer.echo(f"mistralet: {message}", err=True)
    sys.exit(2)
