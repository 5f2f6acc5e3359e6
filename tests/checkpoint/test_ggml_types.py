"""The table of element types, against the gguf package's."""

from __future__ import annotations

import pytest
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

from mistralet.checkpoint.ggml_types import GGML_TYPES, SUPPORTED_TYPES
from mistralet.quant import FORMATS


@pytest.mark.parametrize("number", GGML_TYPES)
def test_number_name_and_size_are_ggmls(number: int) -> None:
    ours, theirs = GGML_TYPES[number], GGMLQuantizationType(number)
    assert ours.name == theirs.name
    assert (ours.block_size, ours.block_bytes) == GGML_QUANT_SIZES[theirs]


def test_every_type_is_a_float_or_has_a_format() -> None:
    assert set(SUPPORTED_TYPES) == {"F32", "F16", "BF16", *FORMATS}
