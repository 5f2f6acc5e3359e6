"""The commands, run as a user runs them: arguments and standard input in, output and exit code out."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from mistralet.checkpoint.gguf_file import read_gguf
from mistralet.cli.conversation import Conversation
from mistralet.cli.main import VERBS, main
from support.models import write_native_model
from support.pictures import as_bytes, noise


class Run(NamedTuple):
    code: int
    out: str
    err: str


Command = Callable[..., Run]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("MISTRALET_MODEL", raising=False)

    def run(*arguments: object, stdin: str = "") -> Run:
        monkeypatch.setattr(sys, "argv", ["mistralet", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode()), encoding="utf-8"))
        with pytest.raises(SystemExit) as ended:
            main()
        return Run(int(ended.value.code or 0), *capsys.readouterr())

    return run


@pytest.fixture(scope="module")
def vision_model(tmp_path_factory: pytest.TempPathFactory, tekken_path: Callable[[str], Path]) -> Path:
    return write_native_model(tmp_path_factory.mktemp("models") / "vision", tekken_path("v11-image"))


@pytest.fixture(scope="module")
def text_model(tmp_path_factory: pytest.TempPathFactory, tekken_path: Callable[[str], Path]) -> Path:
    return write_native_model(tmp_path_factory.mktemp("models") / "text", tekken_path("v7"), with_vision=False)


def test_help_lists_every_verb(command: Command) -> None:
    run = command("--help")
    assert run.code == 0
    assert all(verb in run.out for verb in VERBS)


def test_version(command: Command) -> None:
    assert command("--version").out.strip().count(".") == 2


class TestGenerate:
    def test_json_holds_ids_text_and_timings(self, command: Command, tiny_path: Path) -> None:
        arguments = ("generate", "The capital of France is", "-m", tiny_path, "--max-tokens", 3, "--temperature", 0)
        facts = json.loads(command(*arguments, "--json").out)
        assert facts["text"] == " Paris.\n"
        assert facts["prompt_ids"] == [504, 3575, 282, 4649, 314]
        assert facts["output_ids"] == [7042, 30, 198]
        assert facts["finish_reason"] == "length"
        assert facts["timings"]["prompt_tokens"] == 5
        assert facts["timings"]["time_to_first_token"] > 0
        assert command(*arguments).out == facts["text"] + "\n"

    def test_raw_text_of_a_tekken_model_starts_with_bos(self, command: Command, text_model: Path) -> None:
        facts = json.loads(command("generate", "Hello, world!", "-m", text_model, "--max-tokens", 1, "--json").out)
        assert facts["prompt_ids"] == [1, 22177, 1044, 4304, 1033]

    def test_the_prompt_comes_from_standard_input(self, command: Command, text_model: Path) -> None:
        run = command("generate", "-m", text_model, "--max-tokens", 1, "--json", stdin="Hello, world!")
        assert json.loads(run.out)["prompt_ids"] == [1, 22177, 1044, 4304, 1033]

    def test_a_seed_repeats_a_run(self, command: Command, text_model: Path) -> None:
        def output(seed: int) -> list[int]:
            arguments = ("--max-tokens", 8, "--temperature", 1, "--seed", seed, "--json")
            ids: list[int] = json.loads(command("generate", "Hi", "-m", text_model, *arguments).out)["output_ids"]
            return ids

        assert output(1) == output(1) != output(2)

    def test_the_seed_of_an_unseeded_run_is_told(self, command: Command, text_model: Path) -> None:
        arguments = ("generate", "Hi", "-m", text_model, "--max-tokens", 8, "--temperature", 1, "--json")
        first = json.loads(command(*arguments).out)
        assert json.loads(command(*arguments, "--seed", first["seed"]).out)["output_ids"] == first["output_ids"]


class TestChat:
    def test_answers_piped_lines_until_they_end(self, command: Command, tiny_path: Path) -> None:
        run = command("chat", tiny_path, "--temperature", 0, stdin="How many days are in a week?\n")
        assert (run.code, run.out) == (0, "A week is approximately 7 days.\n")

    def test_a_conversation_is_saved_as_it_was_said(self, command: Command, text_model: Path, tmp_path: Path) -> None:
        saved = tmp_path / "talk.json"
        lines = ["/system Be brief.", "one", "two", f"/save {saved}", "/reset", f"/save {tmp_path / 'empty.json'}"]
        assert command("chat", text_model, "--max-tokens", 3, stdin="\n".join(lines)).code == 0
        messages = json.loads(saved.read_text())["messages"]
        assert [message["role"] for message in messages] == ["system", "user", "assistant", "user", "assistant"]
        assert messages[0]["content"] == "Be brief."
        assert messages[3]["content"] == "two"
        assert [m["role"] for m in json.loads((tmp_path / "empty.json").read_text())["messages"]] == ["system"]

    def test_a_picture_goes_with_the_next_message(self, command: Command, vision_model: Path, tmp_path: Path) -> None:
        picture = tmp_path / "noise.png"
        picture.write_bytes(as_bytes(noise(60, 40)))
        saved = tmp_path / "talk.json"
        lines = [f"/image {picture}", "What is this?", "And now?", f"/save {saved}"]
        run = command("chat", vision_model, "--max-tokens", 2, stdin="\n".join(lines))
        assert run.code == 0
        messages = json.loads(saved.read_text())["messages"]
        assert [part["type"] for part in messages[0]["content"]] == ["image_url", "text"]
        assert messages[2]["content"] == "And now?"

    @pytest.mark.parametrize(
        ("line", "complaint"),
        [
            ("/image missing.png", "missing.png: cannot be read"),
            ("/image", "Name a picture"),
            ("/dance", "'/dance' is no command"),
            ("/save /no/such/folder/talk.json", "cannot be written"),
        ],
    )
    def test_a_bad_command_is_one_sentence_and_the_talk_goes_on(
        self, line: str, complaint: str, command: Command, vision_model: Path
    ) -> None:
        run = command("chat", vision_model, "--max-tokens", 1, stdin=f"{line}\nhello\n")
        assert run.code == 0
        assert complaint in run.err
        assert run.out

    def test_a_picture_that_is_none_is_refused(self, command: Command, vision_model: Path, tmp_path: Path) -> None:
        fake = tmp_path / "fake.png"
        fake.write_bytes(b"not a picture")
        assert "unknown format" in command("chat", vision_model, stdin=f"/image {fake}\n").err

    def test_a_text_model_refuses_pictures(self, command: Command, text_model: Path, tmp_path: Path) -> None:
        assert "reads text only" in command("chat", text_model, stdin=f"/image {tmp_path}\n").err

    def test_ctrl_c_stops_the_answer_and_not_the_program(
        self, command: Command, text_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ask = Conversation.ask

        def interrupted(conversation: Conversation, text: str):  # type: ignore[no-untyped-def]
            answer = ask(conversation, text)
            pieces = answer.pieces

            def stop_after_two():  # type: ignore[no-untyped-def]
                yield next(pieces)
                yield next(pieces)
                raise KeyboardInterrupt

            if text == "stop me":
                answer.pieces = stop_after_two()
            return answer

        monkeypatch.setattr(Conversation, "ask", interrupted)
        saved = tmp_path / "talk.json"
        run = command("chat", text_model, "--max-tokens", 9, stdin=f"stop me\ngo on\n/save {saved}\n")
        assert run.code == 0
        assert [m["content"] for m in json.loads(saved.read_text())["messages"]][0::2] == ["stop me", "go on"]


class TestPlan:
    def test_the_24b_to_the_byte(self, command: Command) -> None:
        facts = json.loads(command("plan", "small-3.2", "--json").out)
        assert facts["parameters"] == {
            "text": 23_572_403_200,
            "vision": 403_305_472,
            "projector": 35_652_608,
            "total": 24_011_361_280,
        }
        assert facts["weight_bytes"]["total"] == 48_022_722_560
        assert facts["kv_bytes_per_token"] == 163_840
        assert facts["kv_bytes_per_token_by_type"] == {"float16": 163_840, "int8": 84_480, "int4": 51_200}
        assert facts["contexts"][-1] == {
            "tokens": 131_072,
            "kv_bytes": 21_474_836_480,
            "total_bytes": 48_022_722_560 + 21_474_836_480 + facts["headroom_bytes"],
        }

    def test_four_bits(self, command: Command) -> None:
        facts = json.loads(command("plan", "small-3.2:q4", "--memory", "24GB", "--json").out)
        assert facts["weight_bytes"]["text"] == 14_326_026_240
        (memory,) = facts["memories"]
        assert memory["fits"]["16384"]
        assert not memory["fits"]["131072"]

    def test_the_whole_context_fits_24_gb_with_an_int4_cache(self, command: Command) -> None:
        arguments = ("plan", "small-3.2:q4", "--memory", "24GB", "--kv-type", "int4", "--json")
        facts = json.loads(command(*arguments).out)
        assert facts["kv_type"] == "int4"
        assert facts["kv_bytes_per_token"] == 51_200
        assert facts["memories"][0]["fits"]["131072"]
        assert "with int4" in command("plan", "small-3.2:q4", "--memory", "24GB").out

    def test_a_model_on_disk_is_measured(self, command: Command, tiny_path: Path) -> None:
        facts = json.loads(command("plan", tiny_path, "--context", 100, "--json").out)
        assert facts["downloaded"]
        assert facts["weight_bytes"]["total"] == sum(t.nbytes for t in read_gguf(tiny_path).tensors.values())
        assert [row["tokens"] for row in facts["contexts"]] == [100]

    def test_the_table_says_what_fits(self, command: Command) -> None:
        out = command("plan", "small-3.2:q4", "--memory", "20GB").out
        assert "14.33 GB" in out
        assert "163,840 bytes" in out
        assert "fits" in out
        assert "too large" in out

    @pytest.mark.parametrize(
        ("arguments", "complaint"),
        [
            (("small-3.2", "--memory", "much"), "'much' is no size"),
            (("small-3.2", "--context", "200000"), "reads 1 to 131072 tokens"),
        ],
    )
    def test_nonsense_is_refused(self, arguments: tuple[str, ...], complaint: str, command: Command) -> None:
        run = command("plan", *arguments)
        assert run.code == 2
        assert complaint in run.err


class TestInspect:
    def test_a_sound_model(self, command: Command, vision_model: Path) -> None:
        run = command("inspect", vision_model)
        assert run.code == 0
        assert "Tekken v11" in run.out
        assert "layers.*.attention.wq.weight" in run.out
        assert "Nothing is missing or unexpected." in run.out

    def test_json_holds_config_tokenizer_and_tensors(self, command: Command, tiny_path: Path) -> None:
        facts = json.loads(command("inspect", tiny_path, "--json").out)
        assert facts["config"]["rope_theta"] == 1e5
        assert facts["tokenizer"] == "BPE smollm"
        assert len(facts["tensors"]) == 272
        assert facts["problems"] == []

    def test_what_is_missing_or_unexpected_is_listed(self, command: Command, text_model: Path, tmp_path: Path) -> None:
        from safetensors.torch import load_file, save_file

        weights = load_file(text_model / "consolidated.safetensors")
        weights["layers.0.attention.wx.weight"] = weights.pop("layers.0.attention.wq.weight")
        save_file(weights, tmp_path / "consolidated.safetensors")
        (tmp_path / "params.json").write_bytes((text_model / "params.json").read_bytes())
        run = command("inspect", tmp_path)
        assert run.code == 1
        assert "missing: layers.0.attention.wq.weight" in run.out
        assert "unexpected: layers.0.attention.wx.weight" in run.out
        assert "no tekken.json" in run.out
        refused = command("generate", "hi", "-m", tmp_path)
        assert refused.code == 2
        assert "'layers.0.attention.wq.weight' is missing" in refused.err


class TestErrors:
    @pytest.mark.parametrize(
        ("arguments", "complaint"),
        [
            (("generate", "", "-m", "tiny"), "prompt is empty"),
            (("generate", "hi", "-m", "/no/such/model"), "/no/such/model"),
            (("generate", "hi", "--temperature", "-1"), "temperature is -1"),
            (("generate", "hi", "--max-tokens", "0"), "must be at least 1"),
            (("inspect", "/"), "holds no model"),
        ],
    )
    def test_are_one_sentence_and_exit_code_2(
        self, arguments: tuple[str, ...], complaint: str, command: Command
    ) -> None:
        run = command(*arguments)
        assert run.code == 2
        assert complaint in run.err
        assert run.err.count("\n") == 1
        assert run.err.startswith("mistralet: ")

    def test_a_prompt_longer_than_the_context_is_refused(self, command: Command, text_model: Path) -> None:
        run = command("generate", "word " * 5000, "-m", text_model)
        assert run.code == 2
        assert "reads at most 4095" in run.err

    def test_debug_shows_the_traceback(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "argv", ["mistralet", "inspect", "/", "--debug"])
        with pytest.raises(Exception, match="holds no model"):
            main()

    def test_an_unknown_option_is_refused(self, command: Command) -> None:
        assert command("plan", "--nonsense").code == 2


def test_the_demo_asks_two_questions_and_says_what_is_next(
    command: Command, text_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mistralet.hub import ResolvedModel

    monkeypatch.setattr("mistralet.cli.common.resolve", lambda _: ResolvedModel(text_model, "tiny", False))
    run = command("demo")
    assert run.code == 0
    assert run.out.count("first token after") == 2
    assert "mistralet chat" in run.out
