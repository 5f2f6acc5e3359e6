"""Encodes one picture with one program, as often as it is told to; the same random weights in every program.

The job is a line of JSON on standard input. Then every empty line is a round, answered by its seconds; at the end of
the input comes the last line: the most memory the process had.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.harness import peak_memory

if TYPE_CHECKING:
    from torch import Tensor

    from mistralet.config import ModelConfig

_SMALL = 140  # pixels of the warm-up's side
Encode = Callable[["Tensor"], "Tensor"]  # [3, side, side] to [image tokens, hidden_size]


@dataclass(frozen=True)
class Setting:
    """How a program computes."""

    program: str  # "mistralet" or "transformers"
    dtype: str = "float32"  # of transformers' weights and activations
    attention: str = "sdpa"  # transformers' name of its implementation


@dataclass(frozen=True)
class VisionJob:
    """What to encode."""

    setting: Setting
    threads: int
    layers: int
    side: int  # pixels
    features: str = ""  # file for what the last round gave; none if empty


def main() -> None:
    """Do the job of standard input."""
    facts = json.loads(sys.stdin.readline())
    job = VisionJob(**(facts | {"setting": Setting(**facts["setting"])}))
    os.environ["MISTRALET_THREADS"] = str(job.threads)  # read when mistralet is imported
    import torch

    torch.set_num_threads(job.threads)
    with torch.inference_mode():
        encode = (_mistralet if job.setting.program == "mistralet" else _transformers)(job)
        generator = torch.Generator().manual_seed(1)
        image = torch.randn(3, job.side, job.side, generator=generator)
        encode(image[:, :_SMALL, :_SMALL])
        print("ready", flush=True)
        for _ in sys.stdin:
            started = time.perf_counter()
            features = encode(image)
            print(time.perf_counter() - started, flush=True)
        if job.features:
            torch.save(features.float(), Path(job.features))
    print(peak_memory(), flush=True)


def shape_of(layers: int) -> ModelConfig:
    """Mistral Small 3.2, its encoder of pictures cut to a number of layers."""
    from mistralet.hub import RELEASES

    config = RELEASES["small-3.2"].config
    assert config.vision is not None
    return replace(config, vision=replace(config.vision, num_hidden_layers=layers))


def _weights(config: ModelConfig) -> Iterator[tuple[str, Tensor]]:
    """Encoder and projector in bfloat16, queries and keys in Mistral's order; a layer keeps the size of its input."""
    import torch

    from mistralet.config import part_of, tensor_shapes

    for seed, (name, shape) in enumerate(tensor_shapes(config).items()):
        if part_of(name) == "text":
            continue
        random = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
        columns = random[0].numel()
        yield name, (1 + 0.1 * random if len(shape) == 1 else random * (0.5 / columns**0.5)).to(torch.bfloat16)


def _mistralet(job: VisionJob) -> Encode:
    import torch

    from mistralet.model import MistralSmall
    from mistralet.model.layers import Linear, Weight
    from mistralet.native import kernels
    from mistralet.quant import pack, quantize_q8_0

    config = shape_of(job.layers)
    model = MistralSmall(config)
    model.dtype = torch.bfloat16 if kernels is None else torch.float32  # as a loaded model has it
    for name, weight in _weights(config):
        module = model.get_submodule(name.removesuffix(".weight"))
        assert isinstance(module, Weight)
        if isinstance(module, Linear) and kernels is not None:
            module.set_weight(pack(quantize_q8_0(weight)))
        else:
            module.set_weight(weight.to(model.dtype) if weight.dim() == 1 else weight)
    return lambda image: model.encode_images([image])[0]


def _transformers(job: VisionJob) -> Encode:
    import torch
    from transformers import Mistral3Config, MistralConfig, PixtralVisionConfig
    from transformers.models.mistral3.modeling_mistral3 import Mistral3MultiModalProjector
    from transformers.models.pixtral.modeling_pixtral import PixtralVisionModel

    config = shape_of(job.layers)
    vision = config.vision
    assert vision is not None
    shape = PixtralVisionConfig(
        hidden_size=vision.hidden_size,
        intermediate_size=vision.intermediate_size,
        num_hidden_layers=vision.num_hidden_layers,
        num_attention_heads=vision.num_attention_heads,
        image_size=vision.image_size,
        patch_size=vision.patch_size,
        hidden_act="silu",
        rope_parameters={"rope_theta": vision.rope_theta, "rope_type": "default"},
    )
    text = MistralConfig(hidden_size=config.hidden_size, rms_norm_eps=vision.projector_norm_eps)
    dtype = getattr(torch, job.setting.dtype)
    with torch.device("meta"):
        parts = torch.nn.ModuleDict(
            {
                "vision_tower": PixtralVisionModel(shape),
                "multi_modal_projector": Mistral3MultiModalProjector(
                    Mistral3Config(vision_config=shape, text_config=text, projector_hidden_act="gelu")
                ),
            }
        )
    parts = parts.to_empty(device="cpu").to(dtype).eval()
    tower: Any = parts["vision_tower"]
    projector = parts["multi_modal_projector"]
    tower.set_attn_implementation(job.setting.attention)
    # Not a weight, and so empty until it is computed again.
    tower.patch_positional_embedding = type(tower.patch_positional_embedding)(shape)
    unset = set(parts.state_dict())
    for name, weight in _weights(config):
        stored, target = _transformers_name(name), weight
        if name.endswith((".wq.weight", ".wk.weight")):
            by_pair = weight.unflatten(0, (vision.num_attention_heads, -1, 2))
            target = by_pair.transpose(1, 2).reshape(weight.shape)  # in transformers' order of rotary pairs
        parts.get_parameter(stored).data.copy_(target)
        unset.remove(stored)
    assert not unset, unset

    def encode(image: Tensor) -> Tensor:
        features = tower(image[None].to(dtype)).last_hidden_state[0]
        rows: Tensor = projector(features, torch.tensor([image.shape[1:]]))
        return rows

    return encode


def _transformers_name(name: str) -> str:
    """Mistral's name of a weight to transformers'."""
    for ours, theirs in (
        ("vision_encoder.", "vision_tower."),
        ("pre_mm_projector_norm.", "multi_modal_projector.norm."),
        ("patch_merger.", "multi_modal_projector.patch_merger."),
        ("vision_language_adapter.w_in.", "multi_modal_projector.linear_1."),
        ("vision_language_adapter.w_out.", "multi_modal_projector.linear_2."),
        (".attention.wq.", ".attention.q_proj."),
        (".attention.wk.", ".attention.k_proj."),
        (".attention.wv.", ".attention.v_proj."),
        (".attention.wo.", ".attention.o_proj."),
        (".feed_forward.w1.", ".feed_forward.gate_proj."),
        (".feed_forward.w2.", ".feed_forward.down_proj."),
        (".feed_forward.w3.", ".feed_forward.up_proj."),
    ):
        name = name.replace(ours, theirs)
    return name


if __name__ == "__main__":
    main()
