"""`Limits`: how far a run may go, and `Used`: how far it has gone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mistralet.errors import UsageError

# "answered": the model gave an answer without a call; "steps", "tokens", "seconds": that limit of the run was reached;
# "length", "repetition", "cancelled": the model's last turn was cut, as `chat.Finish` says.
EndReason = Literal["answered", "steps", "tokens", "seconds", "length", "repetition", "cancelled"]


@dataclass(frozen=True)
class Limits:
    """How far a run may go; None: as far as it likes.

    Raises:
        UsageError: a limit is not above zero.
    """

    steps: int | None = 20  # turns of the model
    tokens: int | None = None  # that the model writes, in all turns together
    seconds: float | None = None  # from the start, a person's thinking included
    tool_seconds: float = 60.0  # for one call, unless the tool has a timeout of its own
    result_characters: int = 20_000  # of one call's result; what is longer is cut

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value is not None and not value > 0:
                raise UsageError(f"The limit '{name}' of an agent is {value}, but must be above 0.")

    def reached(self, used: Used) -> EndReason | None:
        """The limit that leaves no room for another turn."""
        if self.steps is not None and used.steps >= self.steps:
            return "steps"
        if self.tokens is not None and used.output_tokens >= self.tokens:
            return "tokens"
        if self.seconds is not None and used.seconds >= self.seconds:
            return "seconds"
        return None


@dataclass
class Used:
    """What a run has taken so far, before and after it was resumed."""

    steps: int = 0
    prompt_tokens: int = 0  # read in all turns; 0 where a server does not tell
    output_tokens: int = 0  # written; where a server does not tell, the pieces in which they came
    seconds: float = 0.0
