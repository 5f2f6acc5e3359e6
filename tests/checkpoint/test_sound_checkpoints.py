"""Only a whole model is opened: anything missing, unexpected, cut short or contradictory is one clear sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from mistralet.checkpoint import check, find_problems, open_checkpoint
from mistralet.checkpoint.hf import canonical_name
from mistralet.config import tensor_shapes
from mistralet.engine.load import load_weights
from mistralet.errors import CheckpointError, MistraletError
from support.tiny_mistral import Reference, mistral3_reference, write_gguf, write_hf_new, write_native


@pytest.fixture(scope="module")
def reference() -> Reference:
    return mistral3_reference()


@pytest.fixture
def native(reference: Reference, tmp_path: Path) -> Path:
    return write_native(reference, tmp_path / "native")


def refusal(path: Path, error: type[MistraletError] = CheckpointError) -> str:
    with pytest.raises(error) as caught:
        check(open_checkpoint(path))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def change(folder: Path, edit: Callable[[dict[str, torch.Tensor]], object]) -> Path:
    """The model with other tensors."""
    (file,) = folder.glob("*.safetensors")
    weights = load_file(file)
    edit(weights)
    save_file(weights, file)
    return folder


WQ = "layers.0.attention.wq.weight"


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        (lambda w: w.pop(WQ), f"'{WQ}' is missing"),
        (lambda w: w.pop("vision_encoder.ln_pre.weight"), "'vision_encoder.ln_pre.weight' is missing"),
        (lambda w: w.update(extra=torch.ones(2)), "'extra' is unexpected"),
        (lambda w: w.update({"layers.2.ffn_norm.weight": torch.ones(48)}), "is unexpected"),
        (lambda w: w.update({WQ: w[WQ][:, :-1].contiguous()}), "is [64, 47], but the configuration says [64, 48]"),
        (lambda w: w.update({WQ: w[WQ].to(torch.int8)}), "is stored as I8"),
        (lambda w: w.update({WQ: w[WQ].to(torch.float64)}), "is stored as F64"),
        (lambda w: w.clear() or w.update(x=torch.ones(1)), "more problems"),
    ],
)
def test_a_model_that_is_not_whole_is_not_loaded(
    edit: Callable[[dict[str, torch.Tensor]], object], complaint: str, native: Path
) -> None:
    assert complaint in refusal(change(native, edit))


def test_a_sound_model_has_no_problems(native: Path) -> None:
    assert find_problems(open_checkpoint(native)) == []


def test_hugging_face_names_of_both_layouts_mean_the_same() -> None:
    for old, new, name in [
        (
            "language_model.model.embed_tokens.weight",
            "model.language_model.embed_tokens.weight",
            "tok_embeddings.weight",
        ),
        ("language_model.lm_head.weight", "lm_head.weight", "output.weight"),
        (
            "language_model.model.layers.3.self_attn.q_proj.weight",
            "model.language_model.layers.3.self_attn.q_proj.weight",
            "layers.3.attention.wq.weight",
        ),
        (
            "vision_tower.transformer.layers.1.feed_forward.down_proj.weight",
            "model.vision_tower.transformer.layers.1.feed_forward.down_proj.weight",
            "vision_encoder.transformer.layers.1.feed_forward.w2.weight",
        ),
        (
            "multi_modal_projector.linear_1.weight",
            "model.multi_modal_projector.linear_1.weight",
            "vision_language_adapter.w_in.weight",
        ),
    ]:
        assert canonical_name(old) == canonical_name(new) == name
    for stranger in (
        "model.layers.0.mlp.experts.0.w1.weight",
        "vision_tower.post_norm.weight",
        "x",
        "model.layers.0.bias",
    ):
        assert canonical_name(stranger) is None


class TestGguf:
    def test_a_missing_tensor_is_named_and_a_cut_file_refused(self, reference: Reference, tmp_path: Path) -> None:
        path = write_gguf(reference, tmp_path)
        data = path.read_bytes()
        path.write_bytes(data.replace(b"blk.1.ffn_gate.weight", b"blk.1.ffn_gaze.weight"))
        assert "'layers.1.feed_forward.w1.weight' is missing (and 1 more problem)" in refusal(path)
        path.write_bytes(data[:-50])
        assert "cut short" in refusal(path)

    def test_without_its_mmproj_a_model_reads_text_only(self, reference: Reference, tmp_path: Path) -> None:
        path = write_gguf(reference, tmp_path)
        assert open_checkpoint(path).config.vision is not None
        (tmp_path / "mmproj-model.gguf").unlink()
        checkpoint = open_checkpoint(path)
        assert checkpoint.config.vision is None
        check(checkpoint)


@pytest.mark.parametrize("write", [write_native, write_hf_new, write_gguf])
def test_a_loaded_model_has_every_weight(write: Callable[..., Path], reference: Reference, tmp_path: Path) -> None:
    checkpoint = open_checkpoint(write(reference, tmp_path))
    model = load_weights(checkpoint, torch.device("cpu"))
    shapes = {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}
    assert shapes == tensor_shapes(checkpoint.config)
    assert not any(parameter.is_meta for parameter in model.parameters())
