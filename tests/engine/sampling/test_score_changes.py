"""What requests do to their scores, beyond what the samplers' own tests show."""

from __future__ import annotations

import torch

from mistralet.engine import SamplingParams
from mistralet.engine.sampling import SamplerRow
from mistralet.engine.sampling.score_changes import changed_scores


def test_where_nothing_is_to_be_done_nothing_is_copied() -> None:
    scores = torch.randn(2, 5)
    assert changed_scores(scores, [SamplerRow(SamplingParams())] * 2) is scores


def test_a_token_gets_all_that_is_added_to_it_one_after_the_other() -> None:
    params = SamplingParams(dry_multiplier=0.1, dry_allowed_length=1, logit_bias={2: 0.3, 0: 5.0, 9: 1.0})
    repeating = SamplerRow(params, [1, 2, 1])
    repeating.bias = {2: 0.7, 1: -1.0, 9: 1.0}
    plain = SamplerRow(SamplingParams(logit_bias={1: 2.0}))
    scores = torch.full((3, 4), 1 / 3)
    before = scores.clone()
    changed = changed_scores(scores, [plain, SamplerRow(SamplingParams()), repeating])
    third = torch.tensor(1 / 3)
    assert changed[0].equal(torch.stack([third, third + 2.0, third, third]))
    assert changed[1].equal(scores[1])
    assert changed[2].equal(torch.stack([third + 5.0, third - 1.0, third - 0.1 + 0.3 + 0.7, third]))
    assert scores.equal(before)


def test_scores_need_not_lie_side_by_side() -> None:
    scores = torch.randn(5, 3)
    row = SamplerRow(SamplingParams(repetition_penalty=2.0, logit_bias={4: 1.0}), [0, 1])
    assert changed_scores(scores.T, [row] * 3).equal(changed_scores(scores.T.contiguous(), [row] * 3))
