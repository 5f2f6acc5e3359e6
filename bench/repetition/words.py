"""Words and prose that the generated texts are made of; drawn by a seeded generator, so every run sees the same."""

from __future__ import annotations

from random import Random


def _words(text: str) -> list[str]:
    return text.split()


NAMES = _words(
    "Alice Bruno Chiara Dmitri Elena Farid Greta Hiro Ines Jonas Kamala Liam Mona Nadia Oscar Priya Quentin Rosa Samir "
    "Tara Umar Vera Wei Xenia Yusuf Zoe Anton Bella Carlos Dora Emil Fatima Gustav Hana Igor Julia Karim Lena Marco Nil"
)
NOUNS = _words(
    "river engine garden bridge letter window market kitchen harbour teacher village mountain station library painter "
    "camera forest machine doctor island captain ladder mirror orchard pocket quarry ribbon saddle tunnel valley wagon "
    "anchor basket candle desert elbow feather glacier hammer insect jacket kettle lantern meadow needle oyster pepper "
    "quilt rocket shovel turtle uncle violin whistle yard zebra answer bottle carpet dagger envelope fountain gallery "
    "helmet iron jewel kingdom lemon museum notebook ocean palace queen rabbit sailor temple universe vessel winter"
)
VERBS = _words(
    "carries follows repairs watches forgets paints opens measures crosses describes buries collects drops explains "
    "finds gathers hides invites joins keeps lifts moves names offers pulls raises sells teaches uses visits washes"
)
ADJECTIVES = _words(
    "quiet golden narrow ancient bitter clever distant early fragile gentle heavy icy jolly kind lonely modern noisy "
    "open patient quick rough silent tall useful vivid warm young brave cheap dusty empty famous green hollow"
)
ADVERBS = _words("slowly often never gladly rarely quietly suddenly always badly twice again today later together")
JOINTS = ("and then", "because", "while", "although", "so that", "until", "but", "whenever", "as soon as", "where")
CITIES = _words(
    "Paris Lyon Berlin Hamburg Rome Milan Madrid Lisbon Vienna Prague Warsaw Oslo Bergen Dublin Cork Athens Sofia "
    "Zagreb Tallinn Riga Vilnius Kyiv Bern Geneva Ghent Porto Seville Turin Naples Leeds Bristol Utrecht Aarhus Malmo"
)


def clause(random: Random) -> str:
    """A few words with a subject and a verb."""
    subject = f"the {random.choice(ADJECTIVES)} {random.choice(NOUNS)}"
    target = random.choice([f"a {random.choice(NOUNS)}", f"{random.choice(NAMES)}'s {random.choice(NOUNS)}"])
    return f"{subject} {random.choice(VERBS)} {target} {random.choice(ADVERBS)}"


def sentence(random: Random) -> str:
    """One to three clauses."""
    parts = [clause(random)]
    for _ in range(random.choice([0, 1, 1, 2])):
        parts += [random.choice(JOINTS), clause(random)]
    text = " ".join(parts)
    return text[0].upper() + text[1:] + random.choice("..!?")


def paragraph(random: Random, sentences: int) -> str:
    """That many sentences."""
    return " ".join(sentence(random) for _ in range(sentences))


def words(random: Random, count: int) -> str:
    """Nouns and adjectives in any order, some of them twice."""
    return " ".join(random.choice(NOUNS + ADJECTIVES) for _ in range(count))
