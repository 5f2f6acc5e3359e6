"""What goes into a chat template, and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True)
class TextPart:
    """A piece of text in a message."""

    text: str


@dataclass(frozen=True)
class ImagePart:
    """A picture in a message of the user: the bytes of its file."""

    data: bytes


Part = TextPart | ImagePart


@dataclass(frozen=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str | tuple[Part, ...]

    @property
    def parts(self) -> tuple[Part, ...]:
        """The content as parts, whichever way it was given."""
        return (TextPart(self.content),) if isinstance(self.content, str) else self.content


@dataclass(frozen=True)
class ImageInput:
    """A picture ready for the vision encoder, and where its tokens lie in the prompt."""

    pixels: torch.Tensor  # [3, height, width], float32, normalised
    digest: str  # SHA-256 of the bytes of the picture's file, in hexadecimal
    start: int  # index of its first token in the prompt
    length: int  # tokens it takes in the prompt, row breaks and end included


@dataclass(frozen=True)
class EncodedPrompt:
    """A conversation as the model reads it."""

    ids: list[int]
    images: list[ImageInput]  # in the order of the prompt
