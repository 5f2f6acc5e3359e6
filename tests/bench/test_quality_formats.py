"""The K formats made here give back what was put in, as well as their codes allow."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from bench.quality_formats import stored_bytes
from mistralet.quant import FORMATS, QuantizedTensor

# How far a weight of the normal distribution may be from itself, as a share of the root mean square.
RELATIVE_ERRORS = {"Q4_K": 0.09, "Q5_K": 0.045, "Q6_K": 0.025}

every_format = pytest.mark.parametrize("name", RELATIVE_ERRORS)


def restored(weight: Tensor, name: str) -> Tensor:
    data = torch.from_numpy(stored_bytes(weight, name))
    assert data.shape == (len(weight), FORMATS[name].row_bytes(weight.shape[1]))
    return QuantizedTensor(FORMATS[name], data, weight.shape[1]).dequantize()


@every_format
@pytest.mark.parametrize("shift", [-0.03, 0.0, 0.03])
def test_a_matrix_comes_back_close(shift: float, name: str) -> None:
    weight = 0.02 * torch.randn(20, 768, generator=torch.Generator().manual_seed(0)) + shift
    assert (restored(weight, name) - weight).norm() < RELATIVE_ERRORS[name] * weight.norm()


@every_format
def test_zeros_stay_zeros_beside_other_weights(name: str) -> None:
    weight = torch.randn(4, 512, generator=torch.Generator().manual_seed(0))
    weight[0], weight[1:, 64:320] = 0, 0
    assert (restored(weight, name)[weight == 0] == 0).all()


@every_format
def test_groups_of_unlike_size_keep_their_own_scale(name: str) -> None:
    sizes = torch.tensor([1.0, 0.5, 0.1, 0.05]).repeat_interleave(64)
    weight = torch.randn(30, 256, generator=torch.Generator().manual_seed(0)) * sizes
    back = restored(weight, name)
    for part in range(4):
        inside = slice(64 * part, 64 * part + 64)
        assert (back[:, inside] - weight[:, inside]).norm() < 4 * RELATIVE_ERRORS[name] * weight[:, inside].norm()
