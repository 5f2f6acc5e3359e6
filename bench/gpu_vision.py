"""Pictures on a device: encoder and projector, from pixels to rows of the text decoder's width."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

import torch

from bench.bars import Figure
from bench.gpu_card import Card, seconds
from bench.report import Row
from bench.work import picture_operations
from mistralet.config import VisionConfig
from mistralet.model import MistralSmall


def picture_figures(
    model: MistralSmall, cases: Iterable[tuple[int, int]], card: Card, times: int
) -> Iterator[Figure | str]:
    """Pictures a second; a sentence in place of what there is no room for.

    Args:
        cases: how many pictures at once, and the pixels of their sides.
    """
    vision = model.config.vision
    assert vision is not None
    for count, side in cases:
        what = f"{count} of {side:,} x {side:,} pixels at once"
        yield card.if_it_fits(
            what, _activation_bytes(vision, count, side), partial(_figure, what, model, count, side, card, times)
        )


def _figure(what: str, model: MistralSmall, count: int, side: int, card: Card, times: int) -> Figure:
    pictures = [torch.randn(3, side, side, device=card.device, dtype=torch.bfloat16) for _ in range(count)]

    @torch.inference_mode()
    def encode() -> object:
        return model.encode_images(pictures)

    samples = [count / each for each in seconds(encode, card.device, times)]
    limit = card.rate / picture_operations(model.config, side)
    return Figure(Row(what, "pictures/s", samples, [limit]), "the matrix rate")


def _activation_bytes(vision: VisionConfig, count: int, side: int) -> int:
    """Roughly what a layer works with."""
    patches = count * (side // vision.patch_size) ** 2
    return 2 * patches * (8 * vision.hidden_size + 3 * vision.intermediate_size)
