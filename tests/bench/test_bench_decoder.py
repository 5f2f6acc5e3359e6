"""A whole benchmark of a text decoder, with scripts for programs."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.decoder import Setup, Subject, random_ids, run
from bench.programs import Program
from bench.progress import Steps
from bench.report import Row, Section
from bench.work import Scale, Work

WORK = Work(weight_bytes=10**9, layer_weights=10**6, output_weights=0, kv_bytes_per_token=10**6)
LIMITS = '{"read_best": 10, "read_median": 9, "int8_best": 4, "int8_median": 3, "int8_with": "care"}'
# Writes down each job; is as fast as its argument says. "packs" leaves a packed file, as mistralet does.
PROGRAM = """
import json, os, pathlib, sys
log, speed, packs = sys.argv[1], float(sys.argv[2]), sys.argv[3] == "packs"
job = json.loads(sys.stdin.readline())
cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME", "none")) / "mistralet" / "packed"
job["packed"] = cache.is_dir()
if packs:
    cache.mkdir(parents=True, exist_ok=True)
    (cache / "matrices.bin").write_bytes(b"1")
with open(log, "a") as file:
    file.write(json.dumps(job) + "\\n")
print(json.dumps({"first_token": 1, "first_token_seconds": 10 / speed, "prefill": [speed for _ in job["prompts"]],
                  "decode": [speed / len(ids) for ids in job["contexts"]], "peak_memory": 2 * 10**9}))
"""


class Bench:
    """A setup whose programs are scripts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "model.gguf").write_bytes(b"weights")
        script = folder / "program.py"
        script.write_text(PROGRAM)
        limits = folder / "limits"
        limits.write_text(f"#!/bin/sh\necho '{LIMITS}'\n")
        limits.chmod(0o755)
        self.subject = Subject(
            "A model", folder / "model.gguf", vocab_size=2000, work=WORK, decode_tokens=8, long_rounds=1
        )
        self.setup = Setup(
            self._program(script, "mistralet", 20, "packs"),
            self._program(script, "llama.cpp", 10, "does not"),
            limits,
            threads=2,
            rounds=2,
            flash_attention=False,
            cache=folder / "cache",
        )

    def _program(self, script: Path, name: str, speed: int, packs: str) -> Program:
        return Program(name, (sys.executable, str(script), str(self.folder / name), str(speed), packs))

    def run(self) -> Section:
        with Steps() as steps:
            return run(self.subject, self.setup, steps)

    def jobs(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / name).read_text().splitlines()]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def by_name(section: Section) -> dict[str, Row]:
    return {row.name: row for row in section.rows}


def test_both_do_the_same_jobs_in_turn(bench: Bench) -> None:
    bench.run()
    first, *ours = bench.jobs("mistralet")
    theirs = bench.jobs("llama.cpp")
    assert (first["prompts"], first["contexts"], first["packed"]) == ([], [], False)
    assert [job["packed"] for job in ours] == [True, True]
    for mine, other in zip(ours, theirs, strict=True):
        assert {**mine, "started": 0, "packed": 0} == {**other, "started": 0, "packed": 0}
        assert [len(ids) for ids in mine["prompts"]] == [64, 512]
    assert [[len(ids) for ids in job["contexts"]] for job in ours] == [[16, 4096], [16]]
    assert {job["flash_attention"] for job in theirs} == {False}


def test_no_two_texts_of_a_job_begin_alike(bench: Bench) -> None:
    bench.run()
    job = bench.jobs("llama.cpp")[0]
    begins = [ids[0] for ids in (job["first"], job["warm_up"], *job["prompts"], *job["contexts"])]
    assert len(set(begins)) == len(begins) == 6


def test_rows_hold_what_was_measured(bench: Bench) -> None:
    rows = by_name(bench.run())
    assert list(rows) == [
        "reading a prompt of 64",
        "reading a prompt of 512",
        "answering after 16",
        "answering after 4,096",
        "first start until the first token",
        "later starts until the first token",
        "peak memory",
    ]
    assert rows["reading a prompt of 64"].ours == [20, 20]
    assert rows["answering after 16"].peer == [10 / 16] * 2
    assert rows["answering after 4,096"].peer == [10 / 4096]
    assert rows["first start until the first token"].ours == [0.5]
    assert rows["later starts until the first token"].ratio == pytest.approx(2)
    assert rows["peak memory"].ours == [2]
    assert all(row.ratio == pytest.approx(2) for name, row in rows.items() if row.unit == "tokens/s")


def test_limits_follow_from_bytes_and_operations(bench: Bench) -> None:
    rows = by_name(bench.run())
    assert rows["reading a prompt of 512"].limit == pytest.approx(4e9 / 2e6)
    assert rows["answering after 4,096"].limit == pytest.approx(10e9 / (1e9 + 4096e6))


def test_a_slice_is_scaled_up_and_says_so(bench: Bench) -> None:
    whole = replace(WORK, weight_bytes=4 * 10**9, layer_weights=5 * 10**6, kv_bytes_per_token=4 * 10**6)
    bench.subject = replace(bench.subject, scale=Scale(WORK, whole))
    section = bench.run()
    rows = by_name(section)
    assert rows["reading a prompt of 64 (scaled)"].ours == pytest.approx([4, 4])
    assert rows["answering after 4,096 (scaled)"].peer == pytest.approx([10 / 4096 / 4])
    assert rows["answering after 16 (scaled)"].limit == pytest.approx(10e9 / 4.064e9)
    assert rows["later starts until the first token"].ours == [0.5, 0.5]
    assert any(note.startswith("Scaled: measured on 25.0% of the model's bytes") for note in section.notes)


def test_a_model_without_a_packed_file_has_one_kind_of_start(bench: Bench) -> None:
    bench.setup = replace(bench.setup, ours=bench.setup.peer)
    rows = by_name(bench.run())
    assert "start until the first token" in rows
    assert "first start until the first token" not in rows


def test_without_the_long_context_there_is_no_row_of_it(bench: Bench) -> None:
    bench.subject = replace(bench.subject, long_rounds=0)
    assert "answering after 4,096" not in by_name(bench.run())


def test_the_users_cache_is_not_touched_and_the_benchmarks_own_is_gone(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = tmp_path / "users" / "mistralet" / "packed"
    users.mkdir(parents=True)
    (users / "matrices.bin").write_bytes(b"the user's")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "users"))
    bench.run()
    assert (users / "matrices.bin").read_bytes() == b"the user's"
    assert not bench.setup.cache.exists()


def test_every_measurement_is_kept(bench: Bench) -> None:
    raw = json.loads(json.dumps(bench.run().raw))
    assert [len(raw[name]) for name in ("ours", "peer", "limits")] == [2, 2, 6]
    assert set(raw["in_memory"]) == {"mistralet's first start", "mistralet", "llama.cpp"}


def test_ids_are_ordinary_and_begin_with_their_own() -> None:
    ids = random_ids(2000, seed=3, count=500)
    assert (len(ids), ids[0]) == (500, 1003)
    assert all(1000 <= token < 2000 for token in ids)
    assert ids == random_ids(2000, seed=3, count=500)
