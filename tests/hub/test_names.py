"""What a name means, and which name is taken when none is given. Nothing here asks a server."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mistralet.errors import ModelNotFoundError, UsageError
from mistralet.hub import tiny
from mistralet.hub.default import default_model_name
from mistralet.hub.lookup import ResolvedModel, find_local
from mistralet.hub.names import ALIASES, HubModel, parse_name


@pytest.fixture
def config_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the user's configuration file is looked for; it is not there yet."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("MISTRALET_MODEL", raising=False)
    file = tmp_path / "config" / "mistralet" / "config.toml"
    file.parent.mkdir(parents=True)
    return file


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("tiny", "tiny"),
        ("small-3.0", HubModel("mistralai/Mistral-Small-24B-Instruct-2501")),
        ("small-3.1:q4", HubModel("bartowski/mistralai_Mistral-Small-3.1-24B-Instruct-2503-GGUF", "Q4_K_M")),
        ("org/name", HubModel("org/name")),
        ("my-org/name_2.1-GGUF:UD-Q4_K_XL", HubModel("my-org/name_2.1-GGUF", "UD-Q4_K_XL")),
    ],
)
def test_meaning(name: str, meaning: object) -> None:
    assert parse_name(name) == meaning


def test_an_existing_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "org" / "name").mkdir(parents=True)
    (tmp_path / "tiny").mkdir()
    (tmp_path / "m.gguf").touch()
    monkeypatch.setenv("HOME", str(tmp_path))
    assert parse_name("org/name") == Path("org/name")
    assert parse_name("m.gguf") == Path("m.gguf")
    assert parse_name("~/m.gguf") == tmp_path / "m.gguf"
    assert parse_name("./tiny") == Path("tiny")
    assert parse_name("tiny") == "tiny"
    assert find_local("./m.gguf") == ResolvedModel(Path("m.gguf"), "./m.gguf")


@pytest.mark.parametrize(
    "name",
    [
        *(
            "../../nowhere",
            "org/../x",
            "org/..",
            "/nowhere/model",
            "~nobody-here/x",
            "~/nowhere",
            "a/b/c",
            "a//b",
            "/"[:0],
        ),
        *("models/model.gguf", "model.gguf", "org\\name", "C:\\models", "https://host/org/name", "org/name:../x"),
        *(
            "org/na--me",
            "-org/name",
            "org/name.",
            "org/name:",
            "org/name\n",
            "org/naïve",
            "org/" + "n" * 200,
            "\0",
            "a b",
        ),
    ],
)
def test_what_is_no_path_alias_or_repository_is_refused_in_one_sentence(name: str) -> None:
    with pytest.raises(ModelNotFoundError, match=r"\A[^\n]+(no repository name either|is no model name)[^\n]+[.?]\Z"):
        parse_name(name)


@pytest.mark.parametrize(
    ("name", "similar"),
    [("small3.2", "small-3.2"), ("Small-3.1", "small-3.1"), ("small-3.2:q8", "small-3.2:q4"), ("tinny", "tiny")],
)
def test_did_you_mean(name: str, similar: str) -> None:
    with pytest.raises(ModelNotFoundError, match=f"did you mean '{similar}'"):
        parse_name(name)


@given(st.text(max_size=30))
def test_any_text_is_understood_or_refused(name: str) -> None:
    try:
        meaning = parse_name(name)
    except ModelNotFoundError:
        return
    assert meaning == "tiny" or not isinstance(meaning, HubModel) or ".." not in meaning.repo


def test_aliases_name_what_the_user_may_type() -> None:
    assert sorted(ALIASES) == [f"small-3.{minor}{variant}" for minor in "012" for variant in ("", ":q4")]


def test_the_default(config_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert default_model_name() is None
    config_file.write_text("[chat]\nmodel = 'not here'\n")
    assert default_model_name() is None
    config_file.write_text('model = "small-3.2:q4"\n')
    assert default_model_name() == "small-3.2:q4"
    monkeypatch.setenv("MISTRALET_MODEL", "tiny")
    assert default_model_name() == "tiny"


@pytest.mark.parametrize("content", [b"model = ", b"model = 3", b"model = ''", b"\xff\xfe", b"model = ['tiny']"])
def test_a_broken_configuration_is_named(config_file: Path, content: bytes) -> None:
    config_file.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        default_model_name()
    assert str(caught.value).startswith(f"{config_file}: ")
    assert "\n" not in str(caught.value)


def test_the_stand_in_is_taken_only_if_nothing_is_named(config_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_local(None) is None
    path = config_file.parents[2] / "cache" / "mistralet" / "models" / "tiny" / Path(tiny.MEMBER).name
    path.parent.mkdir(parents=True)
    path.write_bytes(b"GGUF")
    monkeypatch.setattr(tiny, "MEMBER_BYTES", 4)
    assert find_local(None) == ResolvedModel(path, "tiny", is_stand_in=True)
    assert find_local("tiny") == ResolvedModel(path, "tiny", is_stand_in=False)
    config_file.write_text("model = 'tiny'")
    assert find_local(None) == ResolvedModel(path, "tiny", is_stand_in=False)


def test_importing_the_hub_stays_cheap() -> None:
    code = "import sys, mistralet.hub.lookup, mistralet.hub.local; print('huggingface_hub' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout.strip() == b"False"
