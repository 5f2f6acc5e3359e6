"""Every bad request is refused with a status, a type and a sentence, and nothing of it stays."""

from __future__ import annotations

from typing import Any

import pytest
from bad_requests import BAD, MESSAGE, Bad

from support.scripted import NewCaller, ScriptedEngine

LIMITS: dict[str, Any] = {
    "max_tokens": 300,
    "max_messages": 100,
    "max_images": 4,
    "max_image_pixels": 10_000,
    "max_image_bytes": 50_000,
    "max_tools": 8,
    "max_prompts": 8,
    "max_body_bytes": 190_000,
    "fetch_images": False,
}


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.name)
def test_it_is_refused(bad: Bad, new_caller: NewCaller) -> None:
    caller = new_caller(**LIMITS)
    given: dict[str, Any] = {"json": bad.body} if bad.body is not None else {}
    if bad.raw is not None:
        given = {"content": bad.raw, "headers": {"Content-Type": "application/json", **bad.headers}}
    answer = caller(bad.method, bad.path, **given)
    assert answer.status_code == bad.status
    error = answer.json()["error"]
    assert (error["type"], error["message"]) == ("invalid_request_error", bad.message)
    if bad.path == MESSAGE:
        assert answer.json()["type"] == "error"
        assert answer.json()["request_id"] == answer.headers["x-request-id"]
    else:
        assert (error["param"], error["code"]) == (bad.param, bad.code)
    engine = caller.service.engine
    assert isinstance(engine, ScriptedEngine)
    assert not engine.asked
    assert not engine.running


def test_messages_are_sentences_with_a_remedy() -> None:
    assert len(BAD) >= 60
    assert len({bad.name for bad in BAD}) == len(BAD)
    assert all(bad.message.endswith(".") and len(bad.message) < 200 for bad in BAD)
