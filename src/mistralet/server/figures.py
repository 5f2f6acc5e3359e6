"""`Metrics`: what happens in engine and server, in figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from mistralet.engine import RequestStats
from mistralet.engine.events import Event

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_FAST_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2)


class Metrics:
    """The figures, as the events of an engine change them."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._restarts_told = 0
        self._free: int | None = None  # blocks, as soon as the engine has told
        self.http = self._counter("http_requests", "Requests by route and status", ["route", "status"])
        self._finished = self._counter("answers_finished", "Answers that ended, by reason", ["reason"])
        self._preempted = self._counter("preemptions", "Times an answer gave its blocks back, to be computed again")
        self._prompt_tokens = self._counter("prompt_tokens", "Tokens of prompts")
        self._cached_tokens = self._counter("prompt_tokens_cached", "Of those, taken from the cache")
        self._output_tokens = self._counter("output_tokens", "Tokens written")
        self._draft_tokens = self._counter("draft_tokens", "Tokens guessed ahead")
        self._accepted_tokens = self._counter("draft_tokens_accepted", "Of those, guessed right")
        self._step_tokens = self._counter("step_tokens", "Tokens that went through the model")
        self._queue = self._histogram("queue_seconds", "From arrival until an answer was first scheduled", _SECONDS)
        self._first = self._histogram("time_to_first_token_seconds", "From arrival to the first token", _SECONDS)
        self._next = self._histogram(
            "inter_token_latency_seconds", "Between two tokens of an answer, on average over it", _FAST_SECONDS
        )
        self._whole = self._histogram("answer_seconds", "From arrival to the last token", _SECONDS)
        self._step = self._histogram("step_seconds", "Of the engine", _FAST_SECONDS)
        self._running = self._gauge("answers_running", "Answers that are written")
        self._waiting = self._gauge("answers_waiting", "Answers that wait for their turn")
        self._free_blocks = self._gauge("kv_free_blocks", "Blocks of the cache that nobody uses")
        self._kv_use = self._gauge("kv_cache_usage_ratio", "Share of the cache's blocks in use")
        self._restarts = self._gauge("engine_restarts", "Times the engine's process was started again")
        self._ready = self._gauge("ready", "1 if requests are taken")

    def hear(self, event: Event) -> None:
        """The listener of the engine."""
        facts = event.facts
        match event.kind:
            case "preempted":
                self._preempted.inc()
            case "first_token":
                self._first.observe(facts["seconds"])
            case "finished":
                self._finished.labels(facts["reason"]).inc()
                self._count(facts["stats"], event.index)
                self._set_load(facts)
            case "step":
                self._step.observe(facts["seconds"])
                self._step_tokens.inc(facts["tokens"])
                self._set_load(facts)

    def set_state(self, blocks: int, restarts: int, is_ready: bool) -> None:
        """What no event tells.

        Args:
            blocks: that the cache has in all.
        """
        if restarts != self._restarts_told:  # what ran has gone with the engine's process
            self._restarts_told = restarts
            self._set_load({"running": 0, "waiting": 0, "free_blocks": None})
        free = blocks if self._free is None else self._free
        self._free_blocks.set(free)
        self._kv_use.set(1 - free / blocks)
        self._restarts.set(restarts)
        self._ready.set(is_ready)

    def text(self) -> bytes:
        """All figures, as Prometheus reads them."""
        return generate_latest(self.registry)

    def _count(self, stats: RequestStats, index: int) -> None:
        self._output_tokens.inc(stats.output_tokens)
        self._draft_tokens.inc(stats.draft_tokens)
        self._accepted_tokens.inc(stats.accepted_tokens)
        if stats.output_tokens:
            self._queue.observe(stats.queue_seconds)
            self._whole.observe(stats.time_to_first_token + stats.decode_seconds)
        if stats.output_tokens > 1:
            self._next.observe(stats.decode_seconds / (stats.output_tokens - 1))
        if index == 0:
            self._prompt_tokens.inc(stats.prompt_tokens)
            self._cached_tokens.inc(stats.cached_tokens)

    def _set_load(self, facts: Mapping[str, Any]) -> None:
        self._running.set(facts["running"])
        self._waiting.set(facts["waiting"])
        self._free = facts["free_blocks"]

    def _counter(self, name: str, about: str, labels: list[str] | None = None) -> Counter:
        return Counter(f"mistralet_{name}", about, labels or [], registry=self.registry)

    def _gauge(self, name: str, about: str) -> Gauge:
        return Gauge(f"mistralet_{name}", about, registry=self.registry)

    def _histogram(self, name: str, about: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(f"mistralet_{name}", about, buckets=buckets, registry=self.registry)
