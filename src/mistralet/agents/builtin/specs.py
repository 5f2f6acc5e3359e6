"""What the specifications of the built-in tools have in common."""

from __future__ import annotations

from mistralet.errors import ToolError


def require_nothing(name: str, rest: str) -> None:
    """Refuse what follows the name of a tool that takes nothing.

    Raises:
        ToolError: something follows.
    """
    if rest:
        raise ToolError(f"The tool '{name}' takes nothing after its name: leave out ':{rest}'.")


def split_write(rest: str) -> tuple[str, bool]:
    """`notes:write` as `("notes", True)`: what a tool works on, and whether it may write there."""
    return rest.removesuffix(":write"), rest.endswith(":write")
