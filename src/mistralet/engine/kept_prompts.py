"""`KeptPrompts`: what the library on disk has of a sequence's prompt, to its blocks and from them."""

from __future__ import annotations

from mistralet.engine.kv_library import SHORTEST, KVLibrary
from mistralet.engine.sequence import Sequence
from mistralet.model import KVCache
from mistralet.ops import BLOCK_SIZE


class KeptPrompts:
    """Moves prompts between a library, if there is one, and a cache."""

    def __init__(self, library: KVLibrary | None, cache: KVCache) -> None:
        self._library = library
        self._cache = cache

    def restore(self, sequence: Sequence) -> int:
        """Take from the library what it has of a prompt; how many tokens are in the cache now."""
        if self._library is None or not sequence.reusable:
            return sequence.computed
        digests = sequence.digests[: (len(sequence.ids) - 1) // BLOCK_SIZE]  # the last token runs in any case
        end = self._library.length(digests, sequence.computed)
        blocks = [block.index for block in sequence.blocks]
        return self._library.load(digests, sequence.computed, end, self._cache, blocks)

    def keep(self, sequence: Sequence) -> None:
        """Put a prompt that was just read into the library, if it is long or to be kept under a name."""
        name = sequence.request.keep_as
        if self._library is None or (sequence.prompt_length < SHORTEST and name is None):
            return
        digests = sequence.digests[: sequence.prompt_length // BLOCK_SIZE]
        self._library.save(digests, self._cache, [block.index for block in sequence.blocks], name)
