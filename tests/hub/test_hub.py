"""From a name to files on disk, against a real HTTP server that speaks Hugging Face's endpoints."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import platformdirs
import pytest
from hub_server import FakeHub, serve

from mistralet.errors import ConfigError, ModelNotFoundError
from mistralet.hub import tiny
from mistralet.hub.local import list_local
from mistralet.hub.lookup import ResolvedModel, download, find_local, resolve
from mistralet.hub.names import ALIASES

REPO = "org/mistral-small"
PARAMS = {
    "dim": 5120,
    "n_layers": 40,
    "head_dim": 128,
    "hidden_dim": 32768,
    "n_heads": 32,
    "n_kv_heads": 8,
    "norm_eps": 1e-5,
    "vocab_size": 131072,
    "rope_theta": 1e8,
    "max_seq_len": 32768,
}
HF_CONFIG = {
    "model_type": "mistral",
    "hidden_size": 5120,
    "intermediate_size": 32768,
    "num_hidden_layers": 40,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "rms_norm_eps": 1e-5,
    "vocab_size": 131072,
    "rope_theta": 1e8,
    "max_position_embeddings": 32768,
}
SIDE_FILES = ["README.md", "SYSTEM_PROMPT.txt", "generation_config.json", "tekken.json", "tokenizer.json"]


def contents(*names: str, **texts: Any) -> dict[str, bytes]:
    """Files with distinct contents; `params` and `config` are JSON tables."""
    tables = {f"{key}.json": json.dumps(value).encode() for key, value in texts.items()}
    return {name: f"content of {name}".encode() * 10 for name in names} | tables


NATIVE = contents(
    "consolidated.safetensors", "model-00001-of-00001.safetensors", *SIDE_FILES, params=PARAMS, config=HF_CONFIG
)
HUGGINGFACE = contents(
    "model-00001-of-00002.safetensors",
    "model-00002-of-00002.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "preprocessor_config.json",
    *SIDE_FILES,
    config=HF_CONFIG,
)
GGUF = contents(
    "m-Q4_K_M.gguf", "m-Q4_K_M_L.gguf", "m-Q8_0.gguf", "mmproj-m-bf16.gguf", "mmproj-m-f16.gguf", "README.md"
)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A server to download from, an empty cache, and no configuration."""
    import huggingface_hub
    from huggingface_hub import constants

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("MISTRALET_MODEL", raising=False)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with serve() as hub:
        # The library reads its environment variables once, when it is imported.
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.url + "/{repo_id}/resolve/{revision}/{filename}"
        )
        monkeypatch.setattr(constants, "HF_HOME", str(tmp_path / "hf"))
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hf" / "hub"))
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "hf" / "token"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        yield hub
        huggingface_hub.close_session()


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """HF_HUB_OFFLINE=1."""
    from huggingface_hub import close_session, constants

    close_session()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)


@pytest.mark.parametrize(
    ("files", "name", "path", "fetched"),
    [
        (
            NATIVE,
            REPO,
            "",
            ["SYSTEM_PROMPT.txt", "consolidated.safetensors", "generation_config.json", "params.json", "tekken.json"],
        ),
        (
            HUGGINGFACE,
            REPO,
            "",
            [
                "SYSTEM_PROMPT.txt",
                "config.json",
                "generation_config.json",
                "model-00001-of-00002.safetensors",
                "model-00002-of-00002.safetensors",
                "model.safetensors.index.json",
                "preprocessor_config.json",
                "tekken.json",
            ],
        ),
        (GGUF, REPO, "m-Q4_K_M.gguf", ["m-Q4_K_M.gguf", "mmproj-m-f16.gguf"]),
        (GGUF, f"{REPO}:q8_0", "m-Q8_0.gguf", ["m-Q8_0.gguf", "mmproj-m-f16.gguf"]),
    ],
    ids=["native", "huggingface", "gguf", "gguf-by-tag"],
)
def test_only_the_files_of_one_format_are_fetched_and_only_once(
    hub: FakeHub, files: dict[str, bytes], name: str, path: str, fetched: list[str]
) -> None:
    hub.repos[REPO] = files
    resolved = resolve(name)
    assert hub.sent_files() == fetched
    folder = resolved.path.parent if path else resolved.path
    assert (resolved.name, resolved.path, resolved.is_stand_in) == (name, folder / path, False)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == {file: files[file] for file in fetched}

    asked = hub.request_count
    assert find_local(name) == resolve(name) == resolved
    assert hub.request_count == asked


def test_an_alias_is_its_release_s_repository(hub: FakeHub) -> None:
    hub.repos[ALIASES["small-3.2:q4"].repo] = GGUF
    assert resolve("small-3.2:q4").path.name == "m-Q4_K_M.gguf"


def test_a_whole_copy_needs_no_network(hub: FakeHub, request: pytest.FixtureRequest) -> None:
    hub.repos[REPO] = NATIVE
    resolved = resolve(REPO)
    request.getfixturevalue("offline")
    assert resolve(REPO) == resolved


def test_a_broken_connection_is_resumed_where_it_broke(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(time, "sleep", lambda _seconds: None)  # the pause before the library tries again
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 50)  # bytes it keeps at a time
    hub.repos[REPO] = NATIVE
    hub.cut["consolidated.safetensors"] = 100
    folder = resolve(REPO).path
    assert ("consolidated.safetensors", "bytes=100-") in hub.sent
    assert (folder / "consolidated.safetensors").read_bytes() == NATIVE["consolidated.safetensors"]


