"""Sound texts that are made of rows: tables, records, logs, lists. Each function gives one whole text."""

from __future__ import annotations

import json
from itertools import product
from random import Random

from bench.repetition.words import ADJECTIVES, CITIES, NAMES, NOUNS, clause, sentence


def markdown_table(random: Random) -> str:
    """Up to three hundred rows of five columns."""
    head = "| id | name | city | amount | paid |\n| --- | --- | --- | --- | --- |\n"
    return head + "".join(
        f"| {n} | {random.choice(NAMES)} | {random.choice(CITIES)} | {random.randint(100, 99_999) / 100:.2f} | "
        f"{random.choice(['yes', 'no'])} |\n"
        for n in range(1, random.choice([30, 120, 300]))
    )


def status_table(random: Random) -> str:
    """Rows of a few words each, all out of small sets."""
    columns = (NAMES[:12], ["open", "closed", "waiting"], ["low", "medium", "high"], CITIES[:9])
    return "".join(f"| {' | '.join(map(random.choice, columns))} |\n" for _ in range(random.choice([40, 100])))


def csv_file(random: Random) -> str:
    """Measurements with a time stamp."""
    rows = tuple(
        f"2024-03-{1 + n // 24:02}T{n % 24:02}:00:00Z,{random.choice(CITIES)},{random.uniform(-9, 35):.1f},"
        f"{random.randint(20, 99)},{random.uniform(980, 1040):.1f}"
        for n in range(random.choice([60, 200, 400]))
    )
    return "\n".join(["time,station,temperature,humidity,pressure", *rows])


def json_records(random: Random) -> str:
    """An array of records, indented or one a line."""
    records = [
        {
            "id": n,
            "name": f"{random.choice(NAMES)} {random.choice(NOUNS).title()}",
            "age": random.randint(18, 80),
            "active": random.random() < 0.5,
            "tags": random.sample(ADJECTIVES, 2),
        }
        for n in range(random.choice([20, 60, 150]))
    ]
    return json.dumps(records, indent=random.choice([None, 2]))


def html_table(random: Random) -> str:
    """Products with a price in a table with classes."""
    rows = (
        f'  <tr class="row">\n    <td class="cell name">{random.choice(ADJECTIVES)} {random.choice(NOUNS)}</td>\n'
        f'    <td class="cell price">${random.randint(1, 500)}.{random.randint(0, 99):02}</td>\n  </tr>\n'
        for _ in range(random.choice([20, 60, 120]))
    )
    return f'<table class="products">\n{"".join(rows)}</table>'


def log_lines(random: Random) -> str:
    """What a server writes."""
    lines = []
    for n in range(random.choice([60, 200, 300])):
        level, what = random.choice(["INFO", "INFO", "WARN", "DEBUG"]), random.choice(["GET", "POST", "PUT"])
        lines.append(
            f"2024-05-01 12:{n // 60:02}:{n % 60:02}.{random.randint(0, 999):03} {level} worker-{random.randint(1, 8)} "
            f"{what} /api/{random.choice(NOUNS)}/{random.randint(1, 9999)} {random.choice([200, 201, 404])} "
            f"{random.randint(1, 900)}ms"
        )
    return "\n".join(lines)


def sql_inserts(random: Random) -> str:
    """One statement a row."""
    return "\n".join(
        f"INSERT INTO users (id, name, city, score) VALUES ({n}, '{random.choice(NAMES)} {random.choice(NOUNS)}', "
        f"'{random.choice(CITIES)}', {random.randint(0, 1000)});"
        for n in range(random.choice([30, 100, 150]))
    )


def listing(random: Random) -> str:
    """A folder, as `ls -l` shows it."""
    return "\n".join(
        f"-rw-r--r-- 1 root root {random.randint(100, 999_999):>8} Mar {random.randint(1, 31):>2} "
        f"{random.randint(0, 23):02}:{random.randint(0, 59):02} {random.choice(NOUNS)}_{random.choice(NOUNS)}.txt"
        for _ in range(random.choice([40, 150]))
    )


def yaml_services(random: Random) -> str:
    """Services with the same keys."""
    return "services:\n" + "".join(
        f"  {random.choice(NOUNS)}-{random.choice(NOUNS)}:\n    image: registry.org/{random.choice(NOUNS)}:1.{n}\n"
        f"    restart: always\n    environment:\n      LOG_LEVEL: {random.choice(['info', 'debug'])}\n"
        f'    ports:\n      - "{random.randint(3000, 9000)}:80"\n'
        for n in range(random.choice([10, 40]))
    )


