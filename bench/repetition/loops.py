"""Texts without end: each function yields pieces for ever."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from itertools import count, cycle
from random import Random

from bench.repetition.words import ADJECTIVES, ADVERBS, NAMES, NOUNS, VERBS, clause, paragraph, sentence, words

Loop = Callable[[Random], Iterator[str]]


def _exact(size: int) -> Loop:
    """The same `size` words again and again."""

    def pieces(random: Random) -> Iterator[str]:
        return cycle([" " + words(random, size)])

    return pieces


def _of(*choices: str) -> Loop:
    """One of some pieces again and again; a seed chooses which."""

    def pieces(random: Random) -> Iterator[str]:
        return cycle([random.choice(choices)])

    return pieces


def _counted(*templates: str, first: tuple[int, int] = (1, 1), steps: tuple[int, ...] = (1,)) -> Loop:
    """A line in which only a number changes."""

    def pieces(random: Random) -> Iterator[str]:
        template, step = random.choice(templates), random.choice(steps)
        return (template.format(n=n, m=n + 1) for n in count(random.randint(*first), step))

    return pieces


def paragraph_again(random: Random) -> Iterator[str]:
    """A paragraph of 100 to 1,200 words."""
    return cycle([paragraph(random, random.choice([8, 15, 30, 60])) + "\n\n"])


def two_paragraphs(random: Random) -> Iterator[str]:
    """Two paragraphs in turn, or in any order."""
    both = [paragraph(random, random.randint(2, 9)) + "\n\n" for _ in range(2)]
    return cycle(both) if random.random() < 0.5 else (random.choice(both) for _ in count())


def word_swapped(random: Random) -> Iterator[str]:
    """A sentence with one word of a few in one place."""
    head, tail = clause(random), clause(random)
    choices = random.sample(ADJECTIVES + NOUNS, random.choice([2, 3, 5, 8]))
    return (f"In the end {head}, {random.choice(choices)}, and {tail}. " for _ in count())


def fresh_word(random: Random) -> Iterator[str]:
    """A long sentence with another word each time, of a hundred."""
    head, tail = sentence(random), sentence(random)
    return (f"{head} This is about the {random.choice(NOUNS)}. {tail}\n" for _ in count())


def punctuation_varied(random: Random) -> Iterator[str]:
    """A clause that ends in another mark each time."""
    text = clause(random).capitalize()
    return (f"{text}{random.choice(['.', '!', '?', '...', '!!', ';', ' -'])} " for _ in count())


def case_varied(random: Random) -> Iterator[str]:
    """A clause in lower case, upper case, title case."""
    text = clause(random)
    return (random.choice([text, text.upper(), text.title(), text.capitalize()]) + ". " for _ in count())


def words_dropped(random: Random) -> Iterator[str]:
    """A paragraph from which a word falls out each time."""
    text = paragraph(random, random.randint(1, 4)).split()
    return (" ".join(word for word in text if random.random() > 0.04) + "\n" for _ in count())


def typos(random: Random) -> Iterator[str]:
    """A paragraph with another letter wrong each time."""
    text = paragraph(random, random.randint(2, 5))
    while True:
        place = random.randrange(len(text))
        yield text[:place] + random.choice("aeiou") + text[place + 1 :] + " "


def noisy_number(random: Random) -> Iterator[str]:
    """A sentence with a random number in it."""
    head, tail = sentence(random), sentence(random)
    return (f"{head} There were {random.randint(2, 99)} of them. {tail}\n" for _ in count())


def sentences_shuffled(random: Random) -> Iterator[str]:
    """The same few sentences in another order each time."""
    few = [sentence(random) for _ in range(random.randint(4, 8))]
    while True:
        random.shuffle(few)
        yield " ".join(few) + "\n\n"


def rephrased(random: Random) -> Iterator[str]:
    """One thing said again and again with other words of a few."""
    slots = [random.sample(pool, 4) for pool in (ADJECTIVES, NOUNS, VERBS, ADJECTIVES, NOUNS, ADVERBS)]
    openings = ["In short,", "In other words,", "Again,", "So", "To repeat,", "That is,"]
    while True:
        a, b, c, d, e, f = (random.choice(slot) for slot in slots)
        yield f"{random.choice(openings)} the {a} {b} {c} the {d} {e} {f}. "


def few_words(random: Random) -> Iterator[str]:
    """Words of a small set, no three of which come twice in a row: a loop under a penalty such as DRY."""
    pool = random.sample(NOUNS + ADJECTIVES, random.choice([5, 8, 12, 20]))
    seen: set[tuple[str, str, str]] = set()
    first, second = "", ""
    for _ in count():
        allowed = [word for word in pool if (first, second, word) not in seen] or pool
        word = random.choice(allowed)
        seen.add((first, second, word))
        first, second = second, word
        yield " " + word


def glued_words(random: Random) -> Iterator[str]:
    """Words of a small set without blanks between them, now and then a line break."""
    pools = [["true", "false", "True", "False"], ["bool", "_tuple", "_dict", "_list"], ["HEAD", "ERS", "SE", "EL"]]
    pool = random.choice(pools)
    return (random.choice(pool) + ("\n" if random.random() < 0.02 else "") for _ in count())


def small_grammar(random: Random) -> Iterator[str]:
    """Short sentences about the same few things."""
    who, what, how = random.sample(NAMES, 2), random.sample(NOUNS, 4), random.sample(VERBS, 3)
    while True:
        again = random.choice(["", " again", " and again", " once more"])
        yield f"{random.choice(who)} {random.choice(how)} the {random.choice(what)}{again}. "


def growing_indentation(random: Random) -> Iterator[str]:
    """A block inside the block before, for ever."""
    line, step = random.choice(["if x:", "for item in items:", "{", "<div>", "- item"]), random.choice([1, 2, 4])
    return (f"{' ' * (depth * step)}{line}\n" for depth in count())


def growing_path(random: Random) -> Iterator[str]:
    """A path or call that never closes."""
    return cycle([random.choice(["/usr", "self.next.", "f(g(", "[[", "a -> b -> ", "(((", "../"])])


def mixed_space(random: Random) -> Iterator[str]:
    """White space of all kinds."""
    return (random.choice([" ", "\n", "\t", "  ", "\n\n", "   ", "\r\n"]) for _ in count())


def base64_again(random: Random) -> Iterator[str]:
    """A line of base64, for ever."""
    return cycle([base64.b64encode(random.randbytes(random.choice([24, 48, 300]))).decode() + "\n"])


def dates(random: Random) -> Iterator[str]:
    """Day after day with the same remark."""
    remark = clause(random)
    years = range(random.randint(1900, 2000), 3000)
    return (
        f"{year}-{month:02}-{day:02}: {remark}.\n" for year in years for month in range(1, 13) for day in range(1, 29)
    )


def numbered_rows(random: Random) -> Iterator[str]:
    """A table whose rows differ in their number only."""
    name, city = random.choice(NAMES), random.choice(NOUNS)
    return (f"| {n} | {name} | {city} | yes |\n" for n in count(1))


def same_records(random: Random) -> Iterator[str]:
    """JSON records that differ in their id only."""
    name = random.choice(NAMES)
    return (f'  {{"id": {n}, "name": "{name}", "email": "{name.lower()}@example.com"}},\n' for n in count(1))


def sections(random: Random) -> Iterator[str]:
    """Numbered sections with the same text below."""
    text = paragraph(random, 2)
    return (f"## {n // 9 + 1}.{n % 9 + 1} Summary\n\n{text}\n\n" for n in count())


LOOPS: dict[str, Loop] = {
    **{f"exact-{size}": _exact(size) for size in (1, 2, 3, 4, 7, 15, 40, 120, 400, 1000)},
    "exact-token": _of(" the", "items ", "!", "0", "=", "_", "-", "ha", "\\n", "</div>"),
    "exact-line": _of("I do not know.\n", "```\n", "- \n", "| | | |\n", "A: Yes.\nB: No.\n", "    pass\n", "<br/>\n"),
    "exact-unicode": _of(
        "\N{PARTY POPPER}",
        "\N{PARTY POPPER}\N{CONFETTI BALL}",
        "谢谢。",
        "我不知道，",
        "─",
        "z\u0337",
        "да, ",
        "\u200b",
    ),
    "spaces": _of("\n", " ", "\t", "\n\n", " \n", "\n\t", "\u00a0", "                \n", "\r\n"),
    "counted-item": _counted(
        "Item {n}: This is an item.\n", "{n}. Seoul (South Korea)\n", "Step {n}: Repeat.\n", "- Point {n}\n"
    ),
    "counted-bare": _counted("{n}, ", "{n}\n", "{n}. {n}\n", "{n} ", first=(1, 40), steps=(1, 2, 5)),
    "counted-years": _counted("In {n}, the company was sold. ", "{n}: no change\n", "({n}-{m}) ", first=(1700, 1950)),
    "counted-code": _counted(
        "a[{n}] = b[{n}] + c[{m}];\n", "x{n} = x{m}\n", "    case {n}: return {m};\n", "#define BIT_{n} {n}\n"
    ),
    "counted-tests": _counted("def test_{n}():\n    assert f({n}) == {n}\n\n", "it('works {n}', () => ok({n}));\n"),
    "counted-version": _counted(
        "version 1.{n}.0 fixes bugs\n", "192.168.1.{n} is up\n", "Chapter {n}\n\nTo be written.\n\n"
    ),
    "paragraph": paragraph_again,
    "two-paragraphs": two_paragraphs,
    "word-swapped": word_swapped,
    "fresh-word": fresh_word,
    "punctuation": punctuation_varied,
    "case": case_varied,
    "dropped": words_dropped,
    "typos": typos,
    "noisy-number": noisy_number,
    "shuffled": sentences_shuffled,
    "rephrased": rephrased,
    "few-words": few_words,
    "glued-words": glued_words,
    "small-grammar": small_grammar,
    "indentation": growing_indentation,
    "path": growing_path,
    "mixed-space": mixed_space,
    "base64": base64_again,
    "dates": dates,
    "numbered-rows": numbered_rows,
    "same-records": same_records,
    "sections": sections,
}
