"""Tiny random Mistral Small 3 models, as transformers builds them, written in every format mistralet reads."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from mistralet.checkpoint.hf import canonical_name, interleave_rotary_rows

TEXT = {
    "hidden_size": 48,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "vocab_size": 128,
    "rms_norm_eps": 1e-5,
    "max_position_embeddings": 1024,
    "sliding_window": None,
    "hidden_act": "silu",
}
VISION = {
    "hidden_size": 64,
    "intermediate_size": 80,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "head_dim": 16,
    "patch_size": 14,
    "image_size": 1540,
    "num_channels": 3,
    "hidden_act": "silu",
}
ROPE_THETA = 1e9
VISION_ROPE_THETA = 1e4


@dataclass(frozen=True)
class Reference:
    """A transformers model and its configuration as a `config.json` table (old layout)."""

    model: Any
    config: dict[str, Any]

    @property
    def has_vision(self) -> bool:
        return "vision_config" in self.config

    def state(self) -> dict[str, Tensor]:
        """Weights under the names of new transformers."""
        return {name: tensor.detach().contiguous() for name, tensor in self.model.state_dict().items()}


def mistral3_reference() -> Reference:
    """A random model with vision, as of releases 3.1 and 3.2, in float32."""
    from transformers import Mistral3Config, Mistral3ForConditionalGeneration

    text = {**TEXT, "model_type": "mistral", "rope_theta": ROPE_THETA}
    vision = {**VISION, "model_type": "pixtral", "rope_theta": VISION_ROPE_THETA}
    table = {
        "model_type": "mistral3",
        "image_token_index": 10,
        "multimodal_projector_bias": False,
        "projector_hidden_act": "gelu",
        "spatial_merge_size": 2,
        "vision_feature_layer": -1,
        "tie_word_embeddings": False,
        "text_config": text,
        "vision_config": vision,
    }
    config = Mistral3Config(
        **{key: value for key, value in table.items() if key not in ("text_config", "vision_config", "model_type")},
        text_config=_with_rope_parameters(text),
        vision_config=_with_rope_parameters(vision),
    )
    return Reference(_randomise(Mistral3ForConditionalGeneration(config)), table)


def mistral_reference(tie_word_embeddings: bool = False) -> Reference:
    """A random text-only model, as of release 3.0, in float32."""
    from transformers import MistralConfig, MistralForCausalLM

    table = {**TEXT, "model_type": "mistral", "rope_theta": 1e8, "tie_word_embeddings": tie_word_embeddings}
    config = MistralConfig(**_with_rope_parameters(table))
    return Reference(_randomise(MistralForCausalLM(config)), table)


def write_hf_new(reference: Reference, folder: Path, shards: int = 1) -> Path:
    """Names and configuration as transformers 5 has them."""
    table = json.loads(json.dumps(reference.config))
    for part in (table, table.get("text_config"), table.get("vision_config")):
        if part and "rope_theta" in part:
            part["rope_parameters"] = {"rope_theta": part.pop("rope_theta"), "rope_type": "default"}
    return _write_safetensors(folder, "config.json", table, "model", _without_tied(reference), shards)


def write_hf_old(reference: Reference, folder: Path, shards: int = 1) -> Path:
    """Names and configuration as transformers 4.51 and older had them."""
    state = {_old_name(name): tensor for name, tensor in _without_tied(reference).items()}
    return _write_safetensors(folder, "config.json", reference.config, "model", state, shards)


def write_native(reference: Reference, folder: Path, shards: int = 1) -> Path:
    """Mistral's own names, rotary order and `params.json`."""
    text = reference.config.get("text_config", reference.config)
    params = {
        "dim": text["hidden_size"],
        "n_layers": text["num_hidden_layers"],
        "head_dim": text["head_dim"],
        "hidden_dim": text["intermediate_size"],
        "n_heads": text["num_attention_heads"],
        "n_kv_heads": text["num_key_value_heads"],
        "norm_eps": text["rms_norm_eps"],
        "vocab_size": text["vocab_size"],
        "rope_theta": text["rope_theta"],
        "max_position_embeddings": text["max_position_embeddings"],
    }
    if reference.has_vision:
        params["vision_encoder"] = {
            **{key: value for key, value in VISION.items() if key not in ("head_dim", "hidden_act")},
            "max_image_size": VISION["image_size"],
            "rope_theta": VISION_ROPE_THETA,
            "adapter_bias": False,
            "mm_projector_id": "patch_merge",
            "spatial_merge_size": 2,
            "add_pre_mm_projector_layer_norm": True,
            "image_token_id": 10,
            "image_break_token_id": 12,
            "image_end_token_id": 13,
        }
    return _write_safetensors(folder, "params.json", params, "consolidated", native_state(reference), shards)


