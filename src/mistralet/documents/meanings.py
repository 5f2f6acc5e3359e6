"""Pages and questions as vectors of a sentence-transformers model: finds what is said in other words than were asked.

The vectors of pages are kept on disk, for the next question about the same documents.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import platformdirs
from numpy.typing import NDArray

from mistralet.documents.document import Document, Page
from mistralet.documents.passages import passages
from mistralet.errors import DocumentError
from mistralet.files import write_atomically

_CHUNK = 1000  # characters: what such models read of a text at most, about 250 tokens
_KEPT = 64  # sets of vectors on disk

Vectors = NDArray[np.float32]  # [texts, size], of length 1
Embed = Callable[[Sequence[str]], Vectors]


class Meanings:
    """A model of meanings, and where vectors are kept."""

    def __init__(self, embed: Embed, name: str, folder: Path | None = None) -> None:
        """
        Args:
            name: of the model: vectors of another are no use.
            folder: where vectors are kept; None: in the user's cache.
        """
        self._embed = embed
        self._name = name
        self._folder = folder or platformdirs.user_cache_path("mistralet") / "meanings"

    def ranked(self, pages: Sequence[tuple[Document, Page]], question: str) -> list[int]:
        """Indices of the pages, the one first that has the piece of text nearest to the question."""
        chunks = [(index, text) for index, (document, page) in enumerate(pages) for text in _chunks(document, page)]
        if not chunks:
            return []
        nearness = self._vectors([text for _, text in chunks]) @ self._embed([question])[0]
        best: dict[int, float] = {}
        for (index, _), value in zip(chunks, nearness.tolist(), strict=True):
            best[index] = max(value, best.get(index, -1.0))
        return sorted(best, key=lambda index: (-best[index], index))

    def _vectors(self, texts: Sequence[str]) -> Vectors:
        digest = hashlib.sha256("\0".join([self._name, *texts]).encode()).hexdigest()[:32]
        path = self._folder / f"{digest}.npy"
        try:
            kept: Vectors = np.load(path, allow_pickle=False)
            if kept.ndim == 2 and len(kept) == len(texts) and kept.dtype == np.float32:
                return kept
        except (OSError, ValueError, EOFError):
            pass  # there is none, or it is damaged
        vectors = self._embed(texts)
        with suppress(OSError):  # it only saves time
            self._keep(path, vectors)
        return vectors

    def _keep(self, path: Path, vectors: Vectors) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        with io.BytesIO() as file:
            np.save(file, vectors, allow_pickle=False)
            write_atomically(path, file.getvalue())
        oldest_first = sorted(self._folder.glob("*.npy"), key=lambda kept: kept.stat().st_mtime)
        for old in oldest_first[:-_KEPT]:
            old.unlink(missing_ok=True)


def sentence_transformer(model: str) -> Meanings:
    """The meanings of a sentence-transformers model: a folder, or a name on Hugging Face.

    Raises:
        DocumentError: the library is not installed, or the model cannot be had.
    """
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise DocumentError(
            "Finding pages by meaning needs sentence-transformers: pip install 'mistralet[embeddings]'."
        ) from error
    try:
        loaded = SentenceTransformer(model, device="cpu", trust_remote_code=False)
    except Exception as error:  # the library raises whatever it stumbles over
        raise DocumentError(
            f"{model} cannot be loaded as a sentence-transformers model; name a folder with one, or its name."
        ) from error

    def embed(texts: Sequence[str]) -> Vectors:
        vectors = loaded.encode(list(texts), normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(vectors, dtype=np.float32)

    return Meanings(embed, model)


def _chunks(document: Document, page: Page) -> list[str]:
    """The text of a page in pieces of whole passages; each begins with the last passage of the one before."""
    chunks: list[str] = []
    current: list[str] = []
    for passage in passages(document, page):
        if current and sum(map(len, current)) + len(passage.text) > _CHUNK:
            chunks.append(" ".join(current))
            current = current[-1:]
        current.append(passage.text)
    return [*chunks, " ".join(current)] if current else chunks
