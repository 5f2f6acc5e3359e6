"""Generation with a tiny random model: what the cache saves must never show in the tokens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from mistralet.config import KVType
from mistralet.engine import Engine, Generation, SamplingParams
from mistralet.engine import engine as engine_module
from mistralet.engine.engine import common_prefix
from mistralet.errors import PromptError
from mistralet.model import ForwardBatch, KVCache, MistralSmall, Prompt, PromptImage
from mistralet.ops import blocks_for
from support.random_models import TEXT_AND_VISION, random_model

IMG, BREAK, END = 10, 12, 13
CONTEXT = TEXT_AND_VISION.max_position_embeddings
GREEDY = SamplingParams(temperature=0, max_tokens=8, seed=0)


@pytest.fixture(scope="module")
def model() -> MistralSmall:
    return random_model(TEXT_AND_VISION)


@pytest.fixture
def new_engine(model: MistralSmall) -> Callable[..., Engine]:
    """Makes engines whose cache rounds nothing, so that tokens can be compared."""
    return lambda *stop_ids: Engine(model, frozenset(stop_ids), kv_type=KVType.FLOAT32)


def text(length: int, seed: int = 0) -> list[int]:
    ids = torch.randint(20, 128, (length,), generator=torch.Generator().manual_seed(seed))
    return [1, *ids.tolist()][:length]


def picture(seed: int, rows: int, columns: int, start: int) -> tuple[list[int], PromptImage]:
    """An image of `rows` by `columns` tokens: their ids, and the image at `start`."""
    pixels = torch.randn(3, 28 * rows, 28 * columns, generator=torch.Generator().manual_seed(seed))
    ids = ([IMG] * columns + [BREAK]) * rows
    return [*ids[:-1], END], PromptImage(pixels, digest=f"{seed}", start=start, length=len(ids))


def with_images(*seeds: int) -> Prompt:
    """Text, and after each three tokens of it an image of 2 by 3 tokens."""
    ids, images = [1], []
    for seed in seeds:
        ids += [40, 41]
        tokens, image = picture(seed, rows=2, columns=3, start=len(ids))
        ids += tokens
        images.append(image)
    return Prompt([*ids, 50, 51, 4], images)


def recomputed(model: MistralSmall, prompt: Prompt) -> Tensor:
    """Scores after `prompt`, everything computed at once."""
    cache = KVCache(model.config, KVType.FLOAT32, torch.device("cpu"), blocks_for(len(prompt.ids)))
    with torch.inference_mode():
        rows = torch.cat(model.encode_images([image.pixels for image in prompt.images])) if prompt.images else None
        return model.logits(model(ForwardBatch.alone(prompt.ids, 0, cache, rows), cache)[-1:])[0]


def extended(prompt: Prompt, ids: list[int]) -> Prompt:
    return Prompt([*prompt.ids, *ids], prompt.images)


@pytest.mark.parametrize("prompt", [Prompt([1]), Prompt(text(30)), with_images(1), with_images(1, 2)])
def test_each_greedy_token_is_that_of_a_full_recomputation(
    prompt: Prompt, model: MistralSmall, new_engine: Callable[..., Engine]
) -> None:
    tokens = list(new_engine().generate(prompt, GREEDY))
    assert len(tokens) == 8
    for step, token in enumerate(tokens):
        assert token == int(recomputed(model, extended(prompt, tokens[:step])).argmax())


@pytest.mark.parametrize("prompt", [Prompt(text(23)), with_images(1, 2)], ids=["text", "images"])
@pytest.mark.parametrize("chunk", [1, 5, 7, 100])
def test_a_prompt_read_in_chunks_gives_the_same_scores(
    chunk: int, prompt: Prompt, model: MistralSmall, new_engine: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, progress = [], []

    class RecordingSampler:
        def __init__(self, params: SamplingParams) -> None:
            self.params = params

        def __call__(self, logits: Tensor) -> int:
            seen.append(logits)
            return 7

    monkeypatch.setattr(engine_module, "PREFILL_CHUNK", chunk)
    monkeypatch.setattr(engine_module, "Sampler", RecordingSampler)
    generation = new_engine().generate(prompt, GREEDY, lambda done, total: progress.append((done, total)))
    next(iter(generation))
    assert (seen[0] - recomputed(model, prompt)).abs().max() < 1e-4
    total = len(prompt.ids)
    assert progress == [(min(done + chunk, total), total) for done in range(0, total, chunk)]


def test_later_turns_reuse_all_that_was_said_and_answer_as_a_fresh_engine_does(
    new_engine: Callable[..., Engine],
) -> None:
    engine, prompt = new_engine(), with_images(1)
    for turn in range(3):
        generation = engine.generate(prompt, GREEDY)
        tokens = list(generation)
        assert generation.stats.cached_tokens == (len(prompt.ids) - 4 if turn else 0)
        assert tokens == list(new_engine().generate(prompt, GREEDY))
        # The last token was not run: it is part of the next prompt, with three tokens of the user's.
        prompt = extended(prompt, [*tokens, *text(4, seed=turn)[1:]])


def test_the_same_prompt_again_runs_only_its_last_token(new_engine: Callable[..., Engine]) -> None:
    engine, prompt = new_engine(), Prompt(text(20))
    first = list(engine.generate(prompt, GREEDY))
    again = engine.generate(prompt, GREEDY)
    assert list(again) == first
    assert again.stats.cached_tokens == 19


def test_another_beginning_is_not_reused(new_engine: Callable[..., Engine]) -> None:
    engine = new_engine()
    list(engine.generate(Prompt(text(20)), GREEDY))
    other = Prompt([*text(5), *text(15, seed=1)])
    generation = engine.generate(other, GREEDY)
    assert list(generation) == list(new_engine().generate(other, GREEDY))
    assert generation.stats.cached_tokens == 5


@pytest.mark.parametrize(
    ("before", "after", "cached"),
    [
        ((1,), (1,), 13),  # all but the last token
        ((1,), (2,), 3),  # up to the image
        ((1, 2), (1, 3), 13),  # up to the second image
        ((1, 2), (3, 2), 3),
        ((1,), (1, 2), 11),  # where the second question begins
        ((1, 2), (1,), 11),
    ],
)
def test_a_changed_image_is_not_reused(
    before: tuple[int, ...], after: tuple[int, ...], cached: int, new_engine: Callable[..., Engine]
) -> None:
    engine = new_engine()
    list(engine.generate(with_images(*before), GREEDY))
    generation = engine.generate(with_images(*after), GREEDY)
    assert list(generation) == list(new_engine().generate(with_images(*after), GREEDY))
    assert generation.stats.cached_tokens == cached


def test_an_image_is_reused_whole_or_not_at_all(new_engine: Callable[..., Engine]) -> None:
    """A prompt that ends with an image: all but its last token are in the cache, but the image runs again."""
    engine, prompt = new_engine(), with_images(1)
    ends_with_image = Prompt(prompt.ids[: prompt.images[0].end], prompt.images)
    list(engine.generate(prompt, GREEDY))
    generation = engine.generate(ends_with_image, GREEDY)
    assert list(generation) == list(new_engine().generate(ends_with_image, GREEDY))
    assert generation.stats.cached_tokens == prompt.images[0].start


def test_what_two_prompts_share_ends_where_an_image_differs_or_is_none() -> None:
    one = with_images(1)
    assert common_prefix(one, one) == len(one.ids) == 14
    assert common_prefix(one, with_images(2)) == common_prefix(with_images(2), one) == 3
    assert common_prefix(one, Prompt(one.ids)) == common_prefix(Prompt(one.ids), one) == 3
    assert common_prefix(one, extended(one, [60])) == 14
    assert common_prefix(one, Prompt([*one.ids[:12], 99], one.images)) == 12
    assert common_prefix(one, Prompt([])) == 0


@pytest.mark.parametrize("taken", [0, 1, 3])
def test_a_generation_left_midway_leaves_a_sound_engine(taken: int, new_engine: Callable[..., Engine]) -> None:
    engine, prompt = new_engine(), with_images(1)
    left = engine.generate(prompt, GREEDY)
    running = iter(left)
    tokens = [next(running) for _ in range(taken)]
    running.close()  # type: ignore[attr-defined]
    assert left.stats.finish_reason is None
    assert left.stats.output_tokens == taken
    following = extended(prompt, [*tokens, 60, 61])
    assert list(engine.generate(following, GREEDY)) == list(new_engine().generate(following, GREEDY))


@pytest.mark.parametrize("stop_after", [5, 10, 15, 20])
def test_an_interruption_while_reading_leaves_a_sound_engine(
    stop_after: int, new_engine: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "PREFILL_CHUNK", 5)
    engine, prompt = new_engine(), with_images(1, 2)

    def interrupt(done: int, total: int) -> None:
        if done >= stop_after:
            raise KeyboardInterrupt(total)

    with pytest.raises(KeyboardInterrupt):
        list(engine.generate(prompt, GREEDY, interrupt))
    for following in (prompt, with_images(2, 1)):
        assert list(engine.generate(following, GREEDY)) == list(new_engine().generate(following, GREEDY))


def test_the_same_seed_gives_the_same_tokens_and_another_does_not(new_engine: Callable[..., Engine]) -> None:
    def sample(seed: int) -> list[int]:
        return list(new_engine().generate(Prompt(text(5)), SamplingParams(temperature=2, max_tokens=12, seed=seed)))

    assert sample(1) == sample(1)
    assert len({tuple(sample(seed)) for seed in range(4)}) == 4


def finished(generation: Generation) -> tuple[list[int], Any]:
    return list(generation), generation.stats.finish_reason


@pytest.mark.parametrize("max_tokens", [1, 2, 8])
def test_the_number_of_tokens_asked_for_ends_an_answer(max_tokens: int, new_engine: Callable[..., Engine]) -> None:
    generation = new_engine().generate(Prompt(text(5)), replace(GREEDY, max_tokens=max_tokens))
    tokens, reason = finished(generation)
    assert (len(tokens), reason) == (max_tokens, "length")
    stats = generation.stats
    assert (stats.prompt_tokens, stats.output_tokens) == (5, max_tokens)
    assert (stats.tokens_per_second > 0) == (max_tokens > 1)


def test_a_stop_token_ends_an_answer_and_is_not_given_out(new_engine: Callable[..., Engine]) -> None:
    tokens = list(new_engine().generate(Prompt(text(5)), GREEDY))
    stop = tokens[4]
    before = tokens[: tokens.index(stop)]
    assert finished(new_engine(stop, 3).generate(Prompt(text(5)), GREEDY)) == (before, "stop")


def test_a_stop_token_right_away_gives_an_empty_answer(new_engine: Callable[..., Engine]) -> None:
    stop = next(iter(new_engine().generate(Prompt(text(5)), GREEDY)))
    generation = new_engine(stop).generate(Prompt(text(5)), GREEDY)
    assert finished(generation) == ([], "stop")
    assert generation.stats.output_tokens == 0
    assert generation.stats.tokens_per_second == 0


@pytest.mark.parametrize("max_tokens", [None, 1000])
@pytest.mark.parametrize("length", [CONTEXT - 1, CONTEXT - 4])
def test_a_full_context_ends_an_answer(length: int, max_tokens: int | None, new_engine: Callable[..., Engine]) -> None:
    generation = new_engine().generate(Prompt(text(length)), replace(GREEDY, max_tokens=max_tokens))
    tokens, reason = finished(generation)
    assert (len(tokens), reason) == (CONTEXT - length, "length")


@pytest.mark.parametrize("length", [CONTEXT, CONTEXT + 1])
def test_a_prompt_that_leaves_no_room_is_refused(length: int, new_engine: Callable[..., Engine]) -> None:
    with pytest.raises(PromptError, match=f"has {length} tokens, but the model reads at most {CONTEXT - 1}; shorten"):
        new_engine().generate(Prompt(text(length)), GREEDY)


def test_an_empty_prompt_is_refused(new_engine: Callable[..., Engine]) -> None:
    with pytest.raises(PromptError, match="is empty"):
        new_engine().generate(Prompt([]), GREEDY)


def test_a_refused_prompt_leaves_the_cache_as_it_was(new_engine: Callable[..., Engine]) -> None:
    engine, prompt = new_engine(), Prompt(text(20))
    list(engine.generate(prompt, GREEDY))
    with pytest.raises(PromptError):
        engine.generate(Prompt(text(CONTEXT)), GREEDY)
    again = engine.generate(prompt, GREEDY)
    list(again)
    assert again.stats.cached_tokens == 19


@pytest.mark.parametrize(("activations", "cache"), [(torch.float32, torch.float16), (torch.bfloat16, torch.bfloat16)])
def test_the_cache_takes_16_bits_a_value_unless_told_otherwise(
    activations: torch.dtype, cache: torch.dtype, monkeypatch: pytest.MonkeyPatch, model: MistralSmall
) -> None:
    monkeypatch.setattr(model, "dtype", activations)
    engine = Engine(model, frozenset())
    assert engine.cache.nbytes == CONTEXT * TEXT_AND_VISION.kv_bytes_per_token()
    assert engine.cache.layers[0].keys.dtype == cache


def test_a_prompt_that_memory_cannot_hold_is_refused(monkeypatch: pytest.MonkeyPatch, model: MistralSmall) -> None:
    monkeypatch.setattr("mistralet.engine.engine.blocks_that_fit", lambda *_: 1)
    engine = Engine(model, frozenset())
    assert engine.context == 32
    with pytest.raises(PromptError, match=r"40 tokens, but memory holds at most 31; .*--kv-type"):
        engine.generate(Prompt(text(40)), GREEDY)
    assert len(list(engine.generate(Prompt(text(30)), GREEDY))) == 2


def test_an_answer_from_a_16_bit_cache_is_close(model: MistralSmall) -> None:
    """Greedy tokens of the default cache: the first one is exact, for rounding starts with what is stored."""
    prompt = Prompt(text(12))
    tokens = list(Engine(model, frozenset()).generate(prompt, GREEDY))
    assert tokens[0] == int(recomputed(model, prompt).argmax())
    assert len(tokens) == 8


def test_an_answer_cannot_go_on_once_another_has_begun(new_engine: Callable[..., Engine]) -> None:
    """The cache holds one sequence: going on with the first would write into the second's."""
    engine = new_engine()
    first = iter(engine.generate(Prompt([1, 20, 21]), SamplingParams(temperature=0, max_tokens=4)))
    next(first)
    next(iter(engine.generate(Prompt([1, 30, 31]), SamplingParams(temperature=0, max_tokens=4))))
    with pytest.raises(RuntimeError, match="another generation has begun"):
        next(first)
