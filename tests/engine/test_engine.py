"""Generation with a tiny random model: neither company nor what the cache saves ever shows in a request's tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import islice

import pytest
import torch
from torch import Tensor

from mistralet.config import KVType
from mistralet.engine import Completion, Engine, EngineOptions, Request, SamplingParams
from mistralet.engine.events import Event
from mistralet.errors import PromptError, UsageError
from mistralet.model import ForwardBatch, ImageRows, KVCache, MistralSmall, Prompt, PromptImage
from mistralet.ops import BLOCK_SIZE
from support.letters import LetterTokenizer
from support.random_models import TEXT_AND_VISION, random_model

IMG, BREAK, END = 10, 12, 13
CONTEXT = TEXT_AND_VISION.max_position_embeddings
GREEDY = SamplingParams(temperature=0, max_tokens=8, seed=0)

NewEngine = Callable[..., Engine]


@pytest.fixture(scope="module")
def model() -> MistralSmall:
    return random_model(TEXT_AND_VISION)


@pytest.fixture(params=[False, True], ids=["in turn", "ahead"])
def new_engine(model: MistralSmall, request: pytest.FixtureRequest) -> NewEngine:
    """Makes engines whose cache rounds nothing, so that tokens can be compared."""

    def new(
        stop_ids: Iterable[int] = (),
        kv_tokens: int = 512,
        listener: Callable[[Event], None] | None = None,
        **options: int,
    ) -> Engine:
        chosen = EngineOptions(kv_type=KVType.FLOAT32, kv_tokens=kv_tokens, **options)
        engine = Engine(model, LetterTokenizer(stop_ids=stop_ids), chosen, listener=listener)
        engine.launches_ahead = request.param
        return engine

    return new


def text(length: int, seed: int = 0) -> list[int]:
    ids = torch.randint(20, 128, (length,), generator=torch.Generator().manual_seed(seed))
    return [1, *ids.tolist()][:length]


def picture(seed: int, rows: int, columns: int, start: int) -> tuple[list[int], PromptImage]:
    """An image of `rows` by `columns` tokens: their ids, and the image at `start`."""
    pixels = torch.randn(3, 28 * rows, 28 * columns, generator=torch.Generator().manual_seed(seed))
    ids = ([IMG] * columns + [BREAK]) * rows
    return [*ids[:-1], END], PromptImage(pixels, digest=f"{seed}", start=start, columns=columns, rows=rows)


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
    cache = KVCache(model.config, KVType.FLOAT32, torch.device("cpu"), blocks=4)
    with torch.inference_mode():
        images = None
        if prompt.images:
            places = torch.tensor([place for place, token in enumerate(prompt.ids) if token == IMG])
            images = ImageRows(places, torch.cat(model.encode_images([image.pixels for image in prompt.images])))
        return model.logits(model(ForwardBatch.alone(prompt.ids, 0, images), cache)[-1:])[0]


def extended(prompt: Prompt, ids: list[int]) -> Prompt:
    return Prompt([*prompt.ids, *ids], prompt.images)


def answer(engine: Engine, prompt: Prompt, params: SamplingParams = GREEDY) -> Completion:
    (completion,) = engine.generate([Request(prompt, params)])
    return completion


@pytest.mark.parametrize("prefill_tokens", [1, 5, 512])
@pytest.mark.parametrize("images", [(), (1,), (1, 2), (1, 1)])
def test_every_token_is_the_likeliest_when_all_is_computed_again(
    images: tuple[int, ...], prefill_tokens: int, new_engine: NewEngine, model: MistralSmall
) -> None:
    prompt = with_images(*images)
    tokens = answer(new_engine(prefill_tokens=prefill_tokens), prompt).token_ids
    for count, token in enumerate(tokens):
        assert token == int(recomputed(model, extended(prompt, tokens[:count])).argmax())


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
    before: tuple[int, ...], after: tuple[int, ...], cached: int, new_engine: NewEngine
) -> None:
    engine = new_engine()
    answer(engine, with_images(*before))
    second = answer(engine, with_images(*after))
    assert second.token_ids == answer(new_engine(), with_images(*after)).token_ids
    assert second.stats.cached_tokens == cached


def test_a_prompt_may_end_within_what_is_cached_of_an_image(new_engine: NewEngine) -> None:
    engine, prompt = new_engine(), with_images(1)
    ends_with_image = Prompt(prompt.ids[: prompt.images[0].end], prompt.images)
    answer(engine, prompt)
    second = answer(engine, ends_with_image)
    assert second.token_ids == answer(new_engine(), ends_with_image).token_ids
    assert second.stats.cached_tokens == len(ends_with_image.ids) - 1


def test_an_image_token_without_an_image_is_a_token_like_any_other(new_engine: NewEngine, model: MistralSmall) -> None:
    prompt = Prompt([1, IMG, 40])
    assert answer(new_engine(), prompt).token_ids[0] == int(recomputed(model, prompt).argmax())


def test_the_next_turn_of_a_conversation_computes_only_what_is_new(new_engine: NewEngine) -> None:
    engine, prompt = new_engine(), Prompt(text(20))
    first = answer(engine, prompt)
    following = extended(prompt, [*first.token_ids, 60, 61])
    second = answer(engine, following)
    assert second.token_ids == answer(new_engine(), following).token_ids
    assert second.stats.cached_tokens == 20 + len(first.token_ids) - 1  # the last one never ran


@pytest.mark.parametrize("taken", [0, 1, 3])
def test_a_stream_left_midway_is_cancelled_and_leaves_a_sound_engine(taken: int, new_engine: NewEngine) -> None:
    engine, prompt = new_engine(), with_images(1)
    running = engine.stream(Request(prompt, GREEDY))
    tokens = [token for output in islice(running, taken) for token in output.token_ids]
    if taken:
        running.close()  # type: ignore[attr-defined]
        assert not engine.has_work
        assert engine.pool.free == engine.pool.size
    following = extended(prompt, [*tokens, 60, 61])
    assert answer(engine, following).token_ids == answer(new_engine(), following).token_ids


def test_an_interruption_while_a_prompt_is_read_leaves_a_sound_engine(
    new_engine: NewEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, prompt = new_engine(prefill_tokens=5), with_images(1, 2)
    build = engine.batches.batch
    for steps in range(4):
        runs = iter([build] * steps)

        def interrupt(chunks: list[object], runs=runs) -> ForwardBatch:  # type: ignore[no-untyped-def]
            for permitted in runs:
                return permitted(chunks)
            raise KeyboardInterrupt

        monkeypatch.setattr(engine.batches, "batch", interrupt)
        with pytest.raises(KeyboardInterrupt):
            answer(engine, prompt)
        monkeypatch.setattr(engine.batches, "batch", build)
        assert engine.pool.free == engine.pool.size
        for following in (prompt, with_images(2, 1)):
            assert answer(engine, following).token_ids == answer(new_engine(), following).token_ids


def test_the_same_seed_gives_the_same_tokens_and_another_does_not(new_engine: NewEngine) -> None:
    def sample(seed: int) -> list[int]:
        return answer(new_engine(), Prompt(text(5)), SamplingParams(temperature=2, max_tokens=12, seed=seed)).token_ids

    assert sample(1) == sample(1)
    assert len({tuple(sample(seed)) for seed in range(4)}) == 4


def test_several_answers_to_one_prompt_differ_and_read_it_once(new_engine: NewEngine) -> None:
    params = SamplingParams(temperature=2, max_tokens=6, seed=3, n=4)
    prompt = Prompt(text(40))
    answers = new_engine(prefill_tokens=16).generate([Request(prompt, params, id="many")])
    assert [(a.request_id, a.index) for a in answers] == [("many", index) for index in range(4)]
    assert len({tuple(a.token_ids) for a in answers}) == 4
    assert [a.stats.cached_tokens for a in answers] == [0, 39, 39, 39]
    alone = new_engine().generate([Request(prompt, params)])
    assert [a.token_ids for a in answers] == [a.token_ids for a in alone]


@pytest.mark.parametrize("max_tokens", [1, 2, 8])
def test_the_number_of_tokens_asked_for_ends_an_answer(max_tokens: int, new_engine: NewEngine) -> None:
    completion = answer(new_engine(), Prompt(text(5)), replace(GREEDY, max_tokens=max_tokens))
    assert (len(completion.token_ids), completion.finish_reason) == (max_tokens, "length")
    stats = completion.stats
    assert (stats.prompt_tokens, stats.read_tokens, stats.output_tokens) == (5, 5, max_tokens)
    assert (stats.tokens_per_second > 0) == (max_tokens > 1)


def test_a_stop_token_ends_an_answer_and_is_not_given_out(new_engine: NewEngine) -> None:
    tokens = answer(new_engine(), Prompt(text(5))).token_ids
    stop = tokens[4]
    before = tokens[: tokens.index(stop)]
    for engine, params in (
        (new_engine([stop, 3]), GREEDY),
        (new_engine(), replace(GREEDY, stop_token_ids=(stop,))),
    ):
        stopped = answer(engine, Prompt(text(5)), params)
        assert (stopped.token_ids, stopped.finish_reason) == (before, "stop")
        assert stopped.stats.output_tokens == len(before)
    ignored = answer(new_engine([stop]), Prompt(text(5)), replace(GREEDY, ignore_eos=True))
    assert ignored.token_ids == tokens


def test_a_stop_token_right_away_gives_an_empty_answer(new_engine: NewEngine) -> None:
    stop = answer(new_engine(), Prompt(text(5))).token_ids[0]
    completion = answer(new_engine([stop]), Prompt(text(5)))
    assert (completion.token_ids, completion.text, completion.finish_reason) == ([], "", "stop")
    assert completion.stats.output_tokens == 0
    assert completion.stats.tokens_per_second == 0


def test_the_text_is_that_of_the_tokens(new_engine: NewEngine) -> None:
    completion = answer(new_engine(), Prompt(text(9)), replace(GREEDY, max_tokens=30))
    assert completion.text == LetterTokenizer().decode(completion.token_ids) != ""


@pytest.mark.parametrize("max_tokens", [None, 1000])
@pytest.mark.parametrize("length", [CONTEXT - 1, CONTEXT - 4])
def test_a_full_context_ends_an_answer(length: int, max_tokens: int | None, new_engine: NewEngine) -> None:
    completion = answer(new_engine(), Prompt(text(length)), replace(GREEDY, max_tokens=max_tokens))
    assert (len(completion.token_ids), completion.finish_reason) == (CONTEXT - length, "length")


def test_a_full_cache_ends_an_answer_that_has_it_all(new_engine: NewEngine) -> None:
    completion = answer(new_engine(kv_tokens=BLOCK_SIZE), Prompt(text(20)), replace(GREEDY, max_tokens=None))
    assert (len(completion.token_ids), completion.finish_reason) == (BLOCK_SIZE - 20, "length")


@pytest.mark.parametrize("length", [CONTEXT, CONTEXT + 1])
def test_a_prompt_that_leaves_no_room_is_refused(length: int, new_engine: NewEngine) -> None:
    with pytest.raises(PromptError, match=f"has {length} tokens, but the model reads at most {CONTEXT - 1}; shorten"):
        new_engine().add(Request(Prompt(text(length)), GREEDY))


def test_a_prompt_larger_than_the_cache_is_refused(new_engine: NewEngine) -> None:
    with pytest.raises(PromptError, match="has 32 tokens, but memory holds at most 31; shorten it, or"):
        new_engine(kv_tokens=32).add(Request(Prompt(text(32)), GREEDY))


def test_an_empty_prompt_is_refused(new_engine: NewEngine) -> None:
    with pytest.raises(PromptError, match="is empty"):
        new_engine().stream(Request(Prompt([]), GREEDY))


def test_two_requests_of_one_name_are_refused_while_the_first_runs(new_engine: NewEngine) -> None:
    engine = new_engine()
    request = Request(Prompt(text(5)), GREEDY, id="twin")
    engine.add(request)
    with pytest.raises(UsageError, match="'twin' runs already"):
        engine.add(request)
    assert engine.cancel("twin")
    assert not engine.cancel("twin")
    engine.add(request)


def test_a_bad_request_among_many_is_refused_before_any_runs(new_engine: NewEngine) -> None:
    engine = new_engine()
    with pytest.raises(PromptError, match="is empty"):
        engine.generate([Request(Prompt(text(5)), GREEDY), Request(Prompt([]), GREEDY)])
    assert not engine.has_work


def test_streams_of_one_engine_share_its_steps_and_keep_their_own_tokens(new_engine: NewEngine) -> None:
    engine = new_engine()
    prompts = [Prompt(text(6, seed)) for seed in range(3)]
    streams = [engine.stream(Request(prompt, GREEDY)) for prompt in prompts]
    tokens: list[list[int]] = [[], [], []]
    for outputs in zip(*streams, strict=True):
        for index, output in enumerate(outputs):
            tokens[index] += output.token_ids
    assert tokens == [answer(new_engine(), prompt).token_ids for prompt in prompts]


def test_logprobs_are_those_of_the_models_scores(new_engine: NewEngine, model: MistralSmall) -> None:
    prompt = Prompt(text(9))
    completion = answer(new_engine(), prompt, replace(GREEDY, temperature=2.0, logprobs=3))
    assert [sampled.token for sampled in completion.logprobs] == completion.token_ids
    for count, sampled in enumerate(completion.logprobs):
        scores = recomputed(model, extended(prompt, completion.token_ids[:count])).log_softmax(0)
        assert sampled.logprob == pytest.approx(float(scores[sampled.token]), abs=1e-4)
        assert [token for token, _ in sampled.top_logprobs] == scores.topk(3).indices.tolist()


@pytest.mark.parametrize("prefill_tokens", [4, 512])
def test_logprobs_of_a_prompt_are_told_also_if_it_is_cached(
    prefill_tokens: int, new_engine: NewEngine, model: MistralSmall
) -> None:
    engine, prompt = new_engine(prefill_tokens=prefill_tokens), Prompt(text(20))
    answer(engine, prompt)
    params = replace(GREEDY, prompt_logprobs=2)
    first, second = engine.generate([Request(prompt, params), Request(Prompt(text(5)), params)])
    assert len(first.prompt_logprobs) == 19
    assert len(second.prompt_logprobs) == 4
    for place, sampled in enumerate(first.prompt_logprobs):
        scores = recomputed(model, Prompt(prompt.ids[: place + 1])).log_softmax(0)
        assert sampled.token == prompt.ids[place + 1]
        assert sampled.logprob == pytest.approx(float(scores[sampled.token]), abs=1e-4)
        assert len(sampled.top_logprobs) == 2
    assert answer(engine, prompt).prompt_logprobs == []


def test_token_ids_outside_the_vocabulary_are_refused(new_engine: NewEngine) -> None:
    for ids in ([1, 128], [-1, 1]):
        with pytest.raises(PromptError, match=r"outside the vocabulary \(0 to 127\)"):
            new_engine().add(Request(Prompt(ids), GREEDY))


def test_a_lower_priority_number_runs_first(new_engine: NewEngine) -> None:
    engine = new_engine(max_sequences=1)
    for name, priority in (("late", 5), ("soon", 0), ("sooner", -1)):
        engine.add(Request(Prompt(text(5)), GREEDY, priority=priority, id=name))
    ended = []
    while engine.has_work:
        ended += [output.request_id for output in engine.step() if output.finish_reason]
    assert ended == ["sooner", "soon", "late"]


def test_a_short_prompt_does_not_wait_for_a_long_one_to_be_read(new_engine: NewEngine) -> None:
    engine = new_engine(prefill_tokens=8)
    engine.add(Request(Prompt(text(60)), replace(GREEDY, max_tokens=1), id="long"))
    engine.add(Request(Prompt(text(8, seed=1)), replace(GREEDY, max_tokens=1), id="short"))
    ended = []
    while engine.has_work:
        ended += [output.request_id for output in engine.step() if output.finish_reason]
    assert ended == ["short", "long"]


def test_a_shared_prefix_that_is_being_read_is_waited_for(new_engine: NewEngine) -> None:
    shared = text(48)
    requests = [Request(Prompt([*shared, 50 + i]), GREEDY) for i in range(5)]
    answers = new_engine(prefill_tokens=16).generate(requests)
    assert [a.stats.cached_tokens for a in answers] == [0, 48, 48, 48, 48]
    assert [a.token_ids for a in answers] == [answer(new_engine(), r.prompt).token_ids for r in requests]


def test_when_blocks_run_out_the_last_to_come_waits_and_loses_nothing(new_engine: NewEngine) -> None:
    params = replace(GREEDY, max_tokens=20)
    prompts = [Prompt(text(28, seed)) for seed in range(3)]
    engine = new_engine(kv_tokens=5 * BLOCK_SIZE)
    answers = engine.generate([Request(prompt, params) for prompt in prompts])
    assert sum(a.stats.preemptions for a in answers) >= 1
    assert answers[0].stats.preemptions == 0
    assert [a.token_ids for a in answers] == [answer(new_engine(), p, params).token_ids for p in prompts]
    assert engine.pool.free == engine.pool.size


def test_events_tell_a_requests_way(new_engine: NewEngine) -> None:
    events: list[Event] = []
    engine = new_engine(listener=events.append, prompt_lookup=False)
    engine.generate([Request(Prompt(text(5)), GREEDY, id="a")])
    assert [e.kind for e in events if e.request_id == "a"] == ["queued", "scheduled", "first_token", "finished"]
    steps = [e.facts for e in events if e.kind == "step"]
    assert [facts["tokens"] for facts in steps] == [5, *[1] * 7]
    assert events[-2].facts["reason"] == "length"
    engine.add(Request(Prompt(text(5)), GREEDY, id="b"))
    engine.cancel("b")
    assert events[-1].kind == "finished"
    assert events[-1].facts["reason"] == "cancelled"


@pytest.mark.parametrize(("activations", "cache"), [(torch.float32, torch.float16), (torch.bfloat16, torch.bfloat16)])
def test_the_cache_takes_16_bits_a_value_unless_told_otherwise(
    activations: torch.dtype, cache: torch.dtype, monkeypatch: pytest.MonkeyPatch, model: MistralSmall
) -> None:
    monkeypatch.setattr(model, "dtype", activations)
    engine = Engine(model, LetterTokenizer(), EngineOptions(kv_tokens=256))
    assert engine.cache.nbytes == 256 * TEXT_AND_VISION.kv_bytes_per_token()
    assert engine.cache.layers[0].keys.dtype == cache


def test_an_answer_from_a_16_bit_cache_is_close(model: MistralSmall) -> None:
    """Greedy tokens of the default cache: the first one is exact, for rounding starts with what is stored."""
    prompt = Prompt(text(12))
    tokens = answer(Engine(model, LetterTokenizer()), prompt).token_ids
    assert tokens[0] == int(recomputed(model, prompt).argmax())
    assert len(tokens) == 8


@pytest.mark.parametrize("name", ["kv_tokens", "max_sequences", "prefill_tokens"])
def test_options_out_of_range_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match=f"{name} is 0, but must be at least 1"):
        EngineOptions(**{name: 0})
