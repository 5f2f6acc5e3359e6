"""Chat models over an engine of this process, and over one in another."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, closing
from dataclasses import replace

import pytest

from bench.tool_calls import Turn, problems_of, requests
from mistralet.chat import (
    ChatEvent,
    ChatFormat,
    ChatModel,
    ChatRequest,
    ContentDelta,
    Finish,
    Message,
    ModelFacts,
    ScoredTokens,
)
from mistralet.chat.answer_parser import AnswerParser
from mistralet.chat.local import LocalChat, WorkerChat
from mistralet.config import KVType
from mistralet.engine import Constraint, Engine, EngineInfo, EngineOptions, Request, SamplingParams, StepOutput
from mistralet.errors import EngineError, PromptError
from mistralet.model import Prompt
from mistralet.tokenizer import Tokenizer
from support.answers import TEMPLATES
from support.engines import CONTEXT, FAILS, RandomEngine
from support.letters import LetterTokenizer
from support.random_models import TEXT, random_model

PARAMS = SamplingParams(temperature=2, max_tokens=12, seed=1)
# The vocabularies are large enough.
TINIEST = replace(TEXT, hidden_size=8, intermediate_size=16, num_hidden_layers=1)
ENDLESS = replace(PARAMS, max_tokens=CONTEXT - 100)


class Letters:
    """A chat format for the vocabulary of random models: a conversation is its last message."""

    def encode(self, request: ChatRequest) -> Prompt:
        if not request.messages:
            raise PromptError("the conversation is empty; add a message of the user")
        content = request.messages[-1].content
        assert isinstance(content, str)
        return Prompt([1, FAILS if content == "fail" else 30, *(ord(letter) - 12 for letter in content)])

    def constraint(self, _request: ChatRequest) -> Constraint | None:
        return None

    def parser(self, request: ChatRequest) -> AnswerParser:
        raise NotImplementedError


def ask(text: str) -> ChatRequest:
    return ChatRequest([Message("user", text)])


async def text_of(model: ChatModel, request: ChatRequest, params: SamplingParams = PARAMS) -> str:
    return "".join([event.text async for event in model.stream(request, params) if isinstance(event, ContentDelta)])


@pytest.fixture
def engine() -> Iterator[Engine]:
    with closing(RandomEngine()()) as made:
        yield made


def test_streams_share_the_steps_of_an_engine_in_another_thread(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = LocalChat(engine, Letters(), "letters")
    threads, running = set(), []
    step = engine.step

    def watched() -> object:
        threads.add(threading.current_thread())
        outputs = step()
        running.append(len(engine.scheduler.running))
        return outputs

    async def both() -> list[str]:
        return await asyncio.gather(text_of(model, ask("abc")), text_of(model, ask("xyz")))

    alone = [asyncio.run(text_of(model, ask(text))) for text in ("abc", "xyz")]
    monkeypatch.setattr(engine, "step", watched)
    assert asyncio.run(both()) == alone
    assert threading.current_thread() not in threads
    assert max(running) == 2
    assert model.name == "letters"
    model.close()


def test_leaving_early_cancels(engine: Engine) -> None:
    model = LocalChat(engine, Letters(), "letters")

    async def leave() -> None:
        async with aclosing(model.stream(ask("abc"), ENDLESS)) as events:
            await anext(events)

    async def cancel() -> None:
        task = asyncio.create_task(text_of(model, ask("abc"), ENDLESS))
        await asyncio.sleep(0.02)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    for way in (leave, cancel):
        asyncio.run(way())
        assert len(asyncio.run(text_of(model, ask("abc")))) > 0
        assert not engine.has_work
    model.close()


def test_what_goes_wrong_is_raised(engine: Engine) -> None:
    model = LocalChat(engine, Letters(), "letters")
    with pytest.raises(EngineError, match="it was asked to"):
        asyncio.run(text_of(model, ask("fail")))
    assert asyncio.run(text_of(model, ask("abc")))
    with pytest.raises(PromptError):
        asyncio.run(text_of(model, ChatRequest([])))
    with pytest.raises(PromptError, match="reads at most"):
        asyncio.run(text_of(model, ask("a" * CONTEXT)))
    model.close()


class Elsewhere:
    """What an `AsyncEngine` is to those who ask it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.info = EngineInfo(engine.model.config, engine.context, kv_tokens=CONTEXT, pid=1)

    async def stream(self, request: Request) -> AsyncGenerator[StepOutput, None]:
        for output in self._engine.stream(request):
            yield output


