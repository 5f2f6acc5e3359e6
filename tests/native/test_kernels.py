"""The native kernels against plain arithmetic, for every instruction set of this processor."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mistralet.native import kernels
from mistralet.ops import SCORE_BLOCK, linear, norm_linear, rms_norm, score
from mistralet.quant import FORMATS, BlockFormat, QuantizedTensor, pack

if kernels is None:
    pytest.skip("the native kernels were not built", allow_module_level=True)

SETS = kernels.instruction_sets()
# Bytes of a block at which float16 numbers stand: scales, then offsets or scales of the minima.
HALVES = {name: [0, 2] for name in FORMATS} | {"Q4_0": [0], "Q5_0": [0], "Q8_0": [0], "Q6_K": [208]}


def random_matrix(block_format: BlockFormat, rows: int, columns: int, seed: int = 0) -> QuantizedTensor:
    """Random codes, and scales of a model's size."""
    random = np.random.default_rng(seed)
    blocks = random.integers(0, 256, (rows, columns // block_format.block_size, block_format.block_bytes), np.uint8)
    for offset in HALVES[block_format.name]:
        scales = random.uniform(-0.01, 0.01, blocks.shape[:2]).astype(np.float16)
        blocks[..., offset : offset + 2] = scales[..., None].view(np.uint8)
    return QuantizedTensor(block_format, torch.from_numpy(blocks).view(rows, -1), columns)


def rounded(x: Tensor) -> Tensor:
    """Activations as the kernels see them: 8 bits in groups of 32."""
    groups = x.view(len(x), -1, 32)
    largest = groups.abs().amax(-1, keepdim=True)
    return (torch.round(groups * (127 / largest)) * (largest / 127)).view(x.shape)


def activations(tokens: int, columns: int, seed: int = 1) -> Tensor:
    return torch.randn(tokens, columns, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("instruction_set", SETS)
@pytest.mark.parametrize("name", FORMATS)
def test_a_product_is_that_of_the_rounded_activations(name: str, instruction_set: str) -> None:
    kernels.configure(2, instruction_set)
    weight = random_matrix(FORMATS[name], rows=50, columns=768)
    x = activations(18, 768)
    expected = rounded(x).double() @ weight.dequantize().double().T
    actual = linear(x, pack(weight))
    assert (actual - expected).abs().max() < 2e-6 * 768 * weight.dequantize().abs().max()
    assert (actual - x @ weight.dequantize().T).norm() < 0.01 * actual.norm()


@pytest.mark.parametrize("name", FORMATS)
def test_every_instruction_set_gives_the_same_bits(name: str) -> None:
    weight = pack(random_matrix(FORMATS[name], rows=33, columns=512))
    results = []
    for instruction_set in SETS:
        kernels.configure(2, instruction_set)
        results.append(linear(activations(5, 512), weight))
    assert all(torch.equal(result, results[0]) for result in results)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    name=st.sampled_from(sorted(FORMATS)),
    rows=st.integers(1, 70),
    blocks=st.integers(1, 5),
    tokens=st.integers(1, 40),
    threads=st.integers(1, 3),
    seed=st.integers(0, 1000),
)
def test_a_row_does_not_depend_on_its_company(
    name: str, rows: int, blocks: int, tokens: int, threads: int, seed: int
) -> None:
    """Bit for bit the same alone and in any batch, whatever the sizes and the number of threads."""
    columns = blocks * FORMATS[name].block_size
    weight = pack(random_matrix(FORMATS[name], rows, columns, seed))
    x = activations(tokens, columns, seed)
    kernels.configure(threads, SETS[0])
    together = linear(x, weight)
    kernels.configure(1, SETS[0])
    alone = torch.cat([linear(row[None], weight) for row in x])
    assert torch.equal(together, alone)


def test_several_matrices_take_the_normalised_rows_each_by_itself() -> None:
    weights = [
        pack(random_matrix(FORMATS[name], rows, 512)) for name, rows in (("Q4_K", 40), ("Q6_K", 17), ("Q8_0", 5))
    ]
    x, norm = activations(7, 512), activations(1, 512, seed=2)[0]
    for weight, result in zip(weights, norm_linear(x, norm, 1e-5, weights), strict=True):
        assert torch.equal(result, norm_linear(x, norm, 1e-5, [weight])[0])
        assert (result - linear(rms_norm(x, norm, 1e-5), weight)).norm() < 1e-3 * result.norm()


@pytest.mark.parametrize("instruction_set", SETS)
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("rows", [1, 130, 1300])
@pytest.mark.parametrize("stored", ["Q4_1", "float32"])
def test_scores_are_the_product_and_come_with_the_largest_of_each_block(
    stored: str, rows: int, threads: int, instruction_set: str
) -> None:
    kernels.configure(threads, instruction_set)
    matrix = random_matrix(FORMATS["Q4_1"], rows, 64)
    weight = pack(matrix) if stored == "Q4_1" else matrix.dequantize()
    x, norm = activations(5, 64), activations(1, 64, seed=2)[0]
    scores, maxima = score(x, norm, 1e-5, weight)
    assert torch.equal(scores, norm_linear(x, norm, 1e-5, [weight])[0])
    assert maxima is not None
    assert torch.equal(maxima, torch.stack([block.amax(-1) for block in scores.split(SCORE_BLOCK, -1)], -1))


@pytest.mark.parametrize("instruction_set", SETS)
def test_a_score_that_is_no_number_shows_in_its_block_alone(instruction_set: str) -> None:
    kernels.configure(2, instruction_set)
    weight = torch.ones(300, 32)
    weight[200, 7] = torch.nan
    _, maxima = score(torch.ones(2, 32), torch.ones(32), 1e-5, weight)
    assert maxima is not None
    assert maxima.isnan().tolist() == [[False, True, False]] * 2


def test_4096_tokens_through_one_thread() -> None:
    kernels.configure(1, SETS[0])
    weight = pack(random_matrix(FORMATS["Q4_0"], rows=20, columns=64))
    x = activations(4096, 64)
    assert torch.equal(linear(x, weight)[4095:], linear(x[4095:], weight))


@pytest.mark.parametrize("instruction_set", SETS)
@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("sign", [1, -1])
def test_the_largest_codes_and_activations_do_not_overflow(name: str, instruction_set: str, sign: int) -> None:
    """Every sum of products is as large as it can be: narrow sums would wrap around."""
    kernels.configure(1, instruction_set)
    weight = random_matrix(FORMATS[name], rows=16, columns=512)
    largest = weight.data.clone().view(16, -1, FORMATS[name].block_bytes)
    for byte in set(range(FORMATS[name].block_bytes)) - {h + i for h in HALVES[name] for i in (0, 1)}:
        largest[..., byte] = 0x80 if name == "Q8_0" else 0xFF
    weight = QuantizedTensor(weight.format, largest.view(16, -1), weight.columns)
    x = torch.full((2, 512), float(sign))
    expected = x.double() @ weight.dequantize().double().T
    assert torch.allclose(linear(x, pack(weight)).double(), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("value", [0.0, 1e-38, 1e30])
def test_activations_of_any_size_give_finite_results(value: float) -> None:
    weight = pack(random_matrix(FORMATS["Q4_1"], rows=16, columns=32))
    result = linear(torch.full((1, 32), value), weight)
    assert torch.isfinite(result).all()
    if value < 1e-30:
        assert (result == 0).all()


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_can_multiply() -> None:
    """The threads stay behind in the parent; the child must not wait for them."""
    weight, x = pack(random_matrix(FORMATS["Q8_0"], rows=600, columns=64)), activations(1, 64)
    kernels.configure(3, SETS[0])
    expected = linear(x, weight)
    child = os.fork()
    if child == 0:
        os._exit(0 if torch.equal(linear(x, weight), expected) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_an_unknown_instruction_set_is_refused() -> None:
    with pytest.raises(ValueError, match="no such instruction set"):
        kernels.configure(1, "mmx")
