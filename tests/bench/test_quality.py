"""No weight format's arithmetic loses more than llama.cpp's, on a slice of the stand-in's real weights and our text.

What llama.cpp loses there is in tests/golden/quality.json. To make it again, where llama-cpp-python 0.3.36 is:

    python -m bench.quality --quick --peer-python PATH/bin/python --json tests/golden/quality.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from bench.quality import (
    KV_ROWS,
    QUICK_LAYERS,
    QUICK_VOCABULARY,
    Subject,
    app,
    ask_peer,
    measure,
    next_token_scores,
    subject,
)
from bench.quality_figures import NEGLIGIBLE, excess
from bench.quality_model import FloatModel, float_model, widen
from mistralet.checkpoint import open_checkpoint
from mistralet.config import KVType
from mistralet.engine.load import load_weights
from mistralet.errors import UsageError
from mistralet.quant import FORMATS
from support.random_models import checkpoint_of

GOLDEN = json.loads((Path(__file__).parent.parent / "golden" / "quality.json").read_text())


@pytest.fixture(scope="module")
def quick(tiny_path: Path) -> Subject:
    return subject(tiny_path, quick=True)


@pytest.mark.parametrize("weight_format", FORMATS)
def test_a_format_loses_no_more_than_in_llama_cpp(weight_format: str, quick: Subject, tmp_path: Path) -> None:
    measured = measure(quick, weight_format, tmp_path)
    golden = GOLDEN["formats"][weight_format]
    # The file is the one that llama.cpp read.
    assert measured.exact_perplexity == pytest.approx(golden["exact_perplexity"], rel=1e-4)
    for program in ("llama_cpp", "mistralet"):  # nor more than here when the golden file was made
        assert excess(measured.mistralet.divergences, golden[program]["divergences"]).is_noise
    assert measured.mistralet.top_1 > golden["llama_cpp"]["top_1"] - 0.02


def test_a_smaller_type_of_cache_loses_more_but_little(quick: Subject, tmp_path: Path) -> None:
    half, int8, int4, fp8 = (measure(quick, row, tmp_path).mistralet.divergence for row in KV_ROWS)
    assert half < NEGLIGIBLE < int8 < fp8 < int4 < 5e-3


def test_the_text_and_the_slice_are_those_llama_cpp_read(quick: Subject) -> None:
    config = quick.model.config
    assert (config.num_hidden_layers, config.vocab_size) == (GOLDEN["layers"], GOLDEN["vocabulary"])
    assert len(quick.ids) == GOLDEN["tokens"]


def test_widening_changes_no_score(tiny_path: Path, quick: Subject) -> None:
    plain = float_model(open_checkpoint(tiny_path), QUICK_LAYERS, QUICK_VOCABULARY)
    assert (plain.config.hidden_size, quick.model.config.hidden_size) == (576, 768)
    before, after = (scores(model, quick.ids) for model in (plain, widen(plain)))
    assert (before - after).abs().max() < 1e-5 * before.abs().max()


def scores(model: FloatModel, ids: list[int]) -> torch.Tensor:
    checkpoint = checkpoint_of(model.config, dict(model.weights))
    return next_token_scores(load_weights(checkpoint, torch.device("cpu"), use_native=False), ids, KVType.FLOAT32)


def test_every_row_of_a_widened_model_is_whole_blocks(quick: Subject) -> None:
    assert all(weight.shape[-1] % 256 == 0 for weight in quick.model.weights.values())


def test_an_unknown_format_is_one_sentence() -> None:
    result = CliRunner().invoke(app, ["--formats", "Q4_0,Q3_X"])
    assert result.exit_code == 2
    assert "'Q3_X' is no format to measure; take some of Q4_0, " in result.stderr


@pytest.mark.parametrize(
    ("peer", "message"),
    [
        (Path("/nowhere/python"), "/nowhere/python: cannot be run .*; name a Python with --peer-python"),
        (Path(sys.executable), "llama.cpp failed there .*; install llama-cpp-python there"),
    ],
)
def test_a_peer_without_llama_cpp_is_one_sentence(peer: Path, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ask_peer(peer, "-S", "-c", "import llama_cpp")
