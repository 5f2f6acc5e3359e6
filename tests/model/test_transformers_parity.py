"""The model computes what transformers computes, from every file format, with or without the cache."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from mistralet import ops
from mistralet.checkpoint import check, open_checkpoint
from mistralet.config import KVType
from mistralet.engine.load import load_weights
from mistralet.model import ForwardBatch, ImageRows, KVCache, MistralSmall
from mistralet.native import kernels
from mistralet.ops import blocks_for
from support.tiny_mistral import (
    Reference,
    mistral3_reference,
    mistral_reference,
    write_gguf,
    write_hf_new,
    write_hf_old,
    write_native,
)

TOLERANCE = 1e-4  # on logits of a scale of about 5
IMAGE_SIZES = [(56, 84), (84, 28)]  # height, width in pixels
WRITERS: dict[str, Callable[[Reference, Path], Path]] = {
    "hf-old": write_hf_old,
    "hf-new": write_hf_new,
    "hf-sharded": lambda reference, folder: write_hf_new(reference, folder, shards=3),
    "native": write_native,
    "native-sharded": lambda reference, folder: write_native(reference, folder, shards=2),
    "gguf-llama": write_gguf,
    "gguf-mistral3": lambda reference, folder: write_gguf(reference, folder, "mistral3"),
}


@pytest.fixture(scope="module")
def vision_reference() -> Reference:
    return mistral3_reference()


def image_prompt() -> list[int]:
    """Text, an image, text, another image, text: rows of [IMG]=10 joined by 12, the last ended by 13."""
    ids = [1, 3, 40]
    for height, width in IMAGE_SIZES:
        rows, columns = height // 28, width // 28
        for row in range(rows):
            ids += [10] * columns + [13 if row == rows - 1 else 12]
        ids += [50, 51]
    return [*ids, 4]


def images() -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(3, height, width, generator=generator) for height, width in IMAGE_SIZES]


def reference_logits(reference: Reference, ids: list[int], pictures: list[Tensor] | None = None) -> Tensor:
    inputs: dict[str, Tensor] = {"input_ids": torch.tensor([ids])}
    if pictures is not None:
        height = max(picture.shape[1] for picture in pictures)
        width = max(picture.shape[2] for picture in pictures)
        padded = torch.zeros(len(pictures), 3, height, width)
        for row, picture in zip(padded, pictures, strict=True):
            row[:, : picture.shape[1], : picture.shape[2]] = picture
        inputs |= {"pixel_values": padded, "image_sizes": torch.tensor(IMAGE_SIZES)}
    with torch.no_grad():
        logits: Tensor = reference.model(**inputs).logits[0]
    return logits


def load(path: Path, use_native: bool = True) -> MistralSmall:
    checkpoint = open_checkpoint(path)
    check(checkpoint)
    return load_weights(checkpoint, torch.device("cpu"), use_native=use_native)


def logits(model: MistralSmall, ids: list[int], pictures: list[Tensor] | None = None, chunk: int = 1000) -> Tensor:
    cache = KVCache(model.config, KVType.FLOAT32, torch.device("cpu"), blocks_for(len(ids)))
    with torch.inference_mode():
        rows = None if pictures is None else torch.cat(model.encode_images(pictures))
        parts = []
        for start in range(0, len(ids), chunk):
            part = ids[start : start + chunk]
            used = part.count(10)
            places = torch.tensor([place for place, token in enumerate(part) if token == 10], dtype=torch.int64)
            batch = ForwardBatch.alone(part, start, None if rows is None else ImageRows(places, rows[:used]))
            parts.append(model(batch, cache))
            rows = None if rows is None else rows[used:]
        return model.logits(torch.cat(parts))


@pytest.mark.parametrize("layout", WRITERS)
def test_text_and_images_match_transformers(layout: str, vision_reference: Reference, tmp_path: Path) -> None:
    model = load(WRITERS[layout](vision_reference, tmp_path))
    expected = reference_logits(vision_reference, image_prompt(), images())
    actual = logits(model, image_prompt(), images())
    assert expected.abs().max() > 1
    assert (actual - expected).abs().max() < TOLERANCE


@pytest.mark.parametrize("layout", WRITERS)
def test_text_only_release_matches_transformers(layout: str, tmp_path: Path) -> None:
    reference = mistral_reference()
    model = load(WRITERS[layout](reference, tmp_path))
    ids = [1, *range(20, 120)]
    assert (logits(model, ids) - reference_logits(reference, ids)).abs().max() < TOLERANCE


@pytest.mark.parametrize("layout", ["hf-old", "hf-new", "gguf-llama"])
def test_tied_embeddings_match_transformers(layout: str, tmp_path: Path) -> None:
    reference = mistral_reference(tie_word_embeddings=True)
    model = load(WRITERS[layout](reference, tmp_path))
    assert model.output.weight.data_ptr() == model.tok_embeddings.weight.data_ptr()
    ids = [1, 20, 30, 40]
    assert (logits(model, ids) - reference_logits(reference, ids)).abs().max() < TOLERANCE


def test_images_that_see_each_other_do_not_match(
    vision_reference: Reference, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the bound of each image the encoder computes something else: the parity test can fail."""
    model = load(write_native(vision_reference, tmp_path))
    of_segments = ops.PagedBatch.of_segments
    monkeypatch.setattr(ops.PagedBatch, "of_segments", lambda lengths: of_segments([sum(lengths)]))
    expected = reference_logits(vision_reference, image_prompt(), images())
    assert (logits(model, image_prompt(), images()) - expected).abs().max() > 100 * TOLERANCE


@pytest.mark.parametrize("chunk", [1, 2, 7])
def test_cached_decoding_equals_full_recomputation(chunk: int, vision_reference: Reference, tmp_path: Path) -> None:
    model = load(write_native(vision_reference, tmp_path))
    whole = logits(model, image_prompt(), images())
    stepwise = logits(model, image_prompt(), images(), chunk=chunk)
    assert (whole - stepwise).abs().max() < 1e-5


def test_the_kernels_take_bfloat16_weights_with_float32_activations(
    vision_reference: Reference, tmp_path: Path
) -> None:
    """Which is nearer to exact arithmetic than bfloat16 activations, as they are without the kernels."""
    from safetensors.torch import load_file, save_file

    folder = write_native(vision_reference, tmp_path)
    file = folder / "consolidated.safetensors"
    rounded = {name: tensor.to(torch.bfloat16) for name, tensor in load_file(file).items()}
    save_file({name: tensor.float() for name, tensor in rounded.items()}, file)
    expected = logits(load(folder), image_prompt(), images())
    save_file(rounded, file)

    without = load(folder, use_native=False)
    assert without.dtype == torch.bfloat16
    difference = (logits(without, image_prompt(), images()) - expected).abs().mean()
    assert difference < 0.1
    if kernels is not None:
        model = load(folder)
        assert model.dtype == torch.float32
        assert (logits(model, image_prompt(), images()) - expected).abs().mean() < 1e-3 * difference
