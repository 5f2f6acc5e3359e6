"""What happens in an engine, as one stream of facts that a server turns into metrics and traces."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

# "queued", "scheduled", "preempted", "first_token", "finished" tell of a request; "step" of the whole engine.
EventKind = Literal["queued", "scheduled", "preempted", "first_token", "finished", "step"]


@dataclass(frozen=True)
class Event:
    """Something that happened."""

    kind: EventKind
    time: float  # seconds, of `time.perf_counter`
    request_id: str | None  # None: of the whole engine
    index: int  # which of the request's answers
    facts: Mapping[str, Any]


Listener = Callable[[Event], None]
