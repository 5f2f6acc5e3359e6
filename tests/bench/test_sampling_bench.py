"""The benchmark of the sampler."""

from __future__ import annotations

import pytest

from bench.sampling import SETTINGS, milliseconds, random_logits


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_can_be_measured(name: str) -> None:
    assert milliseconds(random_logits(2, 500), SETTINGS[name], repetitions=3) > 0