def native_state(reference: Reference) -> dict[str, Tensor]:
    """Weights under canonical names, query and key rows interleaved."""
    text = reference.config.get("text_config", reference.config)
    state = {}
    for stored_name, tensor in _without_tied(reference).items():
        name = canonical_name(stored_name)
        assert name is not None, stored_name
        if name.endswith((".wq.weight", ".wk.weight")):
            heads = text["num_attention_heads"] if name.endswith(".wq.weight") else text["num_key_value_heads"]
            heads = VISION["num_attention_heads"] if name.startswith("vision") else heads
            state[name] = interleave_rotary_rows(tensor, heads).contiguous()
        else:
            state[name] = tensor
    return state


def write_gguf(reference: Reference, folder: Path, architecture: str = "llama") -> Path:
    """An F32 text file, and an mmproj file beside it if the model has vision."""
    folder.mkdir(parents=True, exist_ok=True)
    text = reference.config.get("text_config", reference.config)
    writer = gguf.GGUFWriter(folder / "model.gguf", architecture)
    writer.add_block_count(text["num_hidden_layers"])
    writer.add_context_length(text["max_position_embeddings"])
    writer.add_embedding_length(text["hidden_size"])
    writer.add_feed_forward_length(text["intermediate_size"])
    writer.add_head_count(text["num_attention_heads"])
    writer.add_head_count_kv(text["num_key_value_heads"])
    writer.add_key_length(text["head_dim"])
    writer.add_value_length(text["head_dim"])
    writer.add_layer_norm_rms_eps(text["rms_norm_eps"])
    writer.add_rope_freq_base(text["rope_theta"])
    writer.add_rope_dimension_count(text["head_dim"])
    writer.add_vocab_size(text["vocab_size"])
    state = native_state(reference)
    _finish_gguf(writer, {_gguf_name(name): tensor for name, tensor in state.items() if not _is_visual(name)})
    if reference.has_vision:
        _write_mmproj(folder / "mmproj-model.gguf", state, text["hidden_size"])
    return folder / "model.gguf"


def _write_mmproj(path: Path, state: dict[str, Tensor], text_size: int) -> None:
    writer = gguf.GGUFWriter(path, "clip")
    writer.add_bool("clip.has_vision_encoder", True)
    writer.add_string("clip.projector_type", "pixtral")
    writer.add_bool("clip.use_silu", True)
    for key, value in (
        ("image_size", VISION["image_size"]),
        ("patch_size", VISION["patch_size"]),
        ("embedding_length", VISION["hidden_size"]),
        ("feed_forward_length", VISION["intermediate_size"]),
        ("block_count", VISION["num_hidden_layers"]),
        ("attention.head_count", VISION["num_attention_heads"]),
        ("projection_dim", text_size),
        ("spatial_merge_size", 2),
    ):
        writer.add_uint32(f"clip.vision.{key}", value)
    writer.add_float32("clip.vision.attention.layer_norm_epsilon", 1e-5)
    writer.add_array("clip.vision.image_mean", [0.48145466, 0.4578275, 0.40821073])
    writer.add_array("clip.vision.image_std", [0.26862954, 0.26130258, 0.27577711])
    tensors = {_gguf_name(name): tensor for name, tensor in state.items() if _is_visual(name)}
    tensors["v.token_embd.img_break"] = state["tok_embeddings.weight"][12]
    _finish_gguf(writer, tensors)


