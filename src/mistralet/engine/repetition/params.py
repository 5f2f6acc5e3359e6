"""What a request may say about repetition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from mistralet.errors import UsageError

RepetitionPolicy = Literal["off", "stop", "steer"]


@dataclass(frozen=True)
class RepetitionParams:
    """What to do about a generation that goes round in circles.

    `max_pattern_size`, `min_pattern_size` and `min_count` mean what they mean in vLLM's `RepetitionDetectionParams`:
    a further rule, by which the output ends as soon as its last tokens are `min_count` equal patterns of
    `min_pattern_size` to `max_pattern_size` tokens. They hold whatever the policy is, and are off at their defaults.

    Raises:
        UsageError: a value is out of range or contradicts another.
    """

    policy: RepetitionPolicy = "steer"
    max_pattern_size: int = 0  # tokens; 0: no exact rule
    min_pattern_size: int = 0  # tokens; 0 means 1
    min_count: int = 0

    def __post_init__(self) -> None:
        if self.policy not in get_args(RepetitionPolicy):
            names = ", ".join(get_args(RepetitionPolicy))
            raise UsageError(f"The repetition policy is {self.policy!r}, but must be one of {names}.")
        if self.max_pattern_size < 0 or self.min_pattern_size < 0 or self.min_count < 0:
            raise UsageError("Pattern sizes and counts of the repetition rule must not be negative.")
        if self.min_pattern_size > self.max_pattern_size:
            raise UsageError(
                f"The smallest repeated pattern is {self.min_pattern_size} tokens, but the largest is "
                f"{self.max_pattern_size}; set max_pattern_size to at least as many."
            )
        if self.max_pattern_size and self.min_count < 2:
            raise UsageError(f"min_count is {self.min_count}, but a pattern repeats only from 2 on; raise it.")
        if self.min_count and not self.max_pattern_size:
            raise UsageError("min_count is set without max_pattern_size; set both.")

    @property
    def is_active(self) -> bool:
        """Whether anything is watched at all."""
        return self.policy != "off" or self.max_pattern_size > 0
