"""A prompt that was read once is not read again, also by another engine; what is damaged is read again."""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mistralet.config import KVType
from mistralet.engine import Completion, Engine, EngineOptions, Request, SamplingParams
from mistralet.engine import kv_library as library_module
from mistralet.engine.kv_library import SECTION, KVLibrary
from mistralet.errors import UsageError
from mistralet.model import Prompt
from support.letters import LetterTokenizer
from support.random_models import TEXT, random_model

CONFIG = replace(TEXT, max_position_embeddings=2000, head_dim=32)
MODEL = random_model(CONFIG)
GREEDY = SamplingParams(temperature=0, max_tokens=4, seed=0)
LONG = torch.randint(20, 128, (700,), generator=torch.Generator().manual_seed(0)).tolist()
WHOLE = 700 // SECTION * SECTION  # tokens in whole sections


@pytest.fixture
def library(tmp_path: Path) -> Iterator[KVLibrary]:
    library = KVLibrary(tmp_path / "kv")
    yield library
    library.close()


def new_engine(library: KVLibrary | None, name: str = "model", kv_type: KVType = KVType.FLOAT32) -> Engine:
    options = EngineOptions(kv_type, kv_tokens=2000)
    return Engine(MODEL, LetterTokenizer(), options, name=name, library=library)


def answer(engine: Engine, ids: list[int], keep_as: str | None = None) -> Completion:
    (completion,) = engine.generate([Request(Prompt(ids), GREEDY, keep_as=keep_as)])
    if engine.library is not None:
        engine.library.flush()
    return completion


def files(library: KVLibrary) -> list[Path]:
    return sorted(library.folder.glob("*.kv"))


@pytest.mark.parametrize("launches_ahead", [False, True])
@pytest.mark.parametrize("kv_type", [KVType.FLOAT32, KVType.FLOAT16, KVType.INT8, KVType.INT4, KVType.FP8])
def test_another_engine_goes_on_from_what_is_kept(kv_type: KVType, launches_ahead: bool, library: KVLibrary) -> None:
    first = new_engine(library, kv_type=kv_type)
    first.launches_ahead = launches_ahead
    answer(first, LONG)
    question = [*LONG[:650], 30, 31]
    later = answer(new_engine(library, kv_type=kv_type), question)
    assert later.stats.cached_tokens == 650 // SECTION * SECTION
    assert later.token_ids == answer(new_engine(None, kv_type=kv_type), question).token_ids


def test_the_last_token_of_a_prompt_runs_though_all_is_kept(library: KVLibrary) -> None:
    answer(new_engine(library), LONG)
    again = answer(new_engine(library), LONG[:WHOLE])
    assert again.stats.cached_tokens == WHOLE - SECTION
    assert again.token_ids == answer(new_engine(None), LONG[:WHOLE]).token_ids


def test_what_the_engine_has_is_completed_by_what_is_kept(library: KVLibrary) -> None:
    answer(new_engine(library), LONG)
    engine = new_engine(library)
    answer(engine, [*LONG[: SECTION + 50], 30])
    shutil.rmtree(library.folder / "unused", ignore_errors=True)
    second = answer(engine, LONG)
    assert second.stats.cached_tokens == WHOLE
    assert second.token_ids == answer(new_engine(None), LONG).token_ids


def test_a_longer_prompt_adds_only_what_is_new(library: KVLibrary) -> None:
    answer(new_engine(library), LONG[:600])
    before = {path: path.stat().st_mtime_ns for path in files(library)}
    answer(new_engine(library), LONG)
    assert len(files(library)) == len(before) + 1
    assert len(before) == 600 // SECTION


def test_short_prompts_are_not_kept_unless_they_have_a_name(library: KVLibrary) -> None:
    answer(new_engine(library), LONG[:300])
    assert files(library) == []
    answer(new_engine(library), LONG[:300], keep_as="letter")
    assert len(files(library)) == 2
    assert len(library.names.all()["letter"]) == 2


