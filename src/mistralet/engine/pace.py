"""`Pace`: how much of a prompt is read in one step."""

from __future__ import annotations

# Seconds a step may take by reading prompts: while others wait for their next token, and when nobody does. A step
# cannot be interrupted, so this is also how long a cancelled request may hold the processor.
_SHARED_STEP = 0.25
_LONE_STEP = 2.0
# Tokens: fewer would leave the kernels idle, more would only take memory for activations.
_LEAST, _FIRST = 32, 64
# How much of the estimate the last step makes up.
_WEIGHT = 0.5


class Pace:
    """Measures how fast prompts are read. It changes when a token comes, never which one."""

    def __init__(self, most: int) -> None:
        """
        Args:
            most: tokens in one step.
        """
        self.most = most
        self._seconds_per_token: float | None = None

    def budget(self, decoding: bool) -> int:
        """Tokens of prompts for the next step.

        Args:
            decoding: whether answers are being written meanwhile.
        """
        if self._seconds_per_token is None:
            return min(_FIRST, self.most)
        tokens = int((_SHARED_STEP if decoding else _LONE_STEP) / self._seconds_per_token)
        return min(max(tokens // _LEAST * _LEAST, _LEAST), self.most)

    def record(self, tokens: int, seconds: float) -> None:
        """Take a step that read so many tokens of prompts into account; small ones tell little."""
        if tokens < _LEAST or seconds <= 0:
            return
        latest = seconds / tokens
        if self._seconds_per_token is None:
            self._seconds_per_token = latest
        else:
            self._seconds_per_token += _WEIGHT * (latest - self._seconds_per_token)
