"""The stand-in's real weights, against transformers on the same weights and llama.cpp's golden continuations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from mistralet.checkpoint import Checkpoint, open_checkpoint
from mistralet.checkpoint.hf import canonical_name
from mistralet.config import KVType
from mistralet.engine import Engine, EngineOptions, Request, SamplingParams
from mistralet.engine.load import load_weights
from mistralet.model import ForwardBatch, KVCache, MistralSmall, Prompt
from mistralet.ops import blocks_for
from mistralet.quant import QuantizedTensor
from mistralet.tokenizer import BpeTokenizer

GOLDEN = json.loads((Path(__file__).parent.parent / "golden" / "tiny_continuations.json").read_text())["continuations"]
# llama.cpp rounds activations to 8 bits, and so do the native kernels, so that of two near-equal tokens either may be
# chosen. The largest margin at which llama.cpp chose another token than exact arithmetic does, over 624 steps, is 0.33.
CLEAR_MARGIN = 0.4


@pytest.fixture(scope="module")
def checkpoint(tiny_path: Path) -> Checkpoint:
    return open_checkpoint(tiny_path)


@pytest.fixture(scope="module")
def exact(checkpoint: Checkpoint) -> MistralSmall:
    """The model in plain PyTorch, in float32."""
    return load_weights(checkpoint, torch.device("cpu"), use_native=False)


@pytest.fixture(scope="module")
def fast(checkpoint: Checkpoint) -> MistralSmall:
    """The model as users run it."""
    return load_weights(checkpoint, torch.device("cpu"))


def next_token_scores(model: MistralSmall, golden: dict[str, Any], kv_type: KVType = KVType.FLOAT32) -> Tensor:
    """Scores at each step of a golden continuation, `[steps, vocab_size]`."""
    ids = golden["prompt_ids"] + golden["output_ids"][:-1]
    cache = KVCache(model.config, kv_type, torch.device("cpu"), blocks_for(len(ids)))
    with torch.inference_mode():
        hidden = model(ForwardBatch.alone(ids, 0), cache)
        return model.logits(hidden[len(golden["prompt_ids"]) - 1 :])


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: golden["prompt"][:24])
def test_every_clear_choice_is_llama_cpps(
    golden: dict[str, Any], exact: MistralSmall, tiny_tokenizer: BpeTokenizer
) -> None:
    assert tiny_tokenizer.encode(golden["prompt"]) == golden["prompt_ids"]
    choices = next_token_scores(exact, golden).argmax(-1).tolist()
    steps = zip(choices, golden["output_ids"], golden["margins"], strict=True)
    assert [(ours, theirs) for ours, theirs, margin in steps if ours != theirs and margin > CLEAR_MARGIN] == []


def test_top_1_agreement_with_llama_cpp(fast: MistralSmall) -> None:
    agreed = sum(
        ours == theirs
        for golden in GOLDEN
        for ours, theirs in zip(next_token_scores(fast, golden).argmax(-1).tolist(), golden["output_ids"], strict=True)
    )
    assert agreed / sum(len(golden["output_ids"]) for golden in GOLDEN) > 0.95


def test_rounding_of_activations_costs_no_more_than_llama_cpps(exact: MistralSmall, fast: MistralSmall) -> None:
    """The mean divergence from exact arithmetic of llama.cpp's scores on these steps is 0.0033."""
    divergences = []
    for golden in GOLDEN[::4]:
        expected = next_token_scores(exact, golden).log_softmax(-1)
        actual = next_token_scores(fast, golden).log_softmax(-1)
        divergences.append((expected.exp() * (expected - actual)).sum(-1))
    assert torch.cat(divergences).mean() < 0.005


@pytest.mark.parametrize("weights", ["exact", "fast"])
def test_an_fp8_cache_costs_a_few_thousandths(weights: str, request: pytest.FixtureRequest) -> None:
    model: MistralSmall = request.getfixturevalue(weights)
    golden = GOLDEN[0]
    expected, actual = (
        next_token_scores(model, golden, kv_type).log_softmax(-1) for kv_type in (KVType.FLOAT32, KVType.FP8)
    )
    divergences = (expected.exp() * (expected - actual)).sum(-1)
    assert 0 < divergences.mean() < 0.01


@pytest.mark.parametrize(
    "golden",
    [golden for golden in GOLDEN if min(golden["margins"][:10]) > CLEAR_MARGIN],
    ids=lambda golden: golden["prompt"][:24],
)
def test_the_engine_continues_as_llama_cpp_does(
    golden: dict[str, Any], fast: MistralSmall, tiny_tokenizer: BpeTokenizer
) -> None:
    engine = Engine(fast, tiny_tokenizer, EngineOptions(kv_tokens=512))
    params = SamplingParams(temperature=0, max_tokens=10, ignore_eos=True)
    (answer,) = engine.generate([Request(Prompt(golden["prompt_ids"]), params)])
    assert answer.token_ids == golden["output_ids"][:10]


def test_scores_equal_transformers_on_the_dequantised_weights(checkpoint: Checkpoint, exact: MistralSmall) -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    config = checkpoint.config
    with torch.device("meta"):
        reference = LlamaForCausalLM(
            LlamaConfig(
                vocab_size=config.vocab_size,
                hidden_size=config.hidden_size,
                intermediate_size=config.intermediate_size,
                num_hidden_layers=config.num_hidden_layers,
                num_attention_heads=config.num_attention_heads,
                num_key_value_heads=config.num_key_value_heads,
                head_dim=config.head_dim,
                rms_norm_eps=config.rms_norm_eps,
                rope_parameters={"rope_theta": config.rope_theta, "rope_type": "default"},
                tie_word_embeddings=True,
            )
        )
    reference.to_empty(device="cpu")
    reference.model.rotary_emb = type(reference.model.rotary_emb)(reference.config)  # its buffers came up empty
    with torch.no_grad():
        for stored_name, parameter in reference.named_parameters():
            name = canonical_name(stored_name)
            assert name is not None
            weight = checkpoint.read("tok_embeddings.weight" if name == "output.weight" else name)
            dense = weight.dequantize() if isinstance(weight, QuantizedTensor) else weight
            parameter.copy_(_split_halves(name, dense, config.head_dim))
        golden = GOLDEN[0]
        ids = golden["prompt_ids"] + golden["output_ids"][:-1]
        expected = reference(torch.tensor([ids])).logits[0, len(golden["prompt_ids"]) - 1 :]
    assert (next_token_scores(exact, golden) - expected).abs().max() < 2e-3


def _split_halves(name: str, weight: Tensor, head_dim: int) -> Tensor:
    """Rows of query and key matrices from interleaved rotary pairs to transformers' order."""
    if not name.endswith(("wq.weight", "wk.weight")):
        return weight
    return weight.unflatten(0, (-1, head_dim // 2, 2)).transpose(1, 2).flatten(0, 2)
