"""A random life of an engine: nothing is lost, nothing leaks, and every answer is what it would be alone."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from mistralet.config import KVType
from mistralet.engine import Engine, EngineOptions, Request, SamplingParams, StepOutput
from mistralet.engine.block_pool import Block
from mistralet.model import Prompt
from mistralet.ops import BLOCK_SIZE
from support.letters import LetterTokenizer
from support.random_models import TEXT, random_model

STOP = 30  # some answers end by themselves
STOPS = ("A", "K", "U", "e", "o")  # others by their text
MODEL = random_model(TEXT)
# Prompts that begin alike in many ways.
TOKENS = [1, *torch.randint(20, 24, (60,), generator=torch.Generator().manual_seed(0)).tolist()]


def new_engine(blocks: int, prefill_tokens: int = 16) -> Engine:
    options = EngineOptions(KVType.FLOAT32, blocks * BLOCK_SIZE, max_sequences=4, prefill_tokens=prefill_tokens)
    return Engine(MODEL, LetterTokenizer(stop_ids=[STOP]), options)


@cache
def alone(prompt: tuple[int, ...], **given: Any) -> list[tuple[tuple[int, ...], str | None]]:
    params = SamplingParams(**given)
    answers = new_engine(blocks=6).generate([Request(Prompt(list(prompt)), params)])
    return [(tuple(answer.token_ids), answer.finish_reason) for answer in answers]


class EngineLife(RuleBasedStateMachine):
    blocks = 6
    launches_ahead = False

    def __init__(self) -> None:
        super().__init__()
        self.engine = new_engine(self.blocks)
        self.engine.launches_ahead = self.launches_ahead
        self.running: dict[str, tuple[tuple[int, ...], dict[str, Any]]] = {}
        self.outputs: dict[str, list[StepOutput]] = {}
        self.added = 0

    @rule(
        shared=st.integers(0, 55),
        own=st.lists(st.integers(20, 23), min_size=1, max_size=5),
        seed=st.integers(0, 3),
        temperature=st.sampled_from([0.0, 2.0]),
        max_tokens=st.integers(1, 40),
        n=st.sampled_from([1, 1, 1, 2, 3]),
        stop=st.sampled_from([(), STOPS]),
        priority=st.integers(-1, 1),
    )
    def add(
        self,
        shared: int,
        own: list[int],
        seed: int,
        temperature: float,
        max_tokens: int,
        n: int,
        stop: tuple[str, ...],
        priority: int,
    ) -> None:
        prompt = (*TOKENS[:shared], *own)
        params = {"temperature": temperature, "max_tokens": max_tokens, "seed": seed, "n": n, "stop": stop}
        name = str(self.added)
        self.added += 1
        self.engine.add(Request(Prompt(list(prompt)), SamplingParams(**params), priority=priority, id=name))
        self.running[name] = (prompt, params)
        self.outputs[name] = []

    @rule(steps=st.integers(1, 20))
    def step(self, steps: int) -> None:
        for _ in range(steps):
            for output in self.engine.step():
                assert output.request_id in self.running  # neither cancelled nor answered before
                self.outputs[output.request_id].append(output)
                self.settle(output.request_id)

    @rule(choice=st.integers(0, 1000))
    def cancel(self, choice: int) -> None:
        if self.running:
            name = sorted(self.running)[choice % len(self.running)]
            assert self.engine.cancel(name)
            del self.running[name]

    def settle(self, name: str) -> None:
        """Compare a request whose answers have all ended with what it gives alone."""
        prompt, params = self.running[name]
        ended = sum(output.finish_reason is not None for output in self.outputs[name])
        if ended < params["n"]:
            return
        for index, (tokens, reason) in enumerate(alone(prompt, **params)):
            mine = [output for output in self.outputs[name] if output.index == index]
            assert tuple(token for output in mine for token in output.token_ids) == tokens
            assert [output.finish_reason for output in mine if output.finish_reason] == [reason]
            assert mine[-1].finish_reason is not None  # nothing comes after the end
        del self.running[name]

    @invariant()
    def blocks_are_owned_by_who_runs(self) -> None:
        pool = self.engine.pool
        held: dict[int, int] = {}
        blocks: dict[int, Block] = {}
        for sequence in self.engine.scheduler.running:
            for block in sequence.blocks:
                held[block.index] = held.get(block.index, 0) + 1
                blocks[block.index] = block
        assert {index: block.references for index, block in blocks.items()} == held
        assert pool.free == self.blocks - len(held)
        waiting_or_running = {s.request.id for s in self.engine.scheduler.running + self.engine.scheduler.waiting}
        assert waiting_or_running == set(self.running)

    def teardown(self) -> None:
        for _ in range(4000):
            if not self.engine.has_work:
                break
            self.step(1)
        assert not self.running
        assert self.engine.pool.free == self.blocks


class EngineLifeAhead(EngineLife):
    """The next step is launched before the text of the last one is looked at, as on a GPU."""

    blocks = 9  # with fewer it seldom can
    launches_ahead = True


EngineLife.TestCase.settings = settings(max_examples=15, stateful_step_count=40, deadline=None, derandomize=True)
EngineLifeAhead.TestCase.settings = settings(EngineLife.TestCase.settings, max_examples=8)
TestEngineLife = EngineLife.TestCase
TestEngineLifeAhead = EngineLifeAhead.TestCase
