"""What the parameters of sampling mean, spelt out in plain Python over lists."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from mistralet.engine import SamplingParams


def longest_repeats(tokens: Sequence[int], breakers: Collection[int]) -> dict[int, int]:
    """For each token that followed an earlier copy of the end of `tokens`: the length of the longest such copy."""
    longest: dict[int, int] = {}
    for end in range(len(tokens) - 1):  # the copy's last token
        length = 0
        while end - length >= 0 and tokens[end - length] == tokens[-1 - length] not in breakers:
            length += 1
        if tokens[end + 1] not in breakers:
            longest[tokens[end + 1]] = max(length, longest.get(tokens[end + 1], 0))
    return longest


def plain_scores(
    scores: Sequence[float],
    params: SamplingParams,
    prompt: Sequence[int] = (),
    output: Sequence[int] = (),
    breakers: Collection[int] = (),
    allowed: Collection[int] | None = None,
) -> list[float]:
    changed = []
    in_range = [*prompt, *output][-params.dry_range or None :]
    repeats = longest_repeats(in_range, breakers) if params.dry_multiplier else {}
    for token, given in enumerate(scores):
        score = given
        if token in prompt or token in output:
            score = score / params.repetition_penalty if score > 0 else score * params.repetition_penalty
        score -= params.frequency_penalty * output.count(token)
        score -= params.presence_penalty * (token in output)
        length = repeats.get(token, 0)
        if length >= params.dry_allowed_length:
            score -= params.dry_multiplier * params.dry_base ** (length - params.dry_allowed_length)
        score += params.logit_bias.get(token, 0)
        changed.append(score if allowed is None or token in allowed else -math.inf)
    return changed


def plain_distribution(scores: Sequence[float], params: SamplingParams) -> list[float]:
    """Probabilities by scores that are changed already; no equals at the edge of what is kept."""
    order = sorted(range(len(scores)), key=lambda token: -scores[token])
    if params.temperature == 0:
        return [float(token == order[0]) for token in range(len(scores))]
    weights = [math.exp((score - max(scores)) / params.temperature) for score in scores]
    weights = [weight if weight >= params.min_p else 0.0 for weight in weights]
    for token in order[params.top_k or len(order) :]:
        weights[token] = 0.0
    total, sum_before = sum(weights), 0.0
    for token in order:
        weight = weights[token]
        if sum_before >= params.top_p * total:
            weights[token] = 0.0
        sum_before += weight
    return [weight / sum(weights) for weight in weights]
