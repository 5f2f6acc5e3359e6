"""Sound texts that repeat themselves for a reason: code, verse, law, pictures, sequences, prose."""

from __future__ import annotations

import base64
import importlib
import inspect
from random import Random

from bench.repetition.words import ADJECTIVES, NAMES, NOUNS, VERBS, clause, paragraph, sentence

# Modules of Python itself that are full of tables and of similar lines.
_MODULES = (
    *("encodings.cp1252", "encodings.cp037", "html.entities", "mimetypes", "locale", "stat", "colorsys", "keyword"),
    *("token", "calendar", "json.decoder", "textwrap", "string", "fractions", "statistics", "this", "nturl2path"),
    *("opcode", "ast", "datetime", "http", "signal", "errno", "operator", "typing", "unittest.case", "_pydecimal"),
)


def essay(random: Random) -> str:
    """Prose."""
    return "\n\n".join(paragraph(random, random.randint(3, 7)) for _ in range(random.choice([3, 8, 20])))


def getters(random: Random) -> str:
    """A class of properties that differ in their name only."""
    names = random.sample(NOUNS, random.choice([10, 25]))
    return "class Record:\n" + "\n".join(
        f'    @property\n    def {name}(self) -> str:\n        """The {name}."""\n        return self._{name}\n'
        for name in names
    )


def unrolled(random: Random) -> str:
    """A loop written out."""
    line = random.choice(
        ["out[{n}] = a[{n}] * b[{n}];\n", "sum += x[{n}] * y[{n}];\n", "    case {n}: return f{n}(arg);\n"]
    )
    return "".join(line.format(n=n) for n in range(random.choice([16, 32, 64])))


def constants(random: Random) -> str:
    """Names and values."""
    names = random.sample([f"{a.upper()}_{b.upper()}" for a in ADJECTIVES for b in NOUNS], random.choice([30, 90]))
    return "".join(f"pub const {name}: u32 = {n};\n" for n, name in enumerate(names))


def unit_tests(random: Random) -> str:
    """Cases in one style."""
    return "".join(
        f"    def test_{random.choice(VERBS)}_{random.choice(NOUNS)}(self):\n"
        f"        result = {random.choice(NOUNS)}({random.randint(1, 99)}, {random.randint(1, 99)})\n"
        f"        self.assertEqual(result, {random.randint(1, 999)})\n\n"
        for _ in range(random.choice([10, 40]))
    )


def stylesheet(random: Random) -> str:
    """Rules with the same properties."""
    return "".join(
        f".{random.choice(ADJECTIVES)}-{random.choice(NOUNS)} {{\n  margin: {random.randint(0, 40)}px;\n"
        f"  padding: {random.randint(0, 40)}px;\n  color: #{random.randbytes(3).hex()};\n  display: flex;\n}}\n\n"
        for _ in range(random.choice([12, 50]))
    )


def assembly(random: Random) -> str:
    """A listing."""
    registers = ["rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9"]
    return "".join(
        f"    {random.choice(['mov', 'add', 'sub', 'xor', 'lea', 'cmp', 'imul'])} {random.choice(registers)}, "
        f"{random.choice([*registers, hex(random.randint(0, 255)), f'[rbp-{8 * random.randint(1, 20)}]'])}\n"
        for _ in range(random.choice([60, 200]))
    )


def edited_twice(random: Random) -> str:
    """A file, and the whole file again with a few changes, as one who was asked to mend it writes it."""
    lines = unit_tests(random).splitlines() + getters(random).splitlines() + essay(random).splitlines()
    changed = [f"{line}  # changed" if random.random() < 0.03 else line for line in lines]
    return "\n".join(["Here is the file:", *lines, "", sentence(random), "Here is the mended file:", *changed])


def song(random: Random) -> str:
    """Verses and a chorus."""
    chorus = "\n".join(clause(random) for _ in range(random.choice([4, 6]))) + "\n\n"
    verses = ("\n".join(clause(random) for _ in range(4)) + "\n\n" for _ in range(random.choice([3, 4, 5])))
    return (
        "".join(f"[Verse]\n{verse}[Chorus]\n{chorus}" for verse in verses)
        + "[Chorus]\n"
        + chorus
        + "la la la la la la\n" * 4
    )


def refrain(random: Random) -> str:
    """A poem whose every third line is the same."""
    line = clause(random)
    return "\n".join(f"{clause(random)},\n{clause(random)},\n{line}.\n" for _ in range(random.choice([5, 12, 20])))


def cumulative_song(random: Random) -> str:
    """Each verse says what all verses before said, and one thing more."""
    gifts = [f"{n} {random.choice(ADJECTIVES)} {random.choice(NOUNS)}s" for n in range(1, 13)]
    return "\n\n".join(
        f"On day {n} of the winter my true love gave to me\n" + ",\n".join(reversed(gifts[:n])) for n in range(1, 13)
    )