def multiplication(random: Random) -> str:
    """The tables up to 12, or one table to 30."""
    if random.random() < 0.5:
        return "\n".join(f"{a} x {b} = {a * b}" for a, b in product(range(1, 13), repeat=2))
    factor = random.randint(2, 19)
    return "\n".join(f"{factor} x {n} = {factor * n}" for n in range(1, 31))


def multiplication_grid(random: Random) -> str:
    """A square of products."""
    size = random.choice([10, 12, 20])
    return "\n".join("| " + " | ".join(str(a * b) for b in range(1, size + 1)) + " |" for a in range(1, size + 1))


def counting(random: Random) -> str:
    """Numbers in order, as one who was asked to count writes them."""
    last = random.choice([50, 100, 200, 300, 500])
    return random.choice([", ", "\n", " "]).join(map(str, range(1, last + 1)))


def primes(random: Random) -> str:
    """The first primes, or squares, or powers."""
    count = random.choice([60, 200])
    sequences = (
        [n for n in range(2, count * 6) if all(n % divisor for divisor in range(2, int(n**0.5) + 1))],
        [n * n for n in range(count)],
        [2**n for n in range(count // 4)],
    )
    return ", ".join(map(str, random.choice(sequences)))


def truth_table(random: Random) -> str:
    """All values of five or six inputs."""
    size = random.choice([4, 5, 6])
    rows = (f"| {' | '.join(map(str, bits))} | {random.randint(0, 1)} |" for bits in product((0, 1), repeat=size))
    return "\n".join(rows)


def matrix(random: Random) -> str:
    """Rows of small numbers or of 0 and 1."""
    top, size = random.choice([1, 9, 99]), random.choice([8, 16, 24])
    return "\n".join("[" + ", ".join(str(random.randint(0, top)) for _ in range(size)) + "]," for _ in range(size))


def test_vectors(random: Random) -> str:
    """Key, plain text and cipher in hexadecimal."""
    return "\n".join(
        f"COUNT = {n}\nKEY = {random.randbytes(16).hex()}\nIV = {'00' * 16}\nPLAINTEXT = {random.randbytes(16).hex()}\n"
        for n in range(random.choice([10, 40]))
    )


def timetable(random: Random) -> str:
    """Departures every quarter of an hour."""
    return "\n".join(
        f"{hour:02}:{minute:02}  line {random.randint(1, 9)}  to {random.choice(CITIES)}  platform "
        f"{random.randint(1, 14)}"
        for hour in range(6, random.choice([10, 23]))
        for minute in (0, 15, 30, 45)
    )


def translations(random: Random) -> str:
    """Two languages side by side."""
    swap = str.maketrans("aeioustnr", "oiaeuzdml")
    return "".join(
        f"English: {(text := sentence(random))}\nOther: {text.translate(swap)}\n\n"
        for _ in range(random.choice([10, 40]))
    )


def numbered_ideas(random: Random) -> str:
    """A list of a hundred different things."""
    return "\n".join(
        f"{n}. **{random.choice(NOUNS).title()}**: {clause(random)}." for n in range(1, random.choice([30, 101]))
    )


def questions(random: Random) -> str:
    """A quiz with the same frame for each question."""
    return "".join(
        f"**Question {n}:** What does {random.choice(NAMES)} say about the {random.choice(ADJECTIVES)} "
        f"{random.choice(NOUNS)}?\n"
        f"A) {random.choice(CITIES)}\nB) {random.choice(CITIES)}\nC) {random.choice(CITIES)}\nD) None of the above\n"
        f"**Answer:** {random.choice('ABCD')}\n\n"
        for n in range(1, random.choice([15, 41]))
    )


def bibliography(random: Random) -> str:
    """References in one style."""
    return "\n".join(
        f"[{n}] {random.choice(NAMES)[0]}. {random.choice(NOUNS).title()} and {random.choice(NAMES)[0]}. "
        f'{random.choice(NOUNS).title()}. "The {random.choice(ADJECTIVES)} {random.choice(NOUNS)}." In Proceedings of '
        f"the {random.choice(CITIES)} Conference, pages {(page := random.randint(1, 900))}-{page + 9}, "
        f"{random.randint(1970, 2024)}."
        for n in range(1, random.choice([20, 61]))
    )


TABLES = {
    function.__name__: function
    for function in (
        *(markdown_table, status_table, csv_file, json_records, html_table, log_lines, sql_inserts, listing),
        *(yaml_services, multiplication, multiplication_grid, counting, primes, truth_table, matrix, test_vectors),
        *(timetable, translations, numbered_ideas, questions, bibliography),
    )
}
