"""What /metrics tells follows from what the engine tells."""

from __future__ import annotations

import re
from typing import Any

from mistralet.engine import RequestStats
from mistralet.engine.events import Event, EventKind
from mistralet.server.figures import Metrics
from support.scripted import NewCaller

LOAD = {"running": 2, "waiting": 1, "free_blocks": 6}


def told(metrics: Metrics, kind: EventKind, index: int = 0, **facts: Any) -> None:
    metrics.hear(Event(kind, 0.0, "a", index, facts))


def figures(metrics: Metrics, restarts: int = 0) -> dict[str, float]:
    metrics.set_state(blocks=8, restarts=restarts, is_ready=True)
    lines = re.findall(r"^mistralet_(\S+) (\S+)$", metrics.text().decode(), re.MULTILINE)
    return {name: float(value) for name, value in lines}


def test_an_answer_is_counted_when_it_ends() -> None:
    metrics = Metrics()
    stats = RequestStats(10, 4, 10, 5, 0.5, 1.0, 2.0, draft_tokens=7, accepted_tokens=3)
    told(metrics, "first_token", seconds=1.0)
    told(metrics, "finished", reason="stop", stats=stats, **LOAD)
    told(metrics, "finished", index=1, reason="cancelled", stats=stats, **LOAD)
    now = figures(metrics)
    assert now['answers_finished_total{reason="stop"}'] == now['answers_finished_total{reason="cancelled"}'] == 1
    assert (now["prompt_tokens_total"], now["prompt_tokens_cached_total"], now["output_tokens_total"]) == (10, 4, 10)
    assert (now["draft_tokens_total"], now["draft_tokens_accepted_total"]) == (14, 6)
    assert now["time_to_first_token_seconds_sum"] == 1
    assert now["inter_token_latency_seconds_sum"] == 2 * 2.0 / 4
    assert now["answer_seconds_sum"] == 2 * 3.0


def test_an_answer_that_never_began_has_no_latency() -> None:
    metrics = Metrics()
    told(metrics, "finished", reason="error", stats=RequestStats(10), **LOAD)
    now = figures(metrics)
    assert now["queue_seconds_count"] == now["answer_seconds_count"] == now["inter_token_latency_seconds_count"] == 0


def test_the_load_is_that_of_the_last_step() -> None:
    metrics = Metrics()
    assert figures(metrics)["kv_cache_usage_ratio"] == 0
    told(metrics, "step", seconds=0.1, tokens=3, **LOAD)
    now = figures(metrics)
    assert (now["answers_running"], now["answers_waiting"], now["kv_free_blocks"]) == (2, 1, 6)
    assert (now["kv_cache_usage_ratio"], now["step_tokens_total"], now["step_seconds_sum"]) == (0.25, 3, 0.1)
    after = figures(metrics, restarts=1)
    assert (after["answers_running"], after["kv_cache_usage_ratio"], after["engine_restarts"]) == (0, 0, 1)


def test_it_is_text_for_prometheus(new_caller: NewCaller) -> None:
    answer = new_caller()("GET", "/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert "# TYPE mistralet_time_to_first_token_seconds histogram" in answer.text


def test_requests_are_counted_by_route_not_by_path(new_caller: NewCaller) -> None:
    caller = new_caller()
    for path in ("/v1/models/a", "/v1/models/b", "/nothing", "/else"):
        caller("GET", path)
    told = re.findall(r"^mistralet_http_requests_total(\S+ \S+)$", caller("GET", "/metrics").text, re.MULTILINE)
    assert told == ['{route="/v1/models/{name:path}",status="404"} 2.0', '{route="none",status="404"} 2.0']