def bottles(random: Random) -> str:
    """The song that counts down."""
    first = random.choice([10, 20, 30])
    return "\n\n".join(
        f"{n} bottles of milk on the wall, {n} bottles of milk. Take one down and pass it around, {n - 1} bottles "
        "of milk on the wall."
        for n in range(first, 0, -1)
    )


def asked_for(random: Random) -> str:
    """One line as often as was asked for."""
    line, times = random.choice([("hello", 50), ("Hello, world!", 30), ("I will not talk in class.", 25), ("ha", 100)])
    return random.choice([" ", "\n"]).join([line] * times) + "\n\n" + sentence(random)


def alphabet(random: Random) -> str:
    """From A to Z."""
    return "\n".join(f"{letter} is for {random.choice(NOUNS)}" for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ") + (
        "\na b c d e f g h i j k l m n o p q r s t u v w x y z" * 3
    )


def contract(random: Random) -> str:
    """Clauses of law, all of one mould."""
    parties = "the Landlord and the Tenant hereby agree that, subject to applicable law and any other right,"
    return "\n\n".join(
        f"{n}. {random.choice(NOUNS).title()}. Notwithstanding anything to the contrary in this Agreement, {parties} "
        f"{clause(random)}, and that {clause(random)}. The foregoing shall survive the termination of this Agreement."
        for n in range(1, random.choice([8, 20, 30]))
    )


def picture(random: Random) -> str:
    """Drawn with characters."""
    width, height, shape = random.choice([30, 60]), random.choice([10, 25]), random.choice(["stripes", "cone", "grid"])

    def is_dark(x: int, y: int) -> bool:
        if shape == "stripes":
            return (x + y) % 7 < 3
        return abs(x - width // 2) <= y if shape == "cone" else x * y % 5 == 0

    return "\n".join("".join("#" if is_dark(x, y) else " " for x in range(width)) for y in range(height))


def boxes(random: Random) -> str:
    """A diagram of boxes, and rules between sections."""
    return (
        "\n".join(
            f"+{'-' * 40}+\n|{random.choice(NOUNS).center(40)}|\n+{'-' * 40}+\n{' ' * 20}|\n{' ' * 20}v"
            for _ in range(random.choice([4, 10]))
        )
        + f"\n{'=' * 80}\n{sentence(random)}\n{'=' * 80}"
    )


def pi(random: Random) -> str:
    """Digits of pi (the spigot of Rabinowitz and Wagon, 1995), in groups or not."""
    digits, q, r, t, k, m, x = "", 1, 0, 1, 1, 3, 3
    wanted = random.choice([300, 1000])
    while len(digits) < wanted:
        if 4 * q + r - t < m * t:
            digits += str(m)
            q, r, m = q * 10, (r - m * t) * 10, (q * 3 + r) * 10 // t - 10 * m
        else:
            q, r, t, k, m, x = q * k, (2 * q + r) * x, t * x, k + 1, (q * (7 * k + 2) + r * x) // (t * x), x + 2
    if random.random() < 0.5:
        return "3." + digits[1:]
    return " ".join(digits[start : start + 5] for start in range(0, len(digits), 5))


def dna(random: Random) -> str:
    """Bases, in lines of sixty or in groups of ten."""
    bases = "".join(random.choice("ACGT") for _ in range(random.choice([600, 1500])))
    size = random.choice([10, 60])
    return random.choice([" ", "\n"]).join(bases[start : start + size] for start in range(0, len(bases), size))


def blob(random: Random) -> str:
    """Base64 of noise, or a hex dump."""
    data = random.randbytes(random.choice([300, 1200]))
    if random.random() < 0.5:
        return base64.encodebytes(data).decode()
    return "\n".join(f"{start:08x}  {data[start : start + 16].hex(' ')}" for start in range(0, len(data), 16))


def tablature(random: Random) -> str:
    """A tune in letters, bar by bar."""
    return " | ".join(" ".join(random.choice("CDEFGAB") for _ in range(4)) for _ in range(random.choice([32, 100])))


def chess(random: Random) -> str:
    """Moves."""

    def move() -> str:
        return f"{random.choice(['', 'N', 'B', 'R', 'Q'])}{random.choice('abcdefgh')}{random.randint(1, 8)}"

    return " ".join(f"{n}. {move()} {move()}" for n in range(1, random.choice([40, 90])))


def dialogue(random: Random) -> str:
    """Two who speak in turn."""
    first, second = random.sample(NAMES, 2)
    return "\n".join(f"{who}: {sentence(random)}" for _ in range(random.choice([10, 40])) for who in (first, second))


def python_module(random: Random) -> str:
    """The source of a module of Python itself."""
    module = importlib.import_module(random.choice(_MODULES))
    return inspect.getsource(module)[:30_000]


SOUND = {
    function.__name__: function
    for function in (
        *(essay, getters, unrolled, constants, unit_tests, stylesheet, assembly, edited_twice, song, refrain),
        *(cumulative_song, bottles, asked_for, alphabet, contract, picture, boxes, pi, dna, blob, tablature, chess),
        *(dialogue, python_module),
    )
}