@pytest.mark.parametrize("change", ["truncated", "flipped", "empty", "no header", "another's", "other facts"])
def test_a_damaged_file_is_told_of_and_read_again(
    change: str, library: KVLibrary, caplog: pytest.LogCaptureFixture
) -> None:
    answer(new_engine(library), LONG)
    first = library.folder / f"{new_first_key()}.kv"
    data = bytearray(first.read_bytes())
    if change == "truncated":
        data = data[:-1]
    elif change == "flipped":
        data[-1000] ^= 1
    elif change == "empty":
        data = bytearray()
    elif change == "no header":
        data = bytearray(b"\n" + data)
    elif change == "another's":
        data = bytearray(next(path for path in files(library) if path != first).read_bytes())
    else:
        header, body = bytes(data).split(b"\n", 1)
        data = bytearray(json.dumps(json.loads(header) | {"tokens": 64}).encode() + b"\n" + body)
    first.write_bytes(data)
    with caplog.at_level(logging.WARNING):
        again = answer(new_engine(library), LONG)
    assert "is damaged or not a section of this cache" in caplog.text
    assert again.stats.cached_tokens == 0
    assert again.token_ids == answer(new_engine(None), LONG).token_ids
    assert answer(new_engine(library), LONG).stats.cached_tokens == WHOLE  # it was written anew


def new_first_key() -> str:
    engine = new_engine(None)
    engine.add(Request(Prompt(LONG), GREEDY))
    (sequence,) = engine.scheduler.waiting
    return sequence.digests[SECTION // 32 - 1].hex()


def test_another_model_or_another_type_of_cache_finds_nothing(library: KVLibrary) -> None:
    answer(new_engine(library), LONG)
    assert answer(new_engine(library, name="another"), LONG).stats.cached_tokens == 0
    assert answer(new_engine(library, kv_type=KVType.FLOAT16), LONG).stats.cached_tokens == 0


def test_sections_of_int8_are_not_taken_for_fp8(library: KVLibrary) -> None:
    answer(new_engine(library, kv_type=KVType.INT8), LONG)
    assert answer(new_engine(library, kv_type=KVType.FP8), LONG).stats.cached_tokens == 0


def test_the_least_lately_used_go_first_and_named_ones_stay(tmp_path: Path) -> None:
    library = KVLibrary(tmp_path)
    engine = new_engine(library)
    answer(engine, LONG)
    size = library.nbytes
    named = [path.stem for path in files(library)]
    library.names.set("contract", named)
    other = [99, *LONG[1:]]
    answer(engine, other)
    assert library.nbytes == 2 * size
    for path in files(library):  # the named ones are the oldest
        os.utime(path, (1, 1) if path.stem in named else None)
    library.max_bytes = size
    library.prune()
    assert [path.stem for path in files(library)] == named
    assert library.names.remove("contract")
    assert not library.names.remove("contract")
    library.max_bytes = size // 2
    library.prune()
    assert library.nbytes <= size // 2
    library.close()


def test_of_a_prefix_the_end_goes_before_the_beginning(library: KVLibrary) -> None:
    answer(new_engine(library), LONG)
    for path in files(library):
        os.utime(path, (1, 1))
    answer(new_engine(library), LONG)  # uses them all
    library.max_bytes = library.nbytes // 2
    library.prune()
    assert 0 < answer(new_engine(library), LONG).stats.cached_tokens < WHOLE


def test_a_full_disk_is_told_once_and_harms_no_answer(
    library: KVLibrary, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(library_module, "write_atomically", full)
    with caplog.at_level(logging.WARNING):
        first = answer(new_engine(library), LONG)
        answer(new_engine(library), [99, *LONG[1:]])
    assert first.finish_reason == "length"
    assert caplog.text.count("prompts cannot be kept (No space left on device)") == 1
    assert files(library) == []


def test_room_is_left_on_the_disk(library: KVLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(100, 99, 1 << 20))
    answer(new_engine(library), LONG)
    assert files(library) == []


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "x" * 101, "new\nline"])
def test_a_name_that_is_no_file_name_is_refused(name: str, library: KVLibrary) -> None:
    with pytest.raises(UsageError, match="cannot be a name in the cache"):
        library.names.set(name, [])


def test_a_damaged_name_keeps_nothing(library: KVLibrary) -> None:
    library.names.set("good", ["a"])
    (library.names.folder / "bad.json").write_text("{")
    (library.names.folder / "odd.json").write_text('{"a": 1}')
    assert library.names.all() == {"good": ["a"]}
