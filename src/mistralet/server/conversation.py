"""From a conversation to the parts of its answers: what the chat endpoints of all three APIs have in common."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any

from starlette.requests import Request as HttpRequest

from mistralet.chat import ChatEvent, ChatRequest, ImagePart, Message, Reply
from mistralet.chat.image_file import image_size, upright
from mistralet.chat.openai_json import messages_from_json, tool_choice_from_json, tools_from_json
from mistralet.chat.turn import Turn
from mistralet.engine import Constraint, RepetitionParams, RequestStats, SamplingParams, StepOutput
from mistralet.engine.sampling import Sampled
from mistralet.errors import MistraletError
from mistralet.server.errors import ApiError
from mistralet.server.fields import check_count, check_schema
from mistralet.server.generation import Outputs, start
from mistralet.server.image_links import linked_images
from mistralet.server.pdf_files import with_pages
from mistralet.server.service import Service
from mistralet.server.settings import Settings


@dataclass(frozen=True)
class Asked:
    """What a caller asks, in OpenAI's JSON where it has a shape of its own."""

    messages: list[dict[str, Any]]
    params: SamplingParams
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool = True
    answer_schema: dict[str, Any] | bool | None = None
    constraint: Constraint | None = None  # a regex, grammar or choice
    repetition: RepetitionParams = field(default_factory=RepetitionParams)
    priority: int = 0


@dataclass(frozen=True)
class ChatStep:
    """What a step of the engine added to one of the answers."""

    index: int
    events: list[ChatEvent]
    output: StepOutput


class ChatAnswers:
    """The answers to a conversation as they come; to be left by `aclose`."""

    def __init__(self, turn: Turn, outputs: Outputs) -> None:
        self._turn = turn
        self._outputs = outputs

    @property
    def n(self) -> int:
        """How many there are."""
        return self._turn.request.params.n

    async def steps(self) -> AsyncIterator[ChatStep]:
        """What each step of the engine adds. Raises as `Outputs` does."""
        async for output in self._outputs:
            yield ChatStep(output.index, self._turn.read(output), output)
            if self._turn.is_finished:  # the engine may not know yet
                return

    async def aclose(self) -> None:
        """Leave them."""
        await self._outputs.aclose()


@dataclass
class ChatAnswer(Reply):
    """A whole answer, and how it came about."""

    drawn: list[Sampled] = field(default_factory=list)
    prompt_drawn: list[Sampled] = field(default_factory=list)
    stats: RequestStats = field(default_factory=lambda: RequestStats(0))

    def add_step(self, step: ChatStep) -> None:
        """Take a step in."""
        self.drawn += step.output.logprobs
        self.prompt_drawn += step.output.prompt_logprobs
        self.stats = step.output.stats
        for event in step.events:
            self.add(event)


async def whole_answers(answers: ChatAnswers) -> list[ChatAnswer]:
    """All answers, when they have ended."""
    whole = [ChatAnswer() for _ in range(answers.n)]
    try:
        async for step in answers.steps():
            whole[step.index].add_step(step)
    finally:
        await answers.aclose()
    return whole


async def count_tokens(service: Service, asked: Asked) -> int:
    """How many tokens a conversation is. Raises as `ask` does."""
    turn = await _turn(service, asked)
    return len(turn.request.prompt.ids)


async def ask(service: Service, http: HttpRequest, asked: Asked) -> ChatAnswers:
    """Begin the answers to a conversation.

    Raises:
        ApiError, MistraletError: why they are not begun.
    """
    service.check_room()
    turn = await _turn(service, asked)
    return ChatAnswers(turn, await start(service, http.scope, turn.request))


async def _turn(service: Service, asked: Asked) -> Turn:
    chat, settings = service.chat, service.settings
    if isinstance(chat, MistraletError):
        raise chat
    check_count("messages", asked.messages, settings.max_messages, "messages")
    check_count("tools", asked.tools or (), settings.max_tools, "tools")
    own = _pictures(asked.messages)
    asked = replace(asked, messages=await with_pages(service, asked.messages))
    pages = _pictures(asked.messages) - own  # bounded by `max_pages`
    images = await linked_images(service, asked.messages)

    def make() -> Turn:
        request = _request(asked, images, settings, settings.max_images + pages)
        return Turn(chat, request, asked.params, asked.constraint, repetition=asked.repetition, priority=asked.priority)

    return await service.in_thread(make)


def _pictures(messages: list[dict[str, Any]]) -> int:
    contents = [message.get("content") for message in messages]
    parts = [part for content in contents if isinstance(content, list) for part in content]
    return sum(isinstance(part, dict) and part.get("type") == "image_url" for part in parts)


def _request(asked: Asked, images: dict[str, bytes], settings: Settings, most_images: int) -> ChatRequest:
    tools = tools_from_json(asked.tools)
    for index, tool in enumerate(tools):
        check_schema(f"tools[{index}].function.parameters", tool.parameters, settings)
    messages = messages_from_json(asked.messages, images)
    pictures = [part for message in messages for part in message.parts if isinstance(part, ImagePart)]
    check_count("messages", pictures, most_images, "images")
    _check_images(pictures, settings)
    if settings.upright_images:
        messages = [_upright(message) for message in messages]
    return ChatRequest(
        messages,
        tools,
        tool_choice_from_json(asked.tool_choice),
        asked.parallel_tool_calls,
        asked.answer_schema,
    )


def _upright(message: Message) -> Message:
    if isinstance(message.content, str):
        return message
    parts = [
        replace(part, data=upright(part.data)) if isinstance(part, ImagePart) else part for part in message.content
    ]
    return replace(message, content=tuple(parts))


def _check_images(images: list[ImagePart], settings: Settings) -> None:
    for number, image in enumerate(images, start=1):
        if len(image.data) > settings.max_image_bytes:
            raise ApiError(
                400, f"Image {number} has more than {settings.max_image_bytes} bytes; make it smaller.", "messages"
            )
        width, height = image_size(image.data, image.frame)
        if width * height > settings.max_image_pixels:
            raise ApiError(
                400,
                f"Image {number} has {width} x {height} pixels, more than {settings.max_image_pixels}; shrink it.",
                "messages",
            )