def worker_chat(engine: Engine) -> WorkerChat:
    return WorkerChat(Elsewhere(engine), LetterTokenizer(), Letters(), "letters")  # type: ignore[arg-type]


@pytest.mark.parametrize("in_worker", [False, True])
def test_what_a_plan_needs_is_told(engine: Engine, in_worker: bool) -> None:
    local = LocalChat(engine, Letters(), "letters")
    model: ChatModel = worker_chat(engine) if in_worker else local
    assert asyncio.run(model.facts()) == ModelFacts(CONTEXT, reads_pictures=True)
    assert asyncio.run(model.count_tokens(["", "abc"])) == [0, 3]
    local.close()


@pytest.mark.parametrize("in_worker", [False, True])
def test_tokens_come_with_their_scores_if_asked_for(engine: Engine, in_worker: bool) -> None:
    local = LocalChat(engine, Letters(), "letters")
    model: ChatModel = worker_chat(engine) if in_worker else local
    params = replace(PARAMS, logprobs=0)

    async def collect() -> list[ChatEvent]:
        return [event async for event in model.stream(ask("abc"), params)]

    events = asyncio.run(collect())
    tokens = [token for event in events if isinstance(event, ScoredTokens) for token in event.tokens]
    text = "".join(event.text for event in events if isinstance(event, ContentDelta))
    assert b"".join(token.data for token in tokens).decode() == text
    assert all(token.logprob < 0 for token in tokens)
    assert isinstance(events[-1], Finish)
    local.close()


def test_a_model_in_another_process_answers_the_same(engine: Engine) -> None:
    here, there = LocalChat(engine, Letters(), "letters"), worker_chat(engine)
    expected = asyncio.run(text_of(here, ask("abc")))
    here.close()

    async def leave() -> None:
        async with aclosing(there.stream(ask("abc"), ENDLESS)) as events:
            await anext(events)

    asyncio.run(leave())
    assert not engine.has_work
    assert asyncio.run(text_of(there, ask("abc"))) == expected
    with pytest.raises(PromptError, match="reads at most"):
        asyncio.run(text_of(there, ask("a" * CONTEXT)))


@pytest.mark.parametrize("template", TEMPLATES)
def test_calls_of_a_random_model_are_calls_of_tools(
    template: str, chat_of: Callable[[str], ChatFormat], tokenizer_of: Callable[[str], Tokenizer]
) -> None:
    """Two dozen turns; 2,000 of them: `python -m bench.tool_calls`."""
    tokenizer = tokenizer_of(template)
    config = replace(TINIEST, vocab_size=tokenizer.vocab_size, max_position_embeddings=CONTEXT)
    options = EngineOptions(KVType.FLOAT32, 16 * CONTEXT, max_sequences=25)
    asked = [
        (request, replace(PARAMS, max_tokens=30 if request.tool_choice != "none" else 4, seed=number))
        for number, (_, _, request) in enumerate(list(requests(range(210)))[::9])
        if len(str(request.tools)) < 1500
    ]
    with closing(Engine(random_model(config), tokenizer, options)) as engine:
        model = LocalChat(engine, chat_of(template), template)

        async def turn(request: ChatRequest, params: SamplingParams) -> Turn:
            return Turn.of([event async for event in model.stream(request, params)])

        async def all_turns() -> list[Turn]:
            return await asyncio.gather(*(turn(*each) for each in asked))

        turns = asyncio.run(all_turns())
        model.close()
    for (request, _), each in zip(asked, turns, strict=True):
        assert problems_of(each, request) == []
    assert sum(bool(each.calls) for each in turns) > 8
    assert any(each.finish == "tool_calls" for each in turns)
