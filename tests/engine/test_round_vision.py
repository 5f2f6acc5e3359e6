"""Rounded to 8 bits, the encoder of pictures gives nearly the features of float32."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from mistralet.config import ModelConfig, tensor_shapes
from mistralet.engine.load import load_weights
from mistralet.model import MistralSmall
from mistralet.model.layers import Linear
from mistralet.native import kernels
from mistralet.quant import PackedTensor
from support.random_models import TEXT_AND_VISION, checkpoint_of

if kernels is None:
    pytest.skip("the native kernels were not built", allow_module_level=True)

assert TEXT_AND_VISION.vision is not None
VISION = replace(
    TEXT_AND_VISION.vision,
    hidden_size=128,
    intermediate_size=512,
    num_hidden_layers=24,
    num_attention_heads=2,
    head_dim=64,
)
CONFIG = replace(TEXT_AND_VISION, hidden_size=64, vision=VISION)


def weights(config: ModelConfig, sharpness: float) -> dict[str, Tensor]:
    """A tower as deep as the real one whose layers each add to their input; `sharpness` of its attention."""
    generator = torch.Generator().manual_seed(0)

    def weight(name: str, shape: tuple[int, ...]) -> Tensor:
        random = torch.randn(shape, generator=generator)
        if len(shape) == 1:
            return 1 + 0.1 * random
        return random / random[0].numel() ** 0.5 * (sharpness if ".wq." in name or ".wk." in name else 0.7)

    return {name: weight(name, shape) for name, shape in tensor_shapes(config).items()}


def features(model: MistralSmall) -> Tensor:
    image = torch.randn(3, 112, 140, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        return model.encode_images([image])[0]


@pytest.mark.parametrize("sharpness", [0.5, 1.0])
def test_features_keep_their_direction(sharpness: float) -> None:
    checkpoint = checkpoint_of(CONFIG, weights(CONFIG, sharpness))
    device = torch.device("cpu")
    exact = features(load_weights(checkpoint, device))
    rounded = features(load_weights(checkpoint, device, round_vision=True))
    assert torch.cosine_similarity(rounded, exact).min() > 0.999
    assert not torch.equal(rounded, exact)


@pytest.mark.parametrize("sharpness", [1.0, 2.0])
def test_rounding_loses_little_more_than_computing_in_bfloat16(sharpness: float) -> None:
    """In which the model was published; a tower of sharp attention multiplies every rounding.

    1.2 to 2.0 times as much, seen with twelve towers.
    """
    drawn = weights(CONFIG, sharpness)
    halves = {name: weight.bfloat16() for name, weight in drawn.items()}
    device = torch.device("cpu")
    exact = features(load_weights(checkpoint_of(CONFIG, drawn), device))
    rounded = features(load_weights(checkpoint_of(CONFIG, drawn), device, round_vision=True))
    half = features(load_weights(checkpoint_of(CONFIG, halves), device, torch.bfloat16, use_native=False)).float()
    loss, loss_of_bfloat16 = (1 - torch.cosine_similarity(other, exact).mean() for other in (rounded, half))
    assert loss < 2.5 * loss_of_bfloat16


def test_only_matrices_of_encoder_and_projector_are_rounded() -> None:
    checkpoint = checkpoint_of(CONFIG, weights(CONFIG, 1))
    model = load_weights(checkpoint, torch.device("cpu"), round_vision=True)
    for name, module in model.named_modules():
        if isinstance(module, Linear):
            assert isinstance(module.weight, PackedTensor) == name.startswith(("vision", "patch_merger")), name


def test_without_being_asked_nothing_is_rounded() -> None:
    model = load_weights(checkpoint_of(CONFIG, weights(CONFIG, 1)), torch.device("cpu"))
    assert not any(isinstance(module.weight, PackedTensor) for module in model.modules() if isinstance(module, Linear))


def test_rows_that_are_no_whole_blocks_stay_as_they_are() -> None:
    """The second matrix of these feed-forward layers has 48 columns."""
    checkpoint = checkpoint_of(TEXT_AND_VISION, weights(TEXT_AND_VISION, 1))
    model = load_weights(checkpoint, torch.device("cpu"), round_vision=True)
    feed_forward = model.vision_encoder.transformer.layers[0].feed_forward
    assert isinstance(feed_forward.w1.weight, PackedTensor)
    assert isinstance(feed_forward.w2.weight, Tensor)
    assert features(model).isfinite().all()
