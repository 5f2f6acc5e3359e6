"""The templates of Mistral Small 3 (v7, v11, v13), through mistral-common, which is the reference (SPEC 3.2)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import torch

from mistralet.chat.conversation import check_conversation
from mistralet.chat.images import grid_of, image_tokens, preprocess
from mistralet.chat.messages import EncodedPrompt, ImageInput, ImagePart, Message
from mistralet.config import VisionConfig
from mistralet.errors import ImageError, PromptError, TokenizerError
from mistralet.tokenizer import TekkenTokenizer

if TYPE_CHECKING:
    from mistral_common.protocol.instruct.chunk import ContentChunk, ImageChunk, ImageURLChunk
    from mistral_common.protocol.instruct.messages import ChatMessage
    from mistral_common.tokens.tokenizers.image import ImageEncoder, ImageEncoding
    from mistral_common.tokens.tokenizers.mistral import MistralTokenizer


class TekkenChat:
    """Conversations to prompts of one Tekken tokenizer.

    mistral-common never sees a picture: it is given the size of its grid, and gives back the tokens at their place.
    """

    def __init__(self, tokenizer: TekkenTokenizer, vision: VisionConfig | None) -> None:
        if vision and tokenizer.control_id("[IMG]") != vision.image_token_id:
            raise TokenizerError(
                f"the tokenizer's [IMG] is {tokenizer.control_id('[IMG]')}, but the model's image token is "
                f"{vision.image_token_id}; take both from one release"
            )
        self._vision = vision
        self._template = _build_template(tokenizer, vision)

    def encode(self, messages: Sequence[Message]) -> EncodedPrompt:
        """See `ChatFormat.encode`."""
        from mistral_common.exceptions import MistralCommonException
        from mistral_common.protocol.instruct.request import ChatCompletionRequest

        check_conversation(messages)
        pictures = [picture for index, message in enumerate(messages) for picture in self._pictures(message, index)]
        ...
