"""Only a whole model is opened: anything missing, unexpected, cut short or contradictory is one clear sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from mistralet.checkpoint import check, find_problems, open_checkpoint
from mistralet.checkpoint.hf import canonical_name
from mistralet.config import tensor_shapes
from mistralet.engine.load import load_weights
from mistralet.errors import CheckpointError, ConfigError, MistraletError
from support.gguf_bytes import STRING, U32, RawTensor, gguf_bytes, key, scalar
from support.tiny_mistral import Reference, mistral3_reference, write_gguf, write_hf_new, write_hf_old, write_native


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


@pytest.mark.parametrize("length", [0, 4, 8, 100, 5000, -1])
def test_a_cut_safetensors_file_is_refused(length: int, native: Path) -> None:
    file = native / "consolidated.safetensors"
    file.write_bytes(file.read_bytes()[:length])
    assert "cut short or damaged" in refusal(native)


def test_a_header_longer_than_the_file_is_refused(native: Path) -> None:
    file = native / "consolidated.safetensors"
    file.write_bytes((2**62).to_bytes(8, "little") + file.read_bytes()[8:])
    assert "cut short or damaged" in refusal(native)


@pytest.mark.parametrize("write", [write_native, write_hf_new, write_hf_old])
def test_a_missing_shard_is_named(write: Callable[..., Path], reference: Reference, tmp_path: Path) -> None:
    folder = write(reference, tmp_path, shards=3)
    (shard,) = folder.glob("*-00002-of-00003.safetensors")
    shard.unlink()
    assert f"the shard '{shard.name}' is missing" in refusal(folder)
    (index,) = folder.glob("*.index.json")
    index.unlink()
    assert f"the shard '{shard.name}' is missing" in refusal(folder)


@pytest.mark.parametrize("name", ["../model.safetensors", "/etc/passwd", "sub/model.safetensors", "model.bin"])
def test_an_index_names_files_of_its_own_folder_only(name: str, reference: Reference, tmp_path: Path) -> None:
    folder = write_hf_new(reference, tmp_path, shards=2)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"x": name}}))
    assert "which is no safetensors file beside it" in refusal(folder)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"weight_map": 3}', "\xff"])
def test_a_damaged_index_is_refused(text: str, reference: Reference, tmp_path: Path) -> None:
    folder = write_hf_new(reference, tmp_path, shards=2)
    (folder / "model.safetensors.index.json").write_bytes(text.encode("latin-1"))
    with pytest.raises((CheckpointError, ConfigError), match=r"index\.json"):
        open_checkpoint(folder)


def test_a_tensor_in_two_shards_is_refused(reference: Reference, tmp_path: Path) -> None:
    folder = write_native(reference, tmp_path, shards=2)
    first, second = sorted(folder.glob("*.safetensors"))
    save_file(load_file(second) | {"norm.weight": torch.ones(48)}, second)
    save_file(load_file(first) | {"norm.weight": torch.ones(48)}, first)
    assert "'norm.weight' is also in" in refusal(folder)


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
        assert "'layers.1.feed_forward.w1.weight' is missing (and 1 more problems)" in refusal(path)
        path.write_bytes(data[:-50])
        assert "cut short" in refusal(path)

    def test_the_folder_will_do_if_it_holds_one_model(self, reference: Reference, tmp_path: Path) -> None:
        path = write_gguf(reference, tmp_path)
        assert open_checkpoint(tmp_path).path == path
        (tmp_path / "second.gguf").write_bytes(path.read_bytes())
        assert "holds 2 GGUF files" in refusal(tmp_path)

    def test_without_its_mmproj_a_model_reads_text_only(self, reference: Reference, tmp_path: Path) -> None:
        path = write_gguf(reference, tmp_path)
        assert open_checkpoint(path).config.vision is not None
        (tmp_path / "mmproj-model.gguf").unlink()
        checkpoint = open_checkpoint(path)
        assert checkpoint.config.vision is None
        check(checkpoint)

    def test_several_mmproj_files_are_refused(self, reference: Reference, tmp_path: Path) -> None:
        path = write_gguf(reference, tmp_path)
        (tmp_path / "mmproj-other.gguf").write_bytes((tmp_path / "mmproj-model.gguf").read_bytes())
        assert "several mmproj files" in refusal(path)

    def test_the_mmproj_itself_is_no_model(self, reference: Reference, tmp_path: Path) -> None:
        write_gguf(reference, tmp_path)
        assert "holds only a vision encoder" in refusal(tmp_path / "mmproj-model.gguf")

    def test_the_mmproj_of_another_model_is_refused(self, reference: Reference, tmp_path: Path) -> None:
        path = write_gguf(reference, tmp_path)
        mmproj = tmp_path / "mmproj-model.gguf"
        width = b"clip.vision.projection_dim" + (4).to_bytes(4, "little")
        data = mmproj.read_bytes()
        mmproj.write_bytes(data.replace(width + (48).to_bytes(4, "little"), width + (64).to_bytes(4, "little")))
        assert "'clip.vision.projection_dim' is 64, but only 48" in refusal(path, ConfigError)

    def test_a_part_of_a_split_file_is_refused(self, reference: Reference, tmp_path: Path) -> None:
        path = write_gguf(reference, tmp_path).rename(tmp_path / "model-00001-of-00002.gguf")
        assert "one part of a split GGUF" in refusal(path)

    def test_ollamas_single_file_with_vision_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "model.gguf"
        keys = [
            key("general.architecture", scalar(STRING, "mistral3")),
            key("mistral3.vision.block_count", scalar(U32, 24)),
        ]
        path.write_bytes(gguf_bytes(keys, [RawTensor("t", (4,), 0, 0)], bytes(32)))
        assert "separate mmproj file" in refusal(path, ConfigError)


def test_a_place_without_a_model_is_refused(tmp_path: Path) -> None:
    assert "holds no model" in refusal(tmp_path)
    (tmp_path / "notes.txt").write_text("hello")
    assert "is no model" in refusal(tmp_path / "notes.txt")


def test_of_two_formats_in_a_folder_the_one_with_weights_is_taken(reference: Reference, tmp_path: Path) -> None:
    write_hf_new(reference, tmp_path)
    (tmp_path / "params.json").write_text("{}")
    assert open_checkpoint(tmp_path).format == "huggingface"
    write_native(reference, tmp_path)
    assert open_checkpoint(tmp_path).format == "native"


@pytest.mark.parametrize("write", [write_native, write_hf_new, write_gguf])
def test_a_loaded_model_has_every_weight(write: Callable[..., Path], reference: Reference, tmp_path: Path) -> None:
    checkpoint = open_checkpoint(write(reference, tmp_path))
    model = load_weights(checkpoint, torch.device("cpu"))
    shapes = {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}
    assert shapes == tensor_shapes(checkpoint.config)
    assert not any(parameter.is_meta for parameter in model.parameters())
