"""The templates of Mistral Small 3 (v7, v11, v13), through mistral-common, which is the reference (SPEC 3.2).

mistral-common never sees a picture: its place in a message is taken by a reference that holds the size of its grid,
and the image encoder it is given turns that into tokens. So pictures are resized by our own code, and OpenCV is not
needed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch

from mistralet.chat.answer_parser import AnswerParser
from mistralet.chat.call_grammar import answer_constraint
from mistralet.chat.call_ids import CallIds
from mistralet.chat.call_syntax import tekken_syntax
from mistralet.chat.call_tokens import CallTokens
from mistralet.chat.conversation import check_conversation
from mistralet.chat.images import image_tokens, no_vision, preprocess
from mistralet.chat.messages import ImagePart, Message, TextPart
from mistralet.chat.parse_tekken import TekkenParser
from mistralet.chat.request import ChatRequest
from mistralet.chat.tools import check_tools, described
from mistralet.config import VisionConfig
from mistralet.engine.constraint import Constraint
from mistralet.errors import ImageError, PromptError, TokenizerError
from mistralet.model import Prompt, PromptImage
from mistralet.tokenizer import TekkenTokenizer

if TYPE_CHECKING:
    from mistral_common.protocol.instruct.chunk import ContentChunk, ImageURLChunk
    from mistral_common.protocol.instruct.messages import ChatMessage
    from mistral_common.protocol.instruct.request import ChatCompletionRequest
    from mistral_common.tokens.tokenizers.image import ImageEncoder, ImageEncoding
    from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

    Template = MistralTokenizer[Any, Any, Any, Any, Any]


class TekkenChat:
    """Conversations to prompts, for one tokenizer and the vision part of its model."""

    def __init__(self, tokenizer: TekkenTokenizer, vision: VisionConfig | None) -> None:
        self._vision = vision
        self._image_token = tokenizer.control_id("[IMG]")
        if vision and vision.image_token_id != self._image_token:
            raise TokenizerError(
                f"the tokenizer's [IMG] has the id {self._image_token}, but the model's image token has "
                f"{vision.image_token_id}; take both from one release"
            )
        self._template = _build_template(tokenizer, vision)
        self._tokenizer = tokenizer
        self._tokens = CallTokens.of(tokenizer)

    def encode(self, request: ChatRequest) -> Prompt:
        """See `ChatFormat.encode`."""
        from mistral_common.exceptions import MistralCommonException

        messages = request.messages
        check_conversation(messages)
        check_tools(request)
        pictures = [
            _read_picture(part, index, self._vision)
            for index, message in enumerate(messages)
            for part in message.parts
            if isinstance(part, ImagePart)
        ]
        try:
            conversation = _to_mistral(request, [(picture.columns, picture.rows) for picture in pictures])
            ids = self._template.encode_chat_completion(conversation).tokens
        except (MistralCommonException, ValueError) as error:
            raise PromptError(
                "the conversation does not fit the model's template; check the order and the text of its messages"
            ) from error
        return Prompt(ids, _place(pictures, ids, self._image_token))

    def constraint(self, request: ChatRequest) -> Constraint | None:
        """See `ChatFormat.constraint`."""
        return answer_constraint(request, tekken_syntax(self._tokens))

    def parser(self, request: ChatRequest) -> AnswerParser:
        """See `ChatFormat.parser`."""
        return TekkenParser(request, self._tokenizer, self._tokens)


@dataclass(frozen=True)
class _Picture:
    pixels: torch.Tensor  # [3, height, width]
    digest: str
    columns: int
    rows: int


def _read_picture(part: ImagePart, index: int, vision: VisionConfig | None) -> _Picture:
    if vision is None:
        raise no_vision(index)
    try:
        return _preprocessed(part, vision)
    except ImageError as error:
        raise ImageError(f"messages[{index}]: {error}") from error


@lru_cache(maxsize=8)  # pictures come again with each turn; the largest take 28 MB
def _preprocessed(part: ImagePart, vision: VisionConfig) -> _Picture:
    pixels = preprocess(part, vision)
    height, width = pixels.shape[1:]
    side = vision.merged_patch_size
    digest = hashlib.sha256(part.data)
    if part.frame:
        digest.update(part.frame.to_bytes(4, "little"))
    return _Picture(pixels, digest.hexdigest(), columns=width // side, rows=height // side)


def _to_mistral(request: ChatRequest, grids: Sequence[tuple[int, int]]) -> ChatCompletionRequest[Any]:
    """The request in mistral-common's types; `grids`: the columns and rows of its pictures."""
    from mistral_common.protocol.instruct.request import ChatCompletionRequest
    from mistral_common.protocol.instruct.tool_calls import Tool

    call_ids, next_grid = CallIds(request.messages), iter(grids)
    return ChatCompletionRequest(
        model="mistralet",  # required, and of no effect
        messages=[_message(message, call_ids, next_grid) for message in request.messages],
        tools=[Tool.model_validate(described(tool)) for tool in request.tools] or None,
    )


