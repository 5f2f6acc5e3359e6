"""What a request's line in the log says of its answers."""

from __future__ import annotations

from collections.abc import Callable

from starlette.types import Scope

from mistralet.engine import Request, StepOutput
from mistralet.server.service import Service


def answer_log(service: Service, scope: Scope, request: Request) -> Callable[[StepOutput], None]:
    """Puts what becomes of a request among the facts that its line will tell (`logs.RequestLog`).

    Texts are told only if the settings say so.
    """
    facts = scope["log_facts"]
    facts["prompt_tokens"] = facts.get("prompt_tokens", 0) + len(request.prompt.ids)
    texts = [""] * request.params.n if service.settings.log_prompts else []
    if texts:
        facts.setdefault("prompts", []).append(service.tokenizer.decode(request.prompt.ids))
        facts.setdefault("answers", []).append(texts)

    def hear(output: StepOutput) -> None:
        if texts:
            texts[output.index] += output.text
        if output.finish_reason is not None:
            facts["output_tokens"] = facts.get("output_tokens", 0) + output.stats.output_tokens
            facts.setdefault("finish_reasons", []).append(output.finish_reason)
            facts.setdefault("queue_seconds", round(output.stats.queue_seconds, 4))
            facts.setdefault("first_token_seconds", round(output.stats.time_to_first_token, 4))

    return hear
