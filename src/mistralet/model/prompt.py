"""What the model reads: token ids, and the images that some of them stand for."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor


@dataclass(frozen=True)
class PromptImage:
    """An image, ready for the vision encoder, and the tokens that stand for it."""

    pixels: Tensor  # float32 [3, height, width], normalised (SPEC 4)
    digest: str  # SHA-256 of the image's bytes: equal images share it
    start: int  # index of its first token in the prompt
    length: int  # tokens, row ends included

    @property
    def end(self) -> int:
        """Index after its last token."""
        return self.start + self.length


@dataclass(frozen=True)
class Prompt:
    """Token ids and the images among them, in order."""

    ids: list[int]
    images: list[PromptImage] = field(default_factory=list)
