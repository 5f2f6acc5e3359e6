"""The sample corpus: documents of invented people and companies, and what is true of them."""

from mistralet.evals.corpus.build import PARTS, make_corpus
from mistralet.evals.corpus.truth import Change, Fact, FileTruth, Question, Truth, load_truth

__all__ = ["PARTS", "Change", "Fact", "FileTruth", "Question", "Truth", "load_truth", "make_corpus"]
