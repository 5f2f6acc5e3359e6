"""Blocks are found again by what they hold, belong to whoever refers to them, and are given up oldest first."""

from __future__ import annotations

import pytest
from torch import zeros

from mistralet.engine.block_pool import Block, BlockPool, Match
from mistralet.engine.contents import block_digest, contents, prefix_digests, root_digest
from mistralet.model import Prompt, PromptImage
from mistralet.ops import BLOCK_SIZE

ROOT = root_digest("model")
TEXT = list(range(100, 100 + 3 * BLOCK_SIZE))


def store(pool: BlockPool, numbers: list[int]) -> list[Block]:
    """Blocks that hold a prefix, with one reference each."""
    blocks: list[Block] = []
    for begin in range(0, len(numbers), BLOCK_SIZE):
        block = pool.allocate()
        assert block is not None
        before = blocks[-1].digest if blocks else ROOT
        assert before is not None
        part = numbers[begin : begin + BLOCK_SIZE]
        pool.begin(block, before, part[0])
        pool.store(block, part, block_digest(before, part) if len(part) == BLOCK_SIZE else None)
        blocks.append(block)
    return blocks


def match(pool: BlockPool, numbers: list[int], limit: int | None = None) -> Match:
    return pool.match(numbers, prefix_digests(ROOT, numbers, []), len(numbers) if limit is None else limit)


@pytest.mark.parametrize("length", [0, 1, 31, 32, 33, 64, 70, 96])
def test_a_stored_prefix_is_found_as_far_as_it_goes(length: int) -> None:
    pool = BlockPool(8, ROOT)
    blocks = store(pool, TEXT[:70])
    found = match(pool, [*TEXT[:length], 7, 8])
    assert found.length == min(length, 70)
    assert found.blocks == blocks[: min(length, 64) // BLOCK_SIZE]


def test_no_more_is_found_than_is_asked_for() -> None:
    pool = BlockPool(8, ROOT)
    store(pool, TEXT[:64])
    assert [match(pool, TEXT[:64], limit).length for limit in (0, 1, 32, 63, 64)] == [0, 1, 32, 63, 64]


def test_another_beginning_hides_what_follows() -> None:
    pool = BlockPool(8, ROOT)
    store(pool, TEXT)
    assert match(pool, [99, *TEXT[1:]]).length == 0
    assert match(pool, [*TEXT[:40], 99, *TEXT[41:]]).length == 40


def test_of_several_continuations_the_longest_is_found() -> None:
    pool = BlockPool(8, ROOT)
    for own in (5, 20, 10):
        store(pool, [*TEXT[:own], 1, 2])
    assert match(pool, TEXT[:30]).length == 20


def test_blocks_nobody_refers_to_are_reused_oldest_first_and_empty_ones_before_any() -> None:
    pool = BlockPool(4, ROOT)
    first, second = store(pool, TEXT[:32]), store(pool, [7, *TEXT[:31]])
    for block in first + second:
        pool.release(block)
    taken = [pool.allocate() for _ in range(3)]
    assert first[0] in taken
    assert second[0] not in taken
    assert match(pool, TEXT[:32]).length == 0
    assert match(pool, [7, *TEXT[:31]]).length == 32


def test_a_block_in_use_is_never_given_away() -> None:
    pool = BlockPool(2, ROOT)
    blocks = store(pool, TEXT[:64])
    assert pool.free == 0
    assert pool.allocate() is None
    pool.refer(blocks[0])
    pool.release(blocks[0])
    assert pool.free == 0
    pool.release(blocks[0])
    assert pool.free == 1
    assert pool.allocate() is blocks[0]


def test_a_block_found_again_is_kept_from_reuse() -> None:
    pool = BlockPool(2, ROOT)
    (block,) = store(pool, TEXT[:32])
    pool.release(block)
    pool.refer(match(pool, TEXT[:32]).blocks[0])
    assert pool.allocate() is not block
    assert pool.allocate() is None


def test_two_blocks_with_the_same_contents_leave_the_other_to_be_found() -> None:
    pool = BlockPool(2, ROOT)
    first, second = store(pool, TEXT[:32]), store(pool, TEXT[:32])
    for block in first + second:
        pool.release(block)
    pool.allocate()
    assert match(pool, TEXT[:31]).length == 31  # the second's, as a part of a block


def test_digests_grow_with_the_text() -> None:
    whole = prefix_digests(ROOT, TEXT, [])
    assert len(whole) == 3
    assert prefix_digests(ROOT, TEXT, whole[:1]) == whole
    assert whole[1] == block_digest(whole[0], TEXT[32:64])
    assert whole[0] != prefix_digests(root_digest("another model"), TEXT, [])[0]


def test_an_image_is_told_by_its_bytes_and_the_place_in_it() -> None:
    def prompt(digest: str, start: int = 1) -> list[int]:
        return contents(Prompt([1, 10, 10, 10, 10], [PromptImage(zeros(3, 28, 56), digest, start, columns=1, rows=1)]))

    assert prompt("a") == prompt("a")
    assert [one == other for one, other in zip(prompt("a"), prompt("b"), strict=True)] == [
        True,
        False,
        False,
        True,
        True,
    ]
    assert prompt("a")[1] != prompt("a")[2]
    assert prompt("a")[1:3] == prompt("a", start=2)[2:4]
    assert contents(Prompt([1, 10, 10])) == [1, 10, 10]
