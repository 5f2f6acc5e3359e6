"""Why an answer ended, in the words of OpenAI and vLLM."""

from __future__ import annotations

from typing import Any

from mistralet.chat import ChatFinishReason
from mistralet.server.fields import SamplingFields


def finish_facts(reason: ChatFinishReason | None, stop_string: str | None, body: SamplingFields) -> dict[str, Any]:
    """The finish reason of a choice; beside it, under vLLM's name, the stop string that was met.

    An answer that the watchdog ended is cut off, as one is by its length; a caller who asked for vLLM's rule is told
    "repetition", as vLLM does.
    """
    if reason == "repetition":
        told = "length" if body.repetition_detection is None else "repetition"
        return {"finish_reason": told, "stop_reason": "repetition"}
    return {"finish_reason": reason, "stop_reason": stop_string}
