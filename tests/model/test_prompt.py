from __future__ import annotations

import pytest
import torch

from mistralet.model import PromptImage

IMAGE = PromptImage(torch.empty(3, 56, 84), "a", start=4, columns=3, rows=2)  # tokens 4 5 6 | 8 9 10 |


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (0, 20, ([4, 5, 6, 8, 9, 10], 0)),
        (4, 12, ([4, 5, 6, 8, 9, 10], 0)),
        (5, 9, ([5, 6, 8], 1)),
        (7, 9, ([8], 3)),
        (7, 8, ([], 3)),
        (8, 20, ([8, 9, 10], 3)),
        (11, 20, ([], 6)),
    ],
)
def test_tokens_of_an_image_in_a_part_of_the_prompt(start: int, end: int, expected: tuple[list[int], int]) -> None:
    assert IMAGE.image_tokens(start, end) == expected


def test_its_length() -> None:
    assert (IMAGE.length, IMAGE.end) == (8, 12)
