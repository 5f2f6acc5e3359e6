"""The state of a conversation with a model, apart from how it is shown."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mistralet.cli.common import OpenModel, stream_answer
from mistralet.errors import ImageError, UsageError
from mistralet.files import write_atomically

if TYPE_CHECKING:
    from mistralet.chat import ImagePart, Message
    from mistralet.engine import RequestStats, SamplingParams


@dataclass
class Answer:
    """An answer on its way."""

    question: Message
    pieces: Iterator[str]
    stats: RequestStats
    text: list[str] = field(default_factory=list)  # the pieces that have come


class Conversation:
    """Messages so far, and pictures waiting for the next one."""

    def __init__(self, opened: OpenModel, params: SamplingParams, system: str | None = None) -> None:
        self.opened = opened
        self.params = params
        self.system = system
        self.turns: list[Message] = []
        self.images: list[ImagePart] = []
        self.format = opened.chat

    def messages(self) -> list[Message]:
        """The conversation as the chat template takes it."""
        from mistralet.chat import Message

        return ([Message("system", self.system)] if self.system else []) + self.turns

    def question(self, text: str) -> Message:
        """The user's next message."""
        from mistralet.chat import Message, TextPart

        return Message("user", (*self.images, TextPart(text)) if self.images else text)

    def ask(self, text: str) -> Answer:
        """Begin the answer to the user's next message. The conversation changes only with `keep`."""
        from mistralet.chat import ChatRequest
        from mistralet.engine import RequestStats

        question = self.question(text)
        prompt = self.format.encode(ChatRequest([*self.messages(), question]))
        outputs = stream_answer(self.opened, prompt, self.params)
        answer = Answer(question, iter(()), RequestStats(len(prompt.ids)))

        def pieces() -> Iterator[str]:
            for output in outputs:
                answer.stats = output.stats
                answer.text.append(output.text)
                yield output.text

        answer.pieces = pieces()
        return answer

    def keep(self, answer: Answer) -> None:
        """Make a question and what came of its answer part of the conversation; nothing if nothing came."""
        from mistralet.chat import Message

        text = "".join(answer.text)
        if text:
            self.turns += [answer.question, Message("assistant", text)]
            self.images.clear()

    def keep_run(self, conversation: Sequence[Message]) -> None:
        """Make what an agent's run has come to the conversation; the instructions are kept apart."""
        self.turns = [message for message in conversation if message.role != "system"]
        self.images.clear()

    def add_image(self, path: Path) -> int:
        """Put the pictures of a file into the next message, upright; a bad one is refused at once. How many those are.

        Raises:
            ImageError: the file holds no picture, or the model reads text only.
        """
        from mistralet.chat.image_file import MAX_BYTES, upright
        from mistralet.chat.images import image_parts, preprocess

        vision = self.opened.loaded.checkpoint.config.vision
        if vision is None:
            raise ImageError(f"{self.opened.name} reads text only; take a model with vision, such as small-3.2.")
        try:
            if path.stat().st_size > MAX_BYTES:
                raise ImageError(f"{path}: is larger than {MAX_BYTES >> 20} MB; shrink it.")
            data = path.read_bytes()
        except OSError as error:
            raise ImageError(f"{path}: cannot be read ({error.strerror}).") from error
        parts = image_parts(upright(data))
        for part in parts:
            preprocess(part, vision)
        self.images += parts
        return len(parts)

    def reset(self) -> None:
        """Forget all turns and waiting pictures; the instructions stay."""
        self.turns.clear()
        self.images.clear()

    def save(self, path: Path) -> None:
        """Write the conversation as JSON, in the shape of an OpenAI request."""
        from mistralet.chat.openai_json import messages_to_json

        facts = {"model": self.opened.name, "messages": messages_to_json(self.messages())}
        try:
            write_atomically(path, json.dumps(facts, ensure_ascii=False, indent=2).encode())
        except OSError as error:
            raise UsageError(f"{path}: cannot be written ({error.strerror}).") from error
