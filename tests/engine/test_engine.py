"""The engine gives what the model gives, whatever is cached, and ends as it says."""

from __future__ import annotations

import pytest
import torch

from mistralet.checkpoint import open_checkpoint
from mistralet.engine import Engine, SamplingParams, engine
from mistralet.engine.engine import common_prefix
from mistralet.engine.load import load_weights
from mistralet.errors import PromptError, UsageError
from mistralet.model import ForwardBatch, KVCache, MistralSmall, Prompt, PromptImage
from support.tiny_mistral import mistral3_reference, write_native

GREEDY = SamplingParams(temperature=0, max_tokens=6)
NO_STOP: frozenset[int] = frozenset()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> MistralSmall:
    folder = write_native(mistral3_reference(), tmp_path_factory.mktemp("model"))
    return load_weights(open_checkpoint(folder), torch.device("cpu"))


def new_engine(model: MistralSmall, stop_ids: frozenset[int] = NO_STOP) -> Engine:
    return Engine(model, stop_ids, kv_dtype=torch.float32)


def image_prompt(seed: int = 0, after: tuple[int, ...] = (50, 51)) -> Prompt:
    """Text, a picture of 2 x 2 tokens, text."""
    pixels = torch.randn(3, 56, 56, generator=torch.Generator().manual_seed(seed))
    ids = [1, 40, 41, 10, 10, 12, 10, 10, 13, *after]
    return Prompt(ids, [PromptImage(pixels, f"digest {seed}", start=3, length=6)])


def recomputed(model: MistralSmall, prompt: Prompt, count: int) -> list[int]:
    """A greedy continuation without any cache."""
    ids: list[int] = list(prompt.ids)
    with torch.inference_mode():
        rows = torch.cat(model.encode_images([image.pixels for image in prompt.images])) if prompt.images else None
        for _ in range(count):
            cache = KVCache(model.config, torch.float32, torch.device("cpu"))
            hidden = model(ForwardBatch(torch.tensor(ids), rows), cache)
            ids.append(int(model.logits(hidden[-1:])[0].argmax()))
    return ids[len(prompt.ids) :]


TEXT = Prompt([1, *range(20, 60)])


@pytest.mark.parametrize("prompt", [TEXT, image_prompt()], ids=["text", "image"])
@pytest.mark.parametrize("chunk", [512, 5])
def test_a_greedy_continuation_is_that_of_full_recomputation(
    prompt: Prompt, chunk: int, model: MistralSmall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "PREFILL_CHUNK", chunk)
    assert list(new_engine(model).generate(prompt, GREEDY)) == recomputed(model, prompt, 6)


def test_the_next_turn_reads_only_what_is_new(model: MistralSmall) -> None:
    warm = new_engine(model)
    answer = list(warm.generate(TEXT, GREEDY))
    longer = Prompt([*TEXT.ids, *answer, 70, 71, 72])
    generation = warm.generate(longer, GREEDY)
    tokens = list(generation)
    assert generation.stats.cached_tokens == len(TEXT.ids) + len(answer) - 1
    assert tokens == list(new_engine(model).generate(longer, GREEDY))


def test_an_equal_picture_is_reused_and_another_is_not(model: MistralSmall) -> None:
    warm = new_engine(model)
    list(warm.generate(image_prompt(seed=0), GREEDY))
    for seed, cached in ((0, 9), (1, 3)):
        prompt = image_prompt(seed, after=(60, 61, 62))
        generation = warm.generate(prompt, GREEDY)
        assert list(generation) == list(new_engine(model).generate(prompt, GREEDY))
        assert generation.stats.cached_tokens == cached


def test_the_same_prompt_again_runs_its_last_token(model: MistralSmall) -> None:
    warm = new_engine(model)
    first = list(warm.generate(TEXT, GREEDY))
    again = warm.generate(TEXT, GREEDY)
    assert list(again) == first
    assert again.stats.cached_tokens == len(TEXT.ids) - 1


def test_a_picture_is_never_read_in_part() -> None:
    """A prompt that ends inside what was a picture before shares only what came before the picture."""
    assert common_prefix(image_prompt(0), image_prompt(1)) == 3
    assert common_prefix(image_prompt(0), image_prompt(0, after=(50, 99))) == 10
    assert common_prefix(image_prompt(0), Prompt(image_prompt(0).ids)) == 3
    assert common_prefix(Prompt([]), TEXT) == 0


def test_an_abandoned_answer_leaves_the_engine_usable(model: MistralSmall) -> None:
    warm = new_engine(model)
    tokens = iter(warm.generate(TEXT, GREEDY))
    next(tokens)
    next(tokens)
    other = Prompt([1, 90, 91])
    assert list(warm.generate(other, GREEDY)) == list(new_engine(model).generate(other, GREEDY))


def test_the_seed_decides(model: MistralSmall) -> None:
    def tokens(seed: int) -> list[int]:
        return list(new_engine(model).generate(TEXT, SamplingParams(temperature=2, max_tokens=8, seed=seed)))

    assert tokens(1) == tokens(1) != tokens(2)


def test_it_ends_at_the_limit(model: MistralSmall) -> None:
    generation = new_engine(model).generate(TEXT, GREEDY)
    assert len(list(generation)) == 6
    assert generation.stats.finish_reason == "length"
    assert generation.stats.output_tokens == 6
    assert generation.stats.tokens_per_second > 0


def test_it_ends_at_a_stop_token_which_is_not_given_out(model: MistralSmall) -> None:
    third = recomputed(model, TEXT, 3)[2]
    generation = new_engine(model, frozenset({third})).generate(TEXT, GREEDY)
    assert list(generation) == recomputed(model, TEXT, 2)
    assert generation.stats.finish_reason == "stop"


def test_it_ends_where_the_context_does(model: MistralSmall) -> None:
    context = model.config.max_position_embeddings
    generation = new_engine(model).generate(Prompt([1] * (context - 3)), SamplingParams(temperature=0))
    assert len(list(generation)) == 3
    assert generation.stats.finish_reason == "length"


@pytest.mark.parametrize(("length", "complaint"), [(0, "prompt is empty"), (1024, "reads at most 1023")])
def test_a_prompt_that_cannot_be_answered_is_refused(length: int, complaint: str, model: MistralSmall) -> None:
    with pytest.raises(PromptError, match=complaint):
        new_engine(model).generate(Prompt([1] * length), GREEDY)


def test_reading_is_reported(model: MistralSmall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "PREFILL_CHUNK", 20)
    steps: list[tuple[int, int]] = []
    list(new_engine(model).generate(TEXT, GREEDY, lambda done, total: steps.append((done, total))))
    assert steps == [(20, 41), (40, 41), (41, 41)]


@pytest.mark.parametrize("values", [{"temperature": -0.1}, {"temperature": 101}, {"max_tokens": 0}, {"seed": -1}])
def test_parameters_out_of_range_are_refused(values: dict[str, int]) -> None:
    with pytest.raises(UsageError):
        SamplingParams(**values)
