"""`Drawing`: from the scores of a step to tokens, within the grammars of the answers that have one."""

from __future__ import annotations

from collections.abc import Sequence as ListOf

from torch import Tensor

from mistralet.engine.constraint import FillingMask, MaskFiller, MaskRow, new_mask
from mistralet.engine.constraint.masks import Mask
from mistralet.engine.sampling import Sampled, Sampler, SamplerRow
from mistralet.engine.scheduler import Chunk


class Drawing:
    """Draws the tokens of a step. What the grammars allow is worked out while the model computes."""

    def __init__(self, vocab_size: int) -> None:
        self._vocab_size = vocab_size
        self.sampler = Sampler()
        self._filler = MaskFiller()
        self._chunks: list[Chunk] = []
        self._draws: list[bool] = []  # whether each leads to a token
        self._mask: Mask | None = None
        self._filling: FillingMask | None = None

    def begin(self, chunks: list[Chunk]) -> list[int]:
        """Look at the chunks of a step before they run: guesses lose what cannot be kept, grammars are asked.

        Returns:
            The rows of the step's batch that lead to new tokens: the last of each chunk that is ready, and those of its
            guess.
        """
        self._chunks, self._draws = chunks, [chunk.draws for chunk in chunks]
        batch_rows: list[int] = []
        masked: list[MaskRow] = []
        end = 0
        for chunk, draws in zip(chunks, self._draws, strict=True):
            answer = chunk.sequence.answer
            if answer.bias:
                chunk.draft.clear()  # the bias may be another after each token
            if draws:
                if answer.matcher is not None:
                    del chunk.draft[answer.matcher.allowed_prefix(chunk.draft) :]
                    masked.append(MaskRow(answer.matcher, len(batch_rows), chunk.draft))
                last = end + chunk.tokens - 1
                batch_rows += range(last, last + 1 + len(chunk.draft))
            end += chunk.tokens + len(chunk.draft)
        self._mask = new_mask(len(batch_rows), self._vocab_size) if masked else None
        self._filling = None if self._mask is None else self._filler.start(masked, self._mask)
        return batch_rows

    def draw(self, logits: Tensor, maxima: Tensor | None) -> list[ListOf[Sampled]]:
        """For each chunk the tokens that follow: one, and one for each token guessed right; none if it is not ready.

        Args:
            logits: float32 `[rows, vocab_size]`, a row for each such chunk and one for each token of its guess.
            maxima: see `Sampler`.
        """
        failures = {} if self._filling is None else self._filling.wait()
        rows: list[SamplerRow] = []
        for chunk, draws in zip(self._chunks, self._draws, strict=True):
            if draws:
                self._add_rows(chunk, rows)
        sampled = self.sampler(logits, rows, maxima) if rows else []
        drawn: list[ListOf[Sampled]] = []
        first = 0
        for chunk, draws in zip(self._chunks, self._draws, strict=True):
            if not draws:
                drawn.append(())
                continue
            right, draft = 0, chunk.draft
            while right < len(draft) and sampled[first + right].token == draft[right]:
                right += 1
            failed = first in failures
            drawn.append([Sampled(-1, problem=str(failures[first]))] if failed else sampled[first : first + right + 1])
            first += 1 + len(draft)
        return drawn

    def close(self) -> None:
        """End the threads."""
        self._filler.close()

    def _add_rows(self, chunk: Chunk, rows: list[SamplerRow]) -> None:
        row, answer = chunk.sequence.sampler_row, chunk.sequence.answer
        row.bias = answer.bias
        first = len(rows)
        rows.append(row)
        if chunk.draft:
            rows += [row.after(chunk.draft[:guessed]) for guessed in range(1, len(chunk.draft) + 1)]
        if answer.matcher is not None and self._mask is not None:
            for place in range(first, len(rows)):
                rows[place].allowed = self._mask[place]