def _message(message: Message, call_ids: CallIds, next_grid: Iterator[tuple[int, int]]) -> ChatMessage:
    from mistral_common.protocol.instruct.chunk import ImageURLChunk, TextChunk
    from mistral_common.protocol.instruct.messages import AssistantMessage, SystemMessage, ToolMessage, UserMessage
    from mistral_common.protocol.instruct.tool_calls import FunctionCall, ToolCall

    content: list[ContentChunk] = [
        TextChunk(text=part.text)
        if isinstance(part, TextPart)
        else ImageURLChunk(image_url="{}x{}".format(*next(next_grid)))
        for part in message.parts
    ]
    if message.role == "system":
        return SystemMessage(content=content)
    if message.role == "user":
        return UserMessage(content=content)
    if message.role == "tool":
        return ToolMessage(content=content, tool_call_id=call_ids.to_model(message.tool_call_id or ""))
    calls = [
        ToolCall(id=call_ids.to_model(call.id), function=FunctionCall(name=call.name, arguments=call.arguments))
        for call in message.tool_calls
    ]
    return AssistantMessage(content=content, tool_calls=calls or None, prefix=message.prefix)


def _place(pictures: list[_Picture], ids: list[int], image_token: int) -> list[PromptImage]:
    """Find the tokens of each picture in the prompt: only pictures give image tokens, and their order is kept."""
    images, position = [], 0
    for picture in pictures:
        start = ids.index(image_token, position)
        position = start + (picture.columns + 1) * picture.rows
        images.append(PromptImage(picture.pixels, picture.digest, start, picture.columns, picture.rows))
    return images


def _build_template(tokenizer: TekkenTokenizer, vision: VisionConfig | None) -> Template:
    from mistral_common.protocol.instruct.normalize import get_normalizer
    from mistral_common.protocol.instruct.validator import ValidationMode, get_validator
    from mistral_common.tokens.tokenizers import instruct
    from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

    types = {
        "v7": instruct.InstructTokenizerV7,
        "v11": instruct.InstructTokenizerV11,
        "v13": instruct.InstructTokenizerV13,
    }
    # mistral-common calls its image encoder and does nothing else with it.
    image_encoder = cast("ImageEncoder", _grid_encoder(vision)) if vision else None
    try:
        template = types[tokenizer.version](tokenizer.raw, image_encoder)
    except ValueError as error:
        raise TokenizerError(
            f"the tokenizer '{tokenizer.name}' lacks control tokens of its chat template; use plain prompts"
        ) from error
    version = tokenizer.raw.version
    return MistralTokenizer(template, get_validator(version, ValidationMode.serving), get_normalizer(version))


def _grid_encoder(vision: VisionConfig) -> Callable[[ImageURLChunk], ImageEncoding]:
    from mistral_common.tokens.tokenizers.image import ImageEncoding

    def encode_grid(chunk: ImageURLChunk) -> ImageEncoding:
        columns, rows = map(int, chunk.get_url().split("x"))
        return ImageEncoding(image_tokens(columns, rows, vision), image=np.empty(0))

    return encode_grid
