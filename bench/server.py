"""`python -m bench.server`: what HTTP costs beside the engine alone, and beside llama.cpp's server; and a soak."""

from __future__ import annotations

import asyncio
import json
import os
import time
import urllib.request
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console

from bench.bars import Chapter, Figure
from bench.command import at_least_one, run_command
from bench.decoder import random_ids
from bench.report import Row
from bench.server_load import ask, seconds_for_all
from bench.server_programs import free_port, llama_cpp, ours, running, stamped
from bench.server_soak import soak
from mistralet.checkpoint import open_checkpoint
from mistralet.engine import EngineOptions, LoadSpec, RepetitionParams, Request, SamplingParams
from mistralet.hub import resolve
from mistralet.model import Prompt
from mistralet.server.lifetime import run

_PROMPT_TOKENS = (32, 128)
_PEER_REQUESTS = 8  # it answers them one after the other
_STREAMS = 32
_SETTLED = 8  # first tokens of each stream that are not counted: others still read their prompts
_OVERHEAD_BAR = 5.0  # ms
_THROUGHPUT_BAR = 0.95


def main(
    model: Annotated[str, typer.Option(help="A folder, file, alias or repository id.")] = "tiny",
    requests: Annotated[int, typer.Option(help="Answers at once.")] = 32,
    tokens: Annotated[int, typer.Option(help="Tokens of each answer.")] = 64,
    rounds: Annotated[int, typer.Option(help="Measurements of each figure.")] = 3,
    peer: Annotated[Path | None, typer.Option(help="A Python that has llama-cpp-python with its server.")] = None,
    soak_minutes: Annotated[float, typer.Option("--soak", help="Only soak, for so many minutes.")] = 0,
    rate: Annotated[float, typer.Option(help="Callers a second while it soaks.")] = 4,
) -> None:
    """Measure mistralet's server."""
    path = resolve(model).path
    at_least_one("requests", requests)
    at_least_one("rounds", rounds)
    at_least_one("tokens", tokens)
    console = Console(width=160, highlight=False)  # so that a page gets its tables unbroken
    kv_tokens = max(requests, _STREAMS) * (_PROMPT_TOKENS[1] + tokens + 64)
    if soak_minutes:
        port = free_port()
        with running(ours(path, port, kv_tokens), port) as (url, pid):
            asyncio.run(soak(url, pid, soak_minutes, rate)).show(console)
        return
    _throughput(path, requests, tokens, rounds, kv_tokens, peer).show(console)
    _overhead(path, tokens, kv_tokens).show(console)


def _throughput(path: Path, requests: int, tokens: int, rounds: int, kv_tokens: int, peer: Path | None) -> Chapter:
    """Tokens a second of all answers: the engine alone, the server, the peer; in turn, with new prompts each round."""
    port, peer_port = free_port(), free_port()
    seconds: dict[str, list[float]] = {"alone": [], "whole": [], "streamed": [], "peer": []}
    few = min(requests, _PEER_REQUESTS)
    with ExitStack() as stack:
        engine = stack.enter_context(closing(LoadSpec(path, options=EngineOptions(kv_tokens=kv_tokens))()))
        url, _ = stack.enter_context(running(ours(path, port, kv_tokens), port))
        if peer is not None:
            context = _PROMPT_TOKENS[1] + tokens + 8
            command = llama_cpp(peer, path, peer_port, context, len(os.sched_getaffinity(0)))
            peer_url, _ = stack.enter_context(running(command, peer_port))
        for turn in range(-1, rounds):  # the first of all is not counted
            vocab_size = engine.model.config.vocab_size
            # Other prompts for streams, or the cache would have them.
            texts, others = (
                [engine.tokenizer.decode(ids) for ids in _prompts(vocab_size, requests, 2 * (turn + 1) + half)]
                for half in range(2)
            )
            params = SamplingParams(temperature=0, max_tokens=tokens, ignore_eos=True, seed=1)
            off = RepetitionParams("off")
            asked = [Request(Prompt(engine.tokenizer.encode(text)), params, repetition=off) for text in texts]
            bodies = [_body(text, tokens) for text in texts]
            begun = time.perf_counter()
            engine.generate(asked)
            now = {
                "alone": time.perf_counter() - begun,
                "whole": asyncio.run(seconds_for_all(url, bodies)),
                "streamed": asyncio.run(seconds_for_all(url, [_streamed(_body(text, tokens)) for text in others])),
            }
            if peer is not None:
                now["peer"] = asyncio.run(seconds_for_all(peer_url, bodies[:few])) * requests / few
            if turn >= 0:
                for name, value in now.items():
                    seconds[name].append(value)
    speeds = {name: [requests * tokens / value for value in values] for name, values in seconds.items()}
    figures = [
        Figure(Row("whole answers", "tokens/s", speeds["whole"], speeds["alone"]), "Engine.generate", _THROUGHPUT_BAR),
        Figure(Row("streamed answers", "tokens/s", speeds["streamed"], speeds["alone"]), "Engine.generate"),
    ]
    if peer is not None:
        figures.append(Figure(Row("whole answers", "tokens/s", speeds["whole"], speeds["peer"]), "llama_cpp.server", 1))
    return Chapter(
        f"{requests} answers of {tokens} tokens through HTTP",
        figures,
        notes=[
            f"Greedy, to the end; prompts of {_PROMPT_TOKENS[0]} to {_PROMPT_TOKENS[1]} random tokens, others in each "
            f"round; rounds: {rounds}. All asked at once by a client on the same machine."
            + (f" The peer is asked {few} of them, for it answers one after the other." if peer else ""),
        ],
        raw=seconds,
    )


