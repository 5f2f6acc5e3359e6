"""Many answers at once: the job, the choice of the peer's setting, and the table."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from bench import batched
from bench.batched import BatchJob, BatchResult
from bench.concurrency import LONGEST, SHORTEST, Crowd, job_of, run
from bench.programs import Program
from bench.progress import Steps

CROWD = Crowd("A model", Path("m.gguf"), 5000, answers=8, decode_tokens=16, threads=2, rounds=2)
# Its speed: with plain attention and one cache 100, with any other setting 50; of one answer at a time 20.
SCRIPT = """
import json, sys
job = json.loads(sys.stdin.readline())
speed = 100 if not job["flash_attention"] and job["unified_cache"] else 50
speed = speed if job["at_once"] > 1 else 20
print(json.dumps({"answers": [[1, 2, 3]] * len(job["prompts"]), "decode": speed * FACTOR, "seconds": 1.0}))
"""


def program(folder: Path, name: str, factor: int) -> Program:
    script = folder / f"{name}.py"
    script.write_text(SCRIPT.replace("FACTOR", str(factor)))
    return Program(name, (sys.executable, str(script)))


def test_prompts_are_of_all_lengths_and_start_unlike_each_other() -> None:
    job = job_of(CROWD)
    lengths = [len(ids) for ids in job.prompts]
    assert lengths == sorted(lengths)
    assert (lengths[0], lengths[-1]) == (SHORTEST, LONGEST)
    assert len({ids[0] for ids in job.prompts}) == 8
    assert job.room == LONGEST + 16


def test_the_peer_runs_in_its_fastest_setting(tmp_path: Path) -> None:
    with Steps() as steps:
        chapter = run(CROWD, program(tmp_path, "ours", 8), program(tmp_path, "peer", 1), steps)
    against_peer, against_alone, *_ = chapter.figures
    assert (against_peer.row.ours, against_peer.row.peer) == ([400, 400], [100, 100])
    assert (against_peer.row.ratio, against_peer.is_met) == (4.0, True)
    assert against_alone.row.ratio == pytest.approx(400 / 160)
    assert "plain attention and one cache (tried" in chapter.notes[1]
    assert chapter.raw["tokens_alike"] == {"median": 3, "of": 3}


def test_a_job_comes_and_a_result_goes_as_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    job = BatchJob("m.gguf", 2, [[1], [2, 3]], 4, at_once=2)
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(asdict(job)) + "\n"))
    batched.main(lambda each: BatchResult(each.prompts, 1.5, float(each.room)))
    assert json.loads(capsys.readouterr().out) == {"answers": [[1], [2, 3]], "decode": 1.5, "seconds": 6.0}
