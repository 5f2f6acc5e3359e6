"""Completion in shells, asked for as a shell does, and installed as a user does."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import shellingham

from mistralet.cli.main import VERBS, main

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    """Runs the program in a shell, with an empty home."""
    monkeypatch.setenv("HOME", str(tmp_path))

    def run(*arguments: str, shell: str | None = "zsh") -> tuple[int, str, str]:
        def detect() -> tuple[str, str]:
            if shell is None:
                raise shellingham.ShellDetectionFailure
            return shell, f"/bin/{shell}"

        monkeypatch.setattr(shellingham, "detect_shell", detect)
        monkeypatch.setattr(sys, "argv", ["mistralet", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), *capsys.readouterr()

    return run


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("mistralet ", {*VERBS, "kv", "eval"}),
        ("mistralet pl", {"plan"}),
        ("mistralet serve --kv-t", {"--kv-type", "--kv-tokens"}),
        ("mistralet kv re", {"remove"}),
        ("mistralet plan --kv-type int", {"int8", "int4"}),
    ],
)
def test_words_are_completed(words: str, expected: set[str], command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_MISTRALET_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(words.count(" ")))
    code, out, _ = command()
    assert (code, set(out.split())) == (0, expected)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shown_script_calls_this_program(command: Command, shell: str) -> None:
    code, out, _ = command("--show-completion", shell=shell)
    assert code == 0
    assert f"_MISTRALET_COMPLETE=complete_{shell}" in out


def test_it_is_installed_once(command: Command, tmp_path: Path) -> None:
    for _ in range(2):
        assert command("--install-completion")[0] == 0
    assert "_MISTRALET_COMPLETE=complete_zsh" in (tmp_path / ".zfunc" / "_mistralet").read_text()
    assert (tmp_path / ".zshrc").read_text().count(".zfunc") == 1


@pytest.mark.parametrize(
    ("shell", "which"), [("ksh", "for the shell 'ksh'"), (None, "where no shell is found")], ids=["unknown", "none"]
)
@pytest.mark.parametrize("option", ["--install-completion", "--show-completion"])
def test_a_shell_without_completion_is_refused(command: Command, option: str, shell: str | None, which: str) -> None:
    assert command(option, shell=shell) == (
        2,
        "",
        f"mistralet: There is no completion {which}; run this in one of bash, zsh, fish, powershell, pwsh.\n",
    )


def test_files_that_cannot_be_written_are_told(command: Command, tmp_path: Path) -> None:
    (tmp_path / ".zfunc").write_text("a file, where a folder should be")
    code, out, err = command("--install-completion")
    assert (code, out) == (2, "")
    assert err.startswith("mistralet: Completion cannot be installed (")
    assert ".zfunc" in err
    assert os.linesep not in err.rstrip()
