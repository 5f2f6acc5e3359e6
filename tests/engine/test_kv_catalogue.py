"""What the KV library holds can be listed and removed by name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from mistralet.config import KVType
from mistralet.engine.kv_catalogue import KeptPrefix, clear, kept_prefixes, remove_prefixes
from mistralet.engine.kv_library import SECTION, KVLibrary
from mistralet.errors import UsageError
from mistralet.model import KVCache
from mistralet.ops import BLOCK_SIZE
from support.random_models import TEXT

CACHE = KVCache(TEXT, KVType.FLOAT32, torch.device("cpu"), 64)


@pytest.fixture
def library(tmp_path: Path) -> Iterator[KVLibrary]:
    library = KVLibrary(tmp_path / "kv", model="small")
    yield library
    library.close()


def keep(library: KVLibrary, texts: list[int], name: str | None = None) -> None:
    """Keep a prefix of so many sections, each told apart by a number; equal beginnings are shared."""
    blocks = len(texts) * SECTION // BLOCK_SIZE
    digests = [bytes([*texts[: block * BLOCK_SIZE // SECTION + 1], block]) for block in range(blocks)]
    library.save(digests, CACHE, list(range(blocks)), name)
    library.flush()


def facts(prefixes: list[KeptPrefix]) -> list[tuple[str | None, str, int]]:
    return [(prefix.name, prefix.model, prefix.tokens // SECTION) for prefix in prefixes]


def test_names_come_first_and_the_rest_by_model(library: KVLibrary) -> None:
    keep(library, [1, 2], "report")
    keep(library, [1, 3], "letter")
    keep(library, [1, 2, 4, 5])
    library.model = "another"
    keep(library, [9])
    listed = kept_prefixes(library)
    assert facts(listed) == [("letter", "small", 2), ("report", "small", 2), (None, "another", 1), (None, "small", 2)]
    one_section = listed[2].nbytes
    assert [prefix.nbytes // one_section for prefix in listed] == [2, 2, 1, 2]
    newest = max(path.stat().st_mtime for path in library.folder.glob("*.kv"))
    assert max(prefix.last_used for prefix in listed) == newest


def test_what_another_name_keeps_stays(library: KVLibrary) -> None:
    keep(library, [1, 2], "report")
    keep(library, [1, 3], "letter")
    before = library.nbytes
    freed = remove_prefixes(library, ["report"])
    assert facts(kept_prefixes(library)) == [("letter", "small", 2)]
    assert freed == before - library.nbytes == before // 3


def test_a_wrong_name_removes_nothing(library: KVLibrary) -> None:
    with pytest.raises(UsageError, match=r"'report'; nothing is kept under a name[.]$"):
        remove_prefixes(library, ["report"])
    keep(library, [1], "letter")
    with pytest.raises(UsageError, match=r"'report'; there are letter[.]$"):
        remove_prefixes(library, ["letter", "report"])
    assert facts(kept_prefixes(library)) == [("letter", "small", 1)]


def test_clear_removes_everything(library: KVLibrary) -> None:
    keep(library, [1, 2], "report")
    keep(library, [3])
    size = library.nbytes
    assert clear(library) == size > 0
    assert kept_prefixes(library) == []
    assert clear(library) == 0


def test_names_without_files_and_damaged_files_are_listed(library: KVLibrary) -> None:
    keep(library, [1], "report")
    for path in library.folder.glob("*.kv"):
        path.write_bytes(b"\xff\x00")
    assert facts(kept_prefixes(library)) == [("report", "", 1)]
    for path in library.folder.glob("*.kv"):
        path.unlink()
    assert facts(kept_prefixes(library)) == [("report", "", 0)]
    remove_prefixes(library, ["report"])
    assert kept_prefixes(library) == []


def test_there_may_be_no_folder(tmp_path: Path) -> None:
    library = KVLibrary(tmp_path / "none")
    assert kept_prefixes(library) == []
    assert clear(library) == 0
