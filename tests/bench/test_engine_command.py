"""What `python -m bench.engine` refuses before anything takes time."""

from __future__ import annotations

import sys

import pytest

from bench.engine import main


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--threads", "0"], "bench: --threads is 0, but must be at least 1.\n"),
        (["--layers", "41"], "bench: The number of layers is 41, but must be from 1 to 40.\n"),
        (["--layers", "2", "--model", "m"], "bench: --model and --layers both name a model; give one of them.\n"),
        (
            ["--json", "/no/folder/x"],
            "bench: /no/folder/x: its folder does not exist; name another place with --json.\n",
        ),
    ],
)
def test_a_mistake_is_one_sentence(
    arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["engine", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert capsys.readouterr().err == message
