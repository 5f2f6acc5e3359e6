"""Pages are ranked by meaning, and their vectors are computed once."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from mistralet.documents.meanings import Meanings, Vectors, sentence_transformer
from mistralet.documents.search import Index
from mistralet.errors import DocumentError
from support.documents import typed_document

# Words of one meaning share a direction.
_DIRECTIONS = {"car": 0, "automobile": 0, "cat": 1, "kitten": 1, "rain": 2, "shower": 2}


class WordModel:
    """Stands for a model: a text points where its words do."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def __call__(self, texts: Sequence[str]) -> Vectors:
        self.texts += texts
        vectors = np.full((len(texts), 4), 1e-3, dtype=np.float32)
        for row, text in enumerate(texts):
            for word in text.lower().strip("?.").split():
                if word.strip(".") in _DIRECTIONS:
                    vectors[row, _DIRECTIONS[word.strip(".")]] += 1
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


DOCUMENT = typed_document("A cat. It sleeps.", "The automobile is red.", "", "There was a shower of rain.")
PAGES = [(DOCUMENT, page) for page in DOCUMENT.pages]


def test_the_page_that_says_it_in_other_words_is_found(tmp_path: Path) -> None:
    meanings = Meanings(WordModel(), "words", tmp_path)
    assert meanings.ranked(PAGES, "Which car?")[0] == 1
    assert Index([DOCUMENT]).pages("Which car?") == []
    assert Index([DOCUMENT], meanings).pages("Which car?")[0][1].number == 2


def test_words_count_beside_meaning(tmp_path: Path) -> None:
    index = Index([DOCUMENT], Meanings(WordModel(), "words", tmp_path))
    # Page 2 is first by meaning, page 1 by its words and second by meaning.
    assert [page.number for _, page in index.pages("Who sleeps in the automobile, a cat?")][:2] == [1, 2]


def test_pages_are_turned_into_vectors_once(tmp_path: Path) -> None:
    model = WordModel()
    Meanings(model, "words", tmp_path).ranked(PAGES, "Which car?")
    first = list(model.texts)
    assert len(first) == 4  # three pages with text, and the question
    Meanings(model, "words", tmp_path).ranked(PAGES, "Which cat?")
    assert model.texts[len(first) :] == ["Which cat?"]
    Meanings(model, "another model", tmp_path).ranked(PAGES, "Which cat?")
    assert len(model.texts) == 2 * len(first) + 1


@pytest.mark.parametrize("damage", [b"", b"no numbers", b"\x93NUMPY"])
def test_damaged_vectors_are_computed_again(tmp_path: Path, damage: bytes) -> None:
    meanings = Meanings(WordModel(), "words", tmp_path)
    expected = meanings.ranked(PAGES, "Which car?")
    (file,) = tmp_path.iterdir()
    file.write_bytes(damage)
    assert meanings.ranked(PAGES, "Which car?") == expected
    assert len(file.read_bytes()) > len(damage)


def test_long_pages_are_cut_between_sentences(tmp_path: Path) -> None:
    model = WordModel()
    sentence = "This sentence says nothing at all about anything. "
    document = typed_document(sentence * 60 + "A kitten.")
    Meanings(model, "words", tmp_path).ranked([(document, document.page(1))], "cat")
    pieces = model.texts[:-1]
    assert len(pieces) > 2
    assert all(len(piece) <= 1100 and piece.startswith("This sentence") for piece in pieces)
    assert pieces[-1].endswith("A kitten.")


def test_nothing_to_rank(tmp_path: Path) -> None:
    assert Meanings(WordModel(), "words", tmp_path).ranked([], "cat") == []


def test_the_library_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(DocumentError, match=r"pip install 'mistralet\[embeddings\]'"):
        sentence_transformer("any")
