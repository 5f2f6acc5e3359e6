"""Heavy libraries are imported only when a model is used."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("torch", "transformers", "mistral_common", "tokenizers", "huggingface_hub", "PIL", "prompt_toolkit")


def loaded_after(code: str) -> set[str]:
    report = f"{code}\nimport sys\nprint(*[name for name in {HEAVY!r} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", report], capture_output=True, text=True, check=True)
    return set(result.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    "code",
    [
        "import mistralet",
        "import mistralet.config, mistralet.checkpoint.packed_copy, mistralet.hub",
        "import sys; sys.argv = ['mistralet', '--help']\n"
        "from mistralet.cli.main import main\ntry: main()\nexcept SystemExit: pass",
    ],
    ids=["package", "rooms", "help"],
)
def test_nothing_heavy_is_loaded(code: str) -> None:
    assert loaded_after(code) == set()


def test_the_check_sees_what_is_loaded() -> None:
    assert loaded_after("import tokenizers") == {"tokenizers"}
