"""`mistralet serve` says what is wrong before it loads anything."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer.main

from mistralet.cli import serve as module
from mistralet.cli.main import app, main
from mistralet.server.settings_sources import NAMES

Command = Callable[..., str]


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """What the command says when it ends at once."""

    def no_model(_: object) -> None:
        pytest.fail("it began to load a model")

    monkeypatch.setattr(module, "resolve", no_model)

    def run(*arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", ["mistralet", "serve", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 2
        return capsys.readouterr().err

    return run


def test_a_port_in_use_is_one_sentence(refused: Command) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert refused("tiny", "--port", port) == (
            f"mistralet: The server cannot listen at 127.0.0.1, port {port} (Address already in use); choose another"
            " one with --port or --host.\n"
        )


def test_an_address_of_another_machine_is_refused(refused: Command) -> None:
    assert "cannot listen at 192.0.2.1" in refused("tiny", "--host", "192.0.2.1", "--open-to-all")
    assert "cannot listen at no.such.host.invalid" in refused("--host", "no.such.host.invalid", "--open-to-all")


def test_settings_that_do_not_do(refused: Command, tmp_path: Path) -> None:
    assert "no key is asked for" in refused("--host", "0.0.0.0")
    assert "cannot be read" in refused("--config", tmp_path / "none.toml")
    assert "cannot be read" in refused("--port", 0, "--api-key-file", tmp_path / "none")
    assert "cannot be used (No such file" in refused(
        "--port", 0, "--tls-certificate", tmp_path / "none", "--tls-key", tmp_path / "none"
    )


def test_every_setting_but_keys_has_an_option() -> None:
    group = typer.main.get_command(app)
    serve = group.get_command(None, "serve")  # type: ignore[attr-defined]
    assert {option.name for option in serve.params} - {"config"} == set(NAMES) - {"api_keys"}
