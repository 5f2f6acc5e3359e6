"""The numbers of the releases, against what is published about them (SPEC 1.4)."""

from __future__ import annotations

import pytest

from mistralet.config import count_parameters, tensor_shapes
from mistralet.hub.releases import RELEASES

TEXT_PARAMETERS = 23_572_403_200
VISION_PARAMETERS = 403_305_472
PROJECTOR_PARAMETERS = 35_652_608


@pytest.mark.parametrize("alias", ["small-3.1", "small-3.2"])
def test_with_vision(alias: str) -> None:
    config = RELEASES[alias].config
    assert count_parameters(config) == {
        "text": TEXT_PARAMETERS,
        "vision": VISION_PARAMETERS,
        "projector": PROJECTOR_PARAMETERS,
        "total": 24_011_361_280,
    }
    assert len(tensor_shapes(config)) == 585
    assert (config.rope_theta, config.max_position_embeddings) == (1e9, 131_072)
    assert config.vision is not None
    assert config.vision.max_patches_per_side == 110


def test_without_vision() -> None:
    config = RELEASES["small-3.0"].config
    assert count_parameters(config)["total"] == TEXT_PARAMETERS
    assert len(tensor_shapes(config)) == 363
    assert (config.rope_theta, config.max_position_embeddings, config.vision) == (1e8, 32_768, None)


def test_every_release_is_complete() -> None:
    assert {alias: release.tokenizer_version for alias, release in RELEASES.items()} == {
        "small-3.2": "v11",
        "small-3.1": "v7",
        "small-3.0": "v7",
    }
    for alias, release in RELEASES.items():
        assert release.alias == alias
        assert release.config.kv_bytes_per_token() == 163_840
        year_and_month = release.repo[-4:]
        assert f"({year_and_month})" in release.title
        assert release.gguf_repo.endswith(f"{year_and_month}-GGUF")
