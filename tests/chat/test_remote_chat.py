"""Models behind a URL: what is sent, what comes back in all the forms servers have, and what goes wrong."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from mistralet.chat import (
    ArgumentsDelta,
    ChatEvent,
    ChatRequest,
    ContentDelta,
    Finish,
    FormatProblem,
    ImagePart,
    Message,
    ModelFacts,
    NamedTool,
    ScoredToken,
    ScoredTokens,
    TextPart,
    Tool,
    ToolCall,
    ToolCallStart,
)
from mistralet.chat.remote import RemoteChat
from mistralet.engine import SamplingParams
from mistralet.errors import EngineError, UsageError
from support.chat_server import FakeServer, Reply, chunk, piece, serve

HELLO = Reply([chunk(content="Hel"), chunk(content="lo"), chunk("stop")])
ASK = ChatRequest([Message("user", "hi")])
PARAMS = SamplingParams(seed=1)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    for name in ("MISTRALET_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    with serve() as fake:
        yield fake


def ask(
    server: FakeServer, *replies: Reply, request: ChatRequest = ASK, params: SamplingParams = PARAMS, **options: Any
) -> list[ChatEvent]:
    server.replies[:] = replies

    async def collect() -> list[ChatEvent]:
        return [event async for event in RemoteChat(server.url, **options).stream(request, params)]

    return asyncio.run(collect())


def calls_of(events: list[ChatEvent]) -> list[tuple[str, str]]:
    """Name and arguments of each call, whose events must follow each other properly."""
    found: list[tuple[str, str]] = []
    for event in events:
        if isinstance(event, ToolCallStart):
            assert event.index == len(found)
            found.append((event.name, ""))
        elif isinstance(event, ArgumentsDelta):
            name, arguments = found[event.index]
            found[event.index] = (name, arguments + event.text)
    return found


def test_text_comes_in_pieces_and_tells_its_usage(server: FakeServer) -> None:
    usage = {"prompt_tokens": 7, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 3}}
    *text, end = ask(server, Reply([*HELLO.chunks, {"choices": [], "usage": usage}]))
    assert text == [ContentDelta("Hel"), ContentDelta("lo")]
    assert isinstance(end, Finish)
    assert end.reason == "stop"
    assert end.stats is not None
    assert (end.stats.prompt_tokens, end.stats.output_tokens, end.stats.cached_tokens) == (7, 2, 3)


class TestWhatIsSent:
    def test_the_whole_request(self, server: FakeServer) -> None:
        messages = [
            Message("user", (TextPart("see"), ImagePart(b"\x89PNG\r\n\x1a\n"))),
            Message("assistant", "", (ToolCall("abc", "look", '{"x": 1}'),)),
            Message("tool", "seen", tool_call_id="abc"),
        ]
        tool = Tool("look", "Looks.", {"type": "object"}, strict=True)
        request = ChatRequest(messages, [tool], NamedTool("look"), False, {"type": "string"})
        params = replace(PARAMS, max_tokens=9, stop=["x"], top_k=4, logit_bias={5: 1.0})
        ask(server, HELLO, request=request, params=params, api_key="secret")
        (body,) = server.requests
        assert server.headers[0]["Authorization"] == "Bearer secret"
        assert body.pop("messages")[1]["tool_calls"][0]["function"] == {"name": "look", "arguments": '{"x": 1}'}
        assert body == {
            "model": "small",
            "stream": True,
            "stream_options": {"include_usage": True},
            "tools": [
                {
                    "type": "function",
                    "function": {
                        "name": "look",
                        "description": "Looks.",
                        "parameters": {"type": "object"},
                        "strict": True,
                    },
                }
            ],
            "tool_choice": {"type": "function", "function": {"name": "look"}},
            "parallel_tool_calls": False,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": {"type": "string"}, "strict": True},
            },
            "temperature": 0.15,
            "top_p": 1.0,
            "seed": 1,
            "max_tokens": 9,
            "stop": ["x"],
            "top_k": 4,
            "logit_bias": {"5": 1.0},
        }

    def test_only_what_every_server_knows_if_nothing_else_is_asked_for(self, server: FakeServer) -> None:
        ask(server, HELLO, model="other")
        assert set(server.requests[0]) == {
            *("model", "messages", "stream", "stream_options", "temperature", "top_p", "seed"),
        }
        assert server.requests[0]["model"] == "other"
        assert "Authorization" not in server.headers[0]
        assert server.paths == ["/v1/chat/completions"]

    @pytest.mark.parametrize("end", ["", "/", "/v1", "/v1/", "/v1/chat/completions"])
    def test_the_url_may_end_in_any_way(self, end: str, server: FakeServer) -> None:
        server.url += end
        ask(server, HELLO)
        assert server.paths == ["/v1/models", "/v1/chat/completions"]

    def test_the_key_is_taken_from_the_environment(self, server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", "theirs")
        ask(server, HELLO)
        monkeypatch.setenv("MISTRALET_API_KEY", "ours")
        ask(server, HELLO)
        assert [headers["Authorization"] for headers in server.headers] == ["Bearer theirs", "Bearer ours"]


WHOLE = ('{"city": "Rome"}', '{"city": "Oslo"}')
TWO = [("weather", text) for text in WHOLE]
# How servers were seen to stream two calls.
FORMS = {
    "in pieces": [
        [piece("weather", "", index=0, call_id="a")],
        [piece(arguments='{"city"', index=0)],
        [piece(arguments=': "Rome"}', index=0)],
        [piece("weather", "", index=1, call_id="b")],
        [piece(arguments=WHOLE[1], index=1)],
    ],
    "mixed pieces": [
        [piece("weather", '{"city"', index=0, call_id="a"), piece("weather", '{"city": ', index=1, call_id="b")],
        [piece(arguments=': "Rome"}', index=0), piece(arguments='"Oslo"}', index=1)],
    ],
    "whole": [[piece("weather", WHOLE[0], index=0, call_id="a"), piece("weather", WHOLE[1], index=1, call_id="b")]],
    "objects": [[piece("weather", json.loads(text), index=place) for place, text in enumerate(WHOLE)]],
    "no index": [[piece("weather", text, call_id=call_id)] for text, call_id in zip(WHOLE, "ab", strict=True)],
    "no index, in pieces": [
        [piece("weather", call_id="a")],
        [piece(arguments='{"city": ')],
        [piece(arguments='"Rome"}')],
        [piece("weather", call_id="b")],
        [piece(arguments=WHOLE[1])],
    ],
    "index always 0": [
        [piece("weather", text, index=0, call_id=call_id)] for text, call_id in zip(WHOLE, "ab", strict=True)
    ],
    "no ids": [[piece("weather", text, index=place)] for place, text in enumerate(WHOLE)],
    "no ids, no index": [[piece("weather", text)] for text in WHOLE],
    "name repeated": [
        [piece("weather", '{"city": ', index=0, call_id="a")],
        [piece("weather", '"Rome"}', index=0, call_id="a")],
        [piece("weather", '{"city": ', index=1, call_id="b")],
        [piece("weather", '"Oslo"}', index=1)],
    ],
    "name repeated, no index": [
        [piece("weather", '{"city": ')],
        [piece("weather", '"Rome"}')],
        [piece("weather", WHOLE[1])],
    ],
    "one id for all": [[piece("weather", text, call_id="call")] for text in WHOLE],
}


class TestCalls:
    @pytest.mark.parametrize("form", FORMS)
    def test_in_every_form(self, form: str, server: FakeServer) -> None:
        events = ask(server, Reply([*(chunk(tool_calls=pieces) for pieces in FORMS[form]), chunk("tool_calls")]))
        assert calls_of(events) == TWO
        ids = [event.id for event in events if isinstance(event, ToolCallStart)]
        assert len(set(ids)) == 2
        assert all(ids)
        assert isinstance(events[-1], Finish)
        assert events[-1].reason == "tool_calls"

    def test_ids_of_the_server_are_kept(self, server: FakeServer) -> None:
        events = ask(server, Reply([chunk("tool_calls", tool_calls=FORMS["whole"][0])]))
        assert [event.id for event in events if isinstance(event, ToolCallStart)] == ["a", "b"]

    @pytest.mark.parametrize(
        ("call", "problem"),
        [
            (piece("t", "{}"), "came without an id"),
            (piece("t", "{}", call_id="old"), "has the id of another call"),
            (piece("t", call_id="new"), "came without arguments"),
        ],
    )
    def test_nothing_is_repaired_in_silence(self, call: dict[str, Any], problem: str, server: FakeServer) -> None:
        earlier = [Message("assistant", "", (ToolCall("old", "t", "{}"),)), Message("tool", "", tool_call_id="old")]
        request = ChatRequest([*ASK.messages, *earlier])
        events = ask(server, Reply([chunk("tool_calls", tool_calls=[call])]), request=request)
        assert calls_of(events) == [("t", "{}")]
        (found,) = (event for event in events if isinstance(event, FormatProblem))
        assert problem in found.problem
        assert found.index == 0

    def test_a_server_that_says_stop_after_calls(self, server: FakeServer) -> None:
        events = ask(server, Reply([chunk("stop", tool_calls=[piece("t", "{}", call_id="a")])]))
        assert isinstance(events[-1], Finish)
        assert events[-1].reason == "tool_calls"

    def test_a_server_that_speaks_of_calls_and_sends_none(self, server: FakeServer) -> None:
        *_, problem, end = ask(server, Reply([chunk("tool_calls", content="hm")]))
        assert isinstance(problem, FormatProblem)
        assert isinstance(end, Finish)
        assert end.reason == "stop"

    def test_calls_that_were_cut_say_so(self, server: FakeServer) -> None:
        events = ask(server, Reply([chunk("length", tool_calls=[piece("t", '{"a', call_id="a")])]))
        assert isinstance(events[-1], Finish)
        assert events[-1].reason == "length"


def test_a_server_that_does_not_stream(server: FakeServer) -> None:
    message = {"role": "assistant", "content": None, "tool_calls": FORMS["whole"][0]}
    whole = {"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}
    assert calls_of(ask(server, Reply(body=json.dumps(whole).encode()))) == TWO


class TestFacts:
    def test_are_those_of_the_servers_list(self, server: FakeServer) -> None:
        server.facts = {"max_model_len": 4096, "vision": False}
        assert asyncio.run(RemoteChat(server.url).facts()) == ModelFacts(4096, reads_pictures=False)

    @pytest.mark.parametrize("told", [None, 0, "many", -1])
    def test_what_a_server_does_not_say_is_assumed(self, server: FakeServer, told: object) -> None:
        server.facts = {"max_model_len": told}
        assert asyncio.run(RemoteChat(server.url).facts()) == ModelFacts(8192, reads_pictures=True)

    def test_a_model_that_is_not_in_the_list(self, server: FakeServer) -> None:
        server.facts = {"max_model_len": 4096}
        assert asyncio.run(RemoteChat(server.url, "other").facts()) == ModelFacts(8192, reads_pictures=True)

    def test_tokens_are_counted_by_the_server(self, server: FakeServer) -> None:
        server.replies[:] = [Reply(body=b'{"count": 7}'), Reply(body=b'{"count": 0}')]
        assert asyncio.run(RemoteChat(server.url).count_tokens(["some text", ""])) == [7, 0]
        assert [path for path in server.paths if "tokenize" in path] == ["/tokenize", "/tokenize"]
        assert server.requests[0] == {"model": "small", "prompt": "some text", "add_special_tokens": False}

    @pytest.mark.parametrize("reply", [Reply(body=b"no", status=404), Reply(body=b"[]"), Reply(body=b"{}")])
    def test_where_it_does_not_count_the_number_is_not_too_small(self, server: FakeServer, reply: Reply) -> None:
        server.replies[:] = [reply]
        assert asyncio.run(RemoteChat(server.url).count_tokens(["twelve bytes"])) == [4]


class TestScores:
    def test_tokens_come_with_their_scores(self, server: FakeServer) -> None:
        first = chunk(content="é")
        first["choices"][0]["logprobs"] = {
            "content": [
                {"token": "?", "logprob": -0.5, "bytes": [0xC3]},
                {"token": "b", "logprob": -1, "bytes": None},
                {"token": "no number", "logprob": None},
                "nonsense",
            ]
        }
        events = ask(server, Reply([first, chunk("stop")]), params=SamplingParams(logprobs=2))
        assert events[0] == ScoredTokens((ScoredToken(b"\xc3", -0.5), ScoredToken(b"b", -1.0)))
        assert events[1] == ContentDelta("é")
        assert server.requests[0]["logprobs"] is True
        assert server.requests[0]["top_logprobs"] == 2

    def test_are_not_asked_for_unless_wanted(self, server: FakeServer) -> None:
        ask(server, HELLO)
        assert "logprobs" not in server.requests[0]


class TestTrouble:
    @pytest.mark.parametrize(
        ("reply", "complaint"),
        [
            (Reply(body=b'{"error": {"message": "no such model"}}', status=404), "404 Not Found: no such model"),
            (Reply(body=b'{"error": "too long"}', status=400), "400 Bad Request: too long"),
            (Reply(body=b'{"detail": [{"loc": "x"}]}', status=422), '422 .*: .*"loc": "x"'),
            (Reply(body=b"<html>\nno", status=500), "500 Internal Server Error: <html>"),
            (Reply(body=b"", status=401), "401 Unauthorized"),
            (Reply([chunk(content="a"), {"error": {"message": "out of memory"}}]), "out of memory"),
            (Reply([chunk(content="a")], breaks_off=True), "broke off"),
            (Reply([chunk(content="a"), "nonsense"]), "no JSON object"),
            (Reply(body=b"[]"), "no JSON object"),
            (Reply(body=b"", headers={"Content-Type": "text/html"}), "broke off"),
            (Reply(body=b"x", status=429, headers={"Retry-After": "3600"}), "429 Too Many Requests"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_is_one_sentence(self, reply: Reply, complaint: str, server: FakeServer) -> None:
        with pytest.raises(EngineError, match=complaint) as caught:
            ask(server, reply)
        assert str(caught.value).startswith(server.url)

    def test_a_filter_ends_the_answer_with_an_error(self, server: FakeServer) -> None:
        end = ask(server, Reply([chunk("content_filter")]))[-1]
        assert isinstance(end, Finish)
        assert (end.reason, end.error) == ("error", "the server ended the answer for the reason 'content_filter'")

    @pytest.mark.parametrize("when", ["0", "0.01", "Wed, 21 Oct 2015 07:28:00 GMT"])
    def test_a_busy_server_is_asked_again_as_late_as_it_says(self, when: str, server: FakeServer) -> None:
        busy = [Reply(body=b"{}", status=status, headers={"Retry-After": when}) for status in (429, 503)]
        assert ask(server, *busy, HELLO)[:2] == [ContentDelta("Hel"), ContentDelta("lo")]

    def test_a_busy_server_that_does_not_say(self, server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("mistralet.chat.remote._FIRST_WAIT", 0.001)
        with pytest.raises(EngineError, match="503 Service Unavailable: full"):
            ask(server, *(Reply(body=b'{"message": "full"}', status=503) for _ in range(9)))
        assert len(server.requests) == 5

    def test_nobody_listens(self) -> None:
        with serve() as server:
            pass
        with pytest.raises(EngineError, match="cannot be reached"):
            ask(server, model="m")

    def test_no_answer_in_time(self, server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("support.chat_server._Handler.do_POST", lambda _handler: asyncio.run(asyncio.sleep(0.2)))
        with pytest.raises(EngineError, match="gave no answer in time"):
            ask(server, model="m", timeout=0.02)

    @pytest.mark.parametrize(
        ("models", "error", "complaint"),
        [([], EngineError, "does not say which models"), (["a", "b"], UsageError, "several models, such as a, b")],
    )
    def test_a_model_must_be_named_unless_there_is_one(
        self, models: list[str], error: type[Exception], complaint: str, server: FakeServer
    ) -> None:
        server.models = models
        with pytest.raises(error, match=complaint):
            ask(server, HELLO)

    @pytest.mark.parametrize("url", ["", "localhost:8000", "ftp://host", "http://"])
    def test_what_is_no_url(self, url: str) -> None:
        with pytest.raises(UsageError, match=r"no http URL|no URL"):
            RemoteChat(url)
