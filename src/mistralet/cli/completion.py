"""Completion in shells is typer's; here are its failures, told as all others are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from mistralet.errors import UsageError

_OPTIONS = ("--install-completion", "--show-completion")
_SHELLS = ("bash", "zsh", "fish", "powershell", "pwsh")


@contextmanager
def completion_errors(arguments: Sequence[str]) -> Iterator[None]:
    """To be around a run of the command line.

    Raises:
        UsageError: completion is asked for, but not known for this shell, or its files cannot be written.
    """
    if not arguments or arguments[0] not in _OPTIONS:
        yield
        return
    shell = _shell()
    if shell not in _SHELLS:
        found = f"for the shell '{shell}'" if shell else "where no shell is found"
        raise UsageError(f"There is no completion {found}; run this in one of {', '.join(_SHELLS)}.")
    try:
        yield
    except OSError as error:
        raise UsageError(
            f"Completion cannot be installed ({error}); add what 'mistralet --show-completion' prints to your shell's "
            "start-up file."
        ) from error


def _shell() -> str | None:
    import shellingham

    try:
        return str(shellingham.detect_shell()[0])
    except shellingham.ShellDetectionFailure:
        return None
