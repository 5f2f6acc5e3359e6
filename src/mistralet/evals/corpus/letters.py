"""Letters in five languages, of two pages: as PDF, as a Word file, and as a scan of both pages in one TIFF file."""

from __future__ import annotations

import io

from mistralet.documents.readers.pdf import picture
from mistralet.evals.corpus.letter_data import LETTERS, Letter
from mistralet.evals.corpus.scans import scanned
from mistralet.evals.corpus.sheets import new_page, pdf_of, space, text
from mistralet.evals.corpus.truth import FileTruth, Question
from mistralet.evals.corpus.word_files import word_file

_SCAN_SIDE = 1400  # pixels


def make_letters() -> tuple[dict[str, bytes], list[FileTruth]]:
    """The files, and four questions about each letter; of the scan the same."""
    files: dict[str, bytes] = {}
    truths = []
    for number, letter in enumerate(LETTERS):
        name = f"letter-{letter.language}"
        first, second = ([each.format(**letter.stated) for each in page] for page in (letter.first, letter.second))
        flow = [text(letter.subject, "title"), *map(text, first), space(20), new_page(), *map(text, second)]
        files[f"{name}.pdf"] = pdf_of(flow, letter.subject)
        files[f"{name}.docx"] = word_file(letter.subject, {"": [*first, *second]})
        files[f"{name}-scan.tiff"] = _tiff(files[f"{name}.pdf"], number)
        questions = _questions(letter, [first, second])
        truths.append(FileTruth(f"{name}.pdf", "letter", letter.language, 2, questions))
        truths.append(FileTruth(f"{name}-scan.tiff", "scan", letter.language, 2, questions))
    return files, truths


def _questions(letter: Letter, pages: list[list[str]]) -> tuple[Question, ...]:
    """What is asked, with the page and the paragraph that hold the answer."""
    return tuple(
        next(
            Question(question, (letter.stated[name],), number, paragraph)
            for number, page in enumerate(pages, 1)
            for paragraph in page
            if letter.stated[name] in paragraph
        )
        for name, question in letter.questions.items()
    )


def _tiff(data: bytes, number: int) -> bytes:
    first, second = (
        scanned(picture(data, page, _SCAN_SIDE), seed=100 + 2 * number + page).convert("L") for page in (1, 2)
    )
    file = io.BytesIO()
    first.save(file, "TIFF", compression="jpeg", quality=62, save_all=True, append_images=[second])
    return file.getvalue()