def _finish_gguf(writer: Any, tensors: dict[str, Tensor]) -> None:
    for name, tensor in tensors.items():
        writer.add_tensor(name, tensor.numpy().astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _write_safetensors(
    folder: Path, config_name: str, config: dict[str, Any], stem: str, state: dict[str, Tensor], shards: int
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / config_name).write_text(json.dumps(config))
    if shards == 1:
        save_file(state, folder / f"{stem}.safetensors")
        return folder
    names = list(state)
    weight_map = {}
    for shard in range(shards):
        file = f"{stem}-{shard + 1:05}-of-{shards:05}.safetensors"
        part = {name: state[name] for name in names[shard::shards]}
        save_file(part, folder / file)
        weight_map |= dict.fromkeys(part, file)
    (folder / f"{stem}.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    return folder


def _randomise(model: Any) -> Any:
    """Weights large enough that every operation shows in the logits; norms away from one."""
    torch.manual_seed(0)
    for name, parameter in model.named_parameters():
        is_norm = parameter.dim() == 1
        torch.nn.init.normal_(parameter, mean=1.0 if is_norm else 0.0, std=0.1 if is_norm else 0.15)
        assert "bias" not in name
    return model.eval().to(torch.float32)


def _without_tied(reference: Reference) -> dict[str, Tensor]:
    state = reference.state()
    if reference.config["tie_word_embeddings"]:
        del state["lm_head.weight"]
    return state


def _with_rope_parameters(table: dict[str, Any]) -> dict[str, Any]:
    inner = {key: value for key, value in table.items() if key != "rope_theta"}
    return {**inner, "rope_parameters": {"rope_theta": table["rope_theta"], "rope_type": "default"}}


def _old_name(name: str) -> str:
    for new, old in (
        ("model.language_model.", "language_model.model."),
        ("model.vision_tower.", "vision_tower."),
        ("model.multi_modal_projector.", "multi_modal_projector."),
    ):
        if name.startswith(new):
            return old + name.removeprefix(new)
    return name


def _is_visual(name: str) -> bool:
    return name.startswith(("vision_", "patch_merger", "pre_mm"))


def _gguf_name(name: str) -> str:
    fixed = {
        "tok_embeddings.weight": "token_embd.weight",
        "norm.weight": "output_norm.weight",
        "output.weight": "output.weight",
        "vision_encoder.patch_conv.weight": "v.patch_embd.weight",
        "vision_encoder.ln_pre.weight": "v.pre_ln.weight",
        "pre_mm_projector_norm.weight": "mm.input_norm.weight",
        "patch_merger.merging_layer.weight": "mm.patch_merger.weight",
        "vision_language_adapter.w_in.weight": "mm.1.weight",
        "vision_language_adapter.w_out.weight": "mm.2.weight",
    }
    if name in fixed:
        return fixed[name]
    visual = name.startswith("vision_encoder.")
    layer, leaf = name.removeprefix("vision_encoder.transformer.").removeprefix("layers.").split(".", 1)
    leaves = {
        "attention_norm.weight": "ln1" if visual else "attn_norm",
        "ffn_norm.weight": "ln2" if visual else "ffn_norm",
        "attention.wq.weight": "attn_q",
        "attention.wk.weight": "attn_k",
        "attention.wv.weight": "attn_v",
        "attention.wo.weight": "attn_out" if visual else "attn_output",
        "feed_forward.w1.weight": "ffn_gate",
        "feed_forward.w2.weight": "ffn_down",
        "feed_forward.w3.weight": "ffn_up",
    }
    return f"{'v.' if visual else ''}blk.{layer}.{leaves[leaf]}.weight"
