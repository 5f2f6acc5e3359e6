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
    columns: int  # image tokens in a row; one more ends each row
    rows: int

    @property
    def length(self) -> int:
        """Tokens, row ends included."""
        return self.rows * (self.columns + 1)

    @property
    def end(self) -> int:
        """Index after its last token."""
        return self.start + self.length

    def image_tokens(self, start: int, end: int) -> tuple[list[int], int]:
        """Those of its tokens from index `start` to `end` of the prompt that stand for pieces of the image.

        Returns:
            Their indices in the prompt; which of the image's pieces, row by row, the first of them is.
        """
        width = self.columns + 1
        places = range(max(0, start - self.start), min(self.length, end - self.start))
        chosen = [self.start + place for place in places if place % width < self.columns]
        row, column = divmod(places.start, width)
        return chosen, row * self.columns + column


@dataclass(frozen=True)
class Prompt:
    """Token ids and the images among them, in order."""

    ids: list[int]
    images: list[PromptImage] = field(default_factory=list)