def _overhead(path: Path, tokens: int, kv_tokens: int) -> Chapter:
    """How long a token takes from the engine's process to the socket and to a client, while 32 answers are streamed."""
    port = free_port()
    vocab_size = open_checkpoint(path).config.vocab_size
    delays: list[float] = []

    async def stream(url: str, body: dict[str, Any]) -> None:
        seen = 0

        def take(line: bytes, now: float) -> None:
            nonlocal seen
            text = json.loads(line[6:])["choices"][0]["text"]
            seen += 1
            if text and seen > _SETTLED:
                delays.append(1e3 * (now - float(text)))

        await ask(url, body, take)

    async def all_streams(url: str, bodies: Sequence[dict[str, Any]]) -> None:
        await asyncio.gather(*(stream(url, body) for body in bodies))

    with running(stamped(path, port, kv_tokens), port) as (url, _):
        for turn in range(2):
            delays.clear()  # the first time warms everything up
            urllib.request.urlopen(f"{url}/sent").read()
            ids = _prompts(vocab_size, _STREAMS, turn)
            bodies = [_streamed({**_body("", tokens), "prompt": each}) for each in ids]
            run(all_streams(url, bodies))
        sent = json.loads(urllib.request.urlopen(f"{url}/sent").read())
    p50, p99 = np.percentile(delays, (50, 99))
    sent_p50, sent_p99 = np.percentile(sent, (50, 99))
    return Chapter(
        f"A token's way to the client, {_STREAMS} streams",
        [
            Figure(Row("in the server, median", "ms", [float(sent_p50)])),
            Figure(Row("in the server, 99th percentile", "ms", [float(sent_p99)]), bar=_OVERHEAD_BAR),
            Figure(Row("to the client, median", "ms", [float(p50)])),
            Figure(Row("to the client, 99th percentile", "ms", [float(p99)])),
        ],
        notes=[
            f"{len(delays)} tokens, from the end of the engine's step: in the server until the socket has it (pipe, "
            "event loop, JSON, HTTP), to the client until its program has read it; while the engine computes the next "
            "step on the same processors.",
        ],
        raw={"p50": float(p50), "p99": float(p99), "worst": max(delays), "sent p50": float(sent_p50)},
    )


def _prompts(vocab_size: int, count: int, turn: int) -> list[list[int]]:
    shortest, longest = _PROMPT_TOKENS
    spread = (longest - shortest) / max(1, count - 1)
    return [random_ids(vocab_size, 1000 * turn + index, shortest + round(index * spread)) for index in range(count)]


def _body(prompt: str, tokens: int) -> dict[str, Any]:
    # The names that one of the servers does not know are ignored there.
    return {"prompt": prompt, "max_tokens": tokens, "temperature": 0, "ignore_eos": True, "repetition_policy": "off"}


def _streamed(body: dict[str, Any]) -> dict[str, Any]:
    """The same, streamed."""
    return body | {"stream": True}


if __name__ == "__main__":
    run_command(main, "server")
