"""tekken.json files of the releases, made from the vocabulary inside mistral-common (SPEC 3.3)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

CONTROL_NAMES = [
    *("<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]"),
    *("[/TOOL_RESULTS]", "[TOOL_CALLS]", "[IMG]", "<pad>", "[IMG_BREAK]", "[IMG_END]", "[PREFIX]", "[MIDDLE]"),
    *("[SUFFIX]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[TOOL_CONTENT]"),
]
_IMAGE = {"image_patch_size": 14, "max_image_size": 1540, "spatial_merge_size": 2}


def control_names(version: str) -> list[str]:
    """The 1000 control tokens, by id."""
    later = {} if version == "v7" else {32: "[ARGS]", 33: "[CALL_ID]"}
    return CONTROL_NAMES + [later.get(index, f"<SPECIAL_{index}>") for index in range(len(CONTROL_NAMES), 1000)]


# Name of a kind of file -> its Tekken version and the sections it has over the vocabulary.
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "v7": ("v7", {}),
    "v7-image": ("v7", {"image": _IMAGE}),
    "v11-image": ("v11", {"multimodal": _IMAGE}),
    "v13": ("v13", {"image": _IMAGE}),
}


def write_tekken(kind: str, path: Path) -> Path:
    """Write one of `KINDS` to `path`."""
    import mistral_common

    version, sections = KINDS[kind]
    text = (Path(mistral_common.__file__).parent / "data" / "tekken_240718.json").read_text(encoding="utf-8")
    text = text.replace('"version": "v3"', f'"version": "{version}"')
    if version != "v7":
        names = enumerate(control_names(version))
        sections = sections | {
            "special_tokens": [{"rank": rank, "token_str": name, "is_control": True} for rank, name in names]
        }
    if sections:
        text = json.dumps(sections)[:-1] + "," + text.lstrip().removeprefix("{")
    path.write_text(text, encoding="utf-8")
    return path


def gguf_metadata(tekken_path: Path) -> dict[str, Any]:
    """The tokenizer keys a GGUF made from `tekken_path` holds."""
    from gguf.vocab import bytes_to_unicode

    from mistralet.tokenizer import TekkenTokenizer

    raw = TekkenTokenizer.from_file(tekken_path).raw
    alphabet = bytes_to_unicode()
    control = [raw.id_to_piece(index) for index in range(1000)]
    ranked = ["".join(alphabet[byte] for byte in raw.id_to_byte_piece(index)) for index in range(1000, raw.n_words)]
    return {
        "general.architecture": "llama",
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "tekken",
        "tokenizer.ggml.tokens": control + ranked,
        "tokenizer.ggml.token_type": [3] * len(control) + [1] * len(ranked),
        "tokenizer.ggml.merges": ["Ġ t"],
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.add_bos_token": True,
    }
