"""What only a GPU can show: `make gpu` on a machine that has one. Elsewhere these tests are left out."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch
from torch import Tensor

from mistralet import ops
from mistralet.config import KVType, Rounding
from mistralet.engine import Engine, EngineOptions, Request, SamplingParams
from mistralet.engine.load import LoadedModel, load, load_weights, rounded
from mistralet.model import ForwardBatch, KVCache, MistralSmall, Prompt
from mistralet.ops import LayerCache, PagedBatch, Span, blocks_for
from mistralet.quant import Encoding, ScaledTensor, pack_half_bytes
from support.random_models import TEXT, TEXT_AND_VISION, checkpoint_of, random_weights

if not torch.cuda.is_available():
    pytest.skip("there is no GPU that PyTorch can use", allow_module_level=True)

GPU, CPU = torch.device("cuda"), torch.device("cpu")
QUESTIONS = ["What is the capital of France?", "Write a haiku about the sea.", "Count from one to twenty.", "Hello!"]


def randn(*shape: int, dtype: torch.dtype = torch.bfloat16) -> Tensor:
    return torch.randn(*shape, device=GPU).to(dtype)


def random_scaled(encoding: Encoding, rows: int, columns: int, group: int, has_offsets: bool) -> ScaledTensor:
    if encoding is Encoding.INT8:
        codes = torch.randint(-128, 128, (rows, columns), device=GPU).to(torch.int8)
    elif encoding is Encoding.FP8:
        codes = randn(rows, columns).to(torch.float8_e4m3fn)
    else:
        codes = pack_half_bytes(torch.randint(0, 16, (rows, columns), device=GPU))
    scales = torch.rand(rows, columns // group, device=GPU)
    return ScaledTensor(encoding, codes, scales, torch.randn_like(scales) if has_offsets else None)


@pytest.mark.parametrize("encoding", Encoding)
@pytest.mark.parametrize("tokens", [1, 3, 4, 5, 16, 63, 128, 129, 500])
@pytest.mark.parametrize(("rows", "group"), [(4096, 64), (33, 32), (1024, 5120)])
def test_products(encoding: Encoding, tokens: int, rows: int, group: int) -> None:
    weight = random_scaled(encoding, rows, 5120, group, has_offsets=rows == 33)
    x, onto = randn(tokens, 5120), randn(tokens, rows)
    expected = x.double() @ weight.dequantize().double().T + onto.double()
    actual = ops.linear(x, weight, onto).double()
    assert bool(actual.isfinite().all())
    # FP8 activations keep 3 bits, bfloat16 sums 8.
    tolerance = 0.04 if encoding is Encoding.FP8 else 0.01
    assert (actual - expected).norm() < tolerance * expected.norm()


@pytest.mark.parametrize("kv_type", [KVType.BFLOAT16, KVType.FLOAT16, KVType.INT8])
def test_attention_of_prompts_and_single_tokens(kv_type: KVType) -> None:
    heads, kv_heads, head_dim = 32, 8, 128
    contexts, tokens = [1, 40, 3000, 700, 513], [1, 1, 1, 300, 513]
    order = torch.randperm(sum(map(blocks_for, contexts))).to(torch.int32)
    cache = LayerCache.empty(len(order), kv_heads, head_dim, kv_type, GPU)
    exact = LayerCache.empty(len(order), kv_heads, head_dim, KVType.FLOAT32, CPU)
    for tensor in cache.tensors:
        tensor.fill_(float("nan") if tensor.is_floating_point() else 77)
    spans, first = [], 0
    for context, count in zip(contexts, tokens, strict=True):
        spans.append(Span(count, context, order[first : first + blocks_for(context)]))
        first += blocks_for(context)
    for span in spans:
        whole = PagedBatch([Span(span.context, span.context, span.blocks)])
        query, key, value = (randn(span.context, count, head_dim) for count in (heads, kv_heads, kv_heads))
        rotations = ops.rotary_table(whole.positions, head_dim, 1e9)
        ops.rotate_and_store(query, key, value, rotations.to(GPU), cache, whole)
        ops.rotate_and_store(*(x.float().cpu() for x in (query, key, value)), rotations, exact, whole)
    batch = PagedBatch(spans)
    query = randn(batch.tokens, heads, head_dim)
    expected = ops.attend(query.float().cpu(), exact, batch)
    actual = ops.attend(query, cache, batch).float().cpu()
    assert (actual - expected).norm() < 0.02 * expected.norm()


def logits(model: MistralSmall, device: torch.device) -> Tensor:
    ids = [1, *range(20, 80)]
    cache = KVCache(model.config, KVType.FLOAT32, device, blocks_for(len(ids)))
    with torch.inference_mode():
        hidden = [
            model(ForwardBatch.alone(ids[start:end], start), cache) for start, end in ((0, 50), (50, 60), (60, 61))
        ]
        return model.logits(torch.cat(hidden)).cpu()


@pytest.mark.parametrize("rounding", [None, *Rounding])
def test_logits_of_a_whole_model(rounding: Rounding | None) -> None:
    checkpoint = checkpoint_of(TEXT, random_weights(TEXT))
    here = checkpoint if rounding is None else rounded(checkpoint, rounding, GPU)
    there = checkpoint if rounding is None else rounded(checkpoint, rounding)
    expected = logits(load_weights(there, CPU, torch.float32, use_native=False), CPU)
    actual = logits(load_weights(here, GPU, torch.float32), GPU)
    torch.testing.assert_close(actual, expected, rtol=1e-3, atol=2e-3)


def test_pictures() -> None:
    checkpoint = checkpoint_of(TEXT_AND_VISION, random_weights(TEXT_AND_VISION))
    assert TEXT_AND_VISION.vision is not None
    side = 4 * TEXT_AND_VISION.vision.merged_patch_size
    images = [torch.randn(3, side, side), torch.randn(3, side // 2, side)]
    with torch.inference_mode():
        expected = load_weights(checkpoint, CPU, torch.float32, use_native=False).encode_images(images)
        actual = load_weights(checkpoint, GPU, torch.float32).encode_images([image.to(GPU) for image in images])
    for one, other in zip(actual, expected, strict=True):
        torch.testing.assert_close(one.cpu(), other, rtol=1e-3, atol=1e-3)


@pytest.fixture(scope="module")
def on_gpu(tiny_path: Path) -> LoadedModel:
    return load(tiny_path, "cuda")


def answers(engine: Engine, params: SamplingParams) -> list[list[int]]:
    prompts = [Prompt(engine.tokenizer.encode(question)) for question in QUESTIONS]
    requests = [Request(prompt, params, id=str(number)) for number, prompt in enumerate(prompts)]
    return [completion.token_ids for completion in engine.generate(requests)]


def test_greedy_answers_are_those_of_a_cpu(on_gpu: LoadedModel, tiny_path: Path) -> None:
    """Up to the first place at which the two likeliest tokens are nearly as likely."""
    params = SamplingParams(temperature=0, max_tokens=48)
    here = answers(Engine(on_gpu.model, on_gpu.tokenizer, EngineOptions(kv_tokens=4096)), params)
    on_cpu = load(tiny_path)
    there = answers(Engine(on_cpu.model, on_cpu.tokenizer, EngineOptions(kv_tokens=4096)), params)
    same = [sum(one == other for one, other in zip(*pair, strict=False)) for pair in zip(here, there, strict=True)]
    assert sum(same) > 0.5 * sum(map(len, there)), same


@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_the_same_request_gives_the_same_tokens(on_gpu: LoadedModel, temperature: float) -> None:
    params = SamplingParams(temperature=temperature, max_tokens=40, seed=7, top_p=0.9)
    engine = Engine(on_gpu.model, on_gpu.tokenizer, EngineOptions(kv_tokens=4096, prompt_lookup=False))
    assert answers(engine, params) == answers(engine, params)


def test_recorded_steps_compute_what_others_do(on_gpu: LoadedModel) -> None:
    engine = Engine(on_gpu.model, on_gpu.tokenizer, EngineOptions(kv_tokens=4096, prompt_lookup=False))
    params = SamplingParams(temperature=0, max_tokens=40)
    recorded = answers(engine, params)
    assert engine.runner._steps
    engine.runner._records = False
    plain = answers(engine, params)
    assert recorded == plain


def test_sequences_that_come_and_go(on_gpu: LoadedModel) -> None:
    """A cache that is too small, answers of many lengths: blocks change hands while recorded steps go on."""
    engine = Engine(on_gpu.model, on_gpu.tokenizer, EngineOptions(kv_tokens=512))
    chance = random.Random(0)
    requests = [
        Request(
            Prompt(engine.tokenizer.encode(chance.choice(QUESTIONS) * chance.randint(1, 9))),
            SamplingParams(max_tokens=chance.randint(1, 60), seed=number, ignore_eos=True),
            id=str(number),
        )
        for number in range(24)
    ]
    for completion in engine.generate(requests):
        assert completion.token_ids
    assert not engine.has_work
