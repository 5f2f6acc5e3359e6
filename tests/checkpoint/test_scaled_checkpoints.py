"""Quantised safetensors checkpoints hold the weights that their makers mean."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from mistralet.checkpoint import check, find_problems, open_checkpoint
from mistralet.checkpoint.scaled import SCHEMES
from mistralet.config import Quantization
from mistralet.errors import CheckpointError, ConfigError
from mistralet.quant import ScaledTensor
from support.quantized_files import KINDS, write_quantized
from support.tiny_mistral import Reference, mistral3_reference

GOLDEN = load_file(Path(__file__).parents[1] / "golden" / "quantized.safetensors")


@pytest.fixture(scope="module")
def reference() -> Reference:
    return mistral3_reference()


@pytest.mark.parametrize(
    ("kind", "quantization"),
    [
        ("fp8", Quantization("compressed-tensors", 8)),
        ("w8a8", Quantization("compressed-tensors", 8)),
        ("w4a16", Quantization("compressed-tensors", 4, 32)),
        ("w4a16-asymmetric", Quantization("compressed-tensors", 4, 32)),
        ("w8a16", Quantization("compressed-tensors", 8, 32)),
        ("nf4", Quantization("bitsandbytes", 4)),
        ("nf4-nested", Quantization("bitsandbytes", 4)),
    ],
)
def test_what_the_makers_libraries_write(kind: str, quantization: Quantization) -> None:
    parts = {f".{name.partition('/')[2]}": t for name, t in GOLDEN.items() if name.startswith(f"{kind}/")}
    expected = parts.pop(".expected")
    (scheme,) = [each for each in SCHEMES[quantization.method] if _dtype(parts.get(each.codes)) == each.dtype]
    matrix = scheme.assemble(parts, tuple(expected.shape), quantization)
    assert matrix.shape == tuple(expected.shape)
    # The libraries compute in the type of the scales, bfloat16 in some.
    torch.testing.assert_close(matrix.dequantize(), expected, rtol=2**-7, atol=1e-6)
    assert (matrix.dequantize() - expected).abs().mean() < 2**-8 * expected.abs().mean()


def _dtype(part: Tensor | None) -> str | None:
    names = {torch.float8_e4m3fn: "F8_E4M3", torch.int8: "I8", torch.int32: "I32", torch.uint8: "U8"}
    return None if part is None else names.get(part.dtype)


@pytest.mark.parametrize("kind", KINDS)
def test_a_checkpoint_holds_what_was_meant(kind: str, reference: Reference, tmp_path: Path) -> None:
    quantized, dense = (open_checkpoint(folder) for folder in write_quantized(reference, tmp_path, kind))
    check(quantized)
    assert quantized.config == dense.config
    matrices = 0
    for name in dense.tensors:
        matrix, expected = quantized.read(name), dense.read(name)
        assert isinstance(expected, Tensor)
        if isinstance(matrix, ScaledTensor):
            matrices += 1
            matrix = matrix.dequantize()
        torch.testing.assert_close(matrix, expected, rtol=1e-6, atol=1e-6)
    assert matrices == 7 * dense.config.num_hidden_layers
    assert quantized.nbytes < dense.nbytes


def _edit(folder: Path, change: str) -> None:
    file = folder / "model.safetensors"
    tensors = load_file(file)
    name = next(name for name in tensors if name.endswith("layers.0.mlp.up_proj.weight_packed"))
    module = name.removesuffix("weight_packed")
    if change == "no scale":
        del tensors[f"{module}weight_scale"]
    elif change == "scales of another matrix":
        tensors[f"{module}weight_scale"] = tensors[f"{module}weight_scale"][:-1].contiguous()
    elif change == "fewer codes":
        tensors[name] = tensors[name][:, :-1].contiguous()
    save_file(tensors, file)


def test_a_matrix_without_its_scales_is_missing(reference: Reference, tmp_path: Path) -> None:
    folder, _ = write_quantized(reference, tmp_path, "w4a16")
    _edit(folder, "no scale")
    problems = find_problems(open_checkpoint(folder))
    assert ("missing", "layers.0.feed_forward.w3.weight") in [(each.kind, each.tensor) for each in problems]


def test_codes_of_another_shape_are_told(reference: Reference, tmp_path: Path) -> None:
    folder, _ = write_quantized(reference, tmp_path, "w4a16")
    _edit(folder, "fewer codes")
    with pytest.raises(CheckpointError, match=r"up_proj\.weight_packed' is \[.*\], but the configuration says"):
        check(open_checkpoint(folder))


def test_scales_that_do_not_fit_are_told(reference: Reference, tmp_path: Path) -> None:
    folder, _ = write_quantized(reference, tmp_path, "w4a16")
    _edit(folder, "scales of another matrix")
    checkpoint = open_checkpoint(folder)
    with pytest.raises(CheckpointError, match=r"the parts of '.*up_proj\.weight_packed' do not fit each other"):
        checkpoint.read("layers.0.feed_forward.w3.weight")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"quant_method": "quip"}, r"quant_method' is 'quip', but only 'compressed-tensors' or"),
        ({"quant_method": None}, r"quantization_config\.quant_method' is missing"),
        ({"bits": 3}, r"quantization_config\.bits' is 3"),
        ({"quant_method": "awq", "version": "gemv"}, "other packings"),
        ({"quant_method": "bitsandbytes", "bnb_4bit_quant_type": "fp4"}, "only nf4 is supported"),
        ({"quant_method": "compressed-tensors", "format": "nvfp4-pack-quantized"}, "nvfp4-pack-quantized"),
    ],
)
def test_other_kinds_are_refused(change: dict[str, object], message: str, reference: Reference, tmp_path: Path) -> None:
    folder, _ = write_quantized(reference, tmp_path, "gptq")
    file = folder / "config.json"
    table = json.loads(file.read_text())
    table["quantization_config"] |= change
    file.write_text(json.dumps(table))
    with pytest.raises(ConfigError, match=message):
        open_checkpoint(folder)