def test_an_interrupted_download_goes_on_with_the_missing_files(hub: FakeHub) -> None:
    hub.repos[REPO] = HUGGINGFACE
    folder = resolve(REPO).path
    (folder / "model-00002-of-00002.safetensors").resolve().unlink()
    (folder / "model-00002-of-00002.safetensors").unlink()
    assert find_local(REPO) is None
    hub.sent.clear()
    assert resolve(REPO).path == folder
    assert hub.sent_files() == ["model-00002-of-00002.safetensors"]


def test_files_that_another_program_fetched_are_used_if_all_shards_are_there(hub: FakeHub) -> None:
    from huggingface_hub import hf_hub_download

    hub.repos[REPO] = HUGGINGFACE
    hf_hub_download(REPO, "config.json")
    hf_hub_download(REPO, "model-00001-of-00002.safetensors")
    assert find_local(REPO) is None
    folder = Path(hf_hub_download(REPO, "model-00002-of-00002.safetensors")).parent
    assert find_local(REPO) == ResolvedModel(folder, REPO)


def test_download_brings_a_copy_up_to_date(hub: FakeHub) -> None:
    hub.repos[REPO] = NATIVE
    old = resolve(REPO)
    hub.repos[REPO] = NATIVE | {"SYSTEM_PROMPT.txt": b"new"}
    assert resolve(REPO) == old
    hub.sent.clear()
    assert (download(REPO).path / "SYSTEM_PROMPT.txt").read_bytes() == b"new"
    assert hub.sent_files() == ["SYSTEM_PROMPT.txt"]
    assert resolve(REPO) == download(REPO)


def test_a_model_of_another_family_is_refused_before_its_weights_are_fetched(hub: FakeHub) -> None:
    hub.repos[REPO] = contents("model.safetensors", config={"model_type": "qwen2"})
    with pytest.raises(ConfigError, match=f"^{REPO}/config.json: 'model_type' is 'qwen2'"):
        resolve(REPO)
    assert hub.sent_files() == ["config.json"]


def test_a_model_without_its_tokenizer_is_refused_before_its_weights_are_fetched(hub: FakeHub) -> None:
    hub.repos[REPO] = contents("model.safetensors", "tokenizer.json", config=HF_CONFIG)
    assert "has no tekken.json" in error_of(REPO)
    assert hub.sent_files() == ["config.json"]


def error_of(name: str) -> str:
    """The one sentence that `resolve` raises."""
    with pytest.raises(ModelNotFoundError) as caught:
        resolve(name)
    message = str(caught.value)
    assert re.fullmatch(r"[^\n]+\.", message), message
    return message


def test_errors_name_the_remedy(hub: FakeHub) -> None:
    assert error_of("org/nothing").startswith("There is no repository org/nothing on Hugging Face, or it is private;")
    hub.repos[REPO] = NATIVE
    hub.gated.add(REPO)
    gated = error_of(REPO)
    assert "gated; accept its licence" in gated
    assert "'hf auth login'" in gated
    hub.status = 503
    assert "answers with status 503" in error_of(REPO)
    hub.status = 401
    assert "'hf auth login'" in error_of(REPO)


@pytest.mark.usefixtures("hub")
def test_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert "cannot be reached for org/x; check the connection" in error_of("org/x")


@pytest.mark.usefixtures("hub", "offline")
def test_offline() -> None:
    assert error_of("small-3.2").endswith(
        "is not on this machine, and HF_HUB_OFFLINE forbids to download it; unset it."
    )


def test_a_disk_that_is_too_small_is_noticed_before_the_download(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.repos[REPO] = GGUF
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=100))
    message = error_of(REPO)
    assert "but only 100 B are free; make room, or set HF_HOME" in message
    assert hub.sent_files() == []


def test_a_disk_that_gets_full(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    def full(*_args: object, **_kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    hub.repos[REPO] = NATIVE
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", full)
    assert error_of(REPO).startswith(f"The disk is full, so {REPO} is not whole;")


def test_the_list_of_local_models(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    assert list_local() == []
    gguf = ALIASES["small-3.1:q4"].repo
    hub.repos |= {REPO: NATIVE, gguf: GGUF, "org/partial": HUGGINGFACE, "org/other": contents("model.safetensors")}
    hub.repos["org/other"]["config.json"] = b'{"model_type": "qwen2"}'
    from huggingface_hub import hf_hub_download, snapshot_download

    hf_hub_download("org/partial", "config.json")
    snapshot_download("org/other")
    paths = [resolve(name).path for name in (f"{gguf}:Q8_0", "small-3.1:q4", REPO)]
    stand_in = platformdirs.user_cache_path("mistralet") / "models" / "tiny" / Path(tiny.MEMBER).name
    stand_in.parent.mkdir(parents=True)
    stand_in.write_bytes(b"GGUF")
    monkeypatch.setattr(tiny, "MEMBER_BYTES", 4)

    listed = {model.name: model for model in list_local()}
    assert {name: model.path for name, model in listed.items()} == {
        f"{gguf}:Q8_0": paths[0],
        f"{gguf}:Q4_K_M": paths[1],
        REPO: paths[2],
        "tiny": stand_in,
    }
    assert [model.alias for model in listed.values()] == ["small-3.1:q4", None, None, "tiny"]
    assert [model.format for model in listed.values()] == ["gguf", "gguf", "native", "gguf"]
    assert listed[f"{gguf}:Q8_0"].size == len(GGUF["m-Q8_0.gguf"]) + len(GGUF["mmproj-m-f16.gguf"])
