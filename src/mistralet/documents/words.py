"""Words by which texts are compared: stems, in the language of the text."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from functools import cache, lru_cache
from typing import Any

_WORD = re.compile(r"[^\W_]+(?:[.,'’-][^\W_]+)*")
# Words that say nothing of what a text is about; by them its language is told, too.
_COMMON = {
    "english": "a an and are as at be by can do does for from has have how i if in is it its may must not of on or "
    "our shall should that the their there these they this to was we what when where which who why will "
    "with you your",
    "french": "à au aux avec ce ces cette dans de des du elle en est et il ils je la le les leur ne nous on ou où "
    "par pas pour que quel quelle qui sa se ses son sont sur un une vous quand combien comment",
    "german": "als am an auch auf aus bei das dem den der des die ein eine einem einen einer eines er es für hat "
    "ich im in ist mit nach nicht oder sich sie sind so um und von was wer wie wird wo zu zum zur welche "
    "welcher wann",
    "spanish": "a al como con cuál cuándo cuánto de del el en es ella ese esta este la las lo los más no o para por "
    "que qué quién se son su sus un una y donde dónde",
    "italian": "a al alla che chi come con da dal dalla dei del della delle di e è gli i il in la le lo nel non o "
    "per più quale quando quanto si sono su un una dove",
    "portuguese": "a ao as com como da das de do dos e em é na não no o os ou para por qual quando quanto que quem se "
    "são seu sua um uma onde",
    "dutch": "aan als bij dat de den der deze die dit door een en er het hij hoe ik in is met naar niet of om op "
    "te tot uit van voor wat wanneer welke wie wij zijn waar",
}
_STOP = {language: frozenset(words.split()) for language, words in _COMMON.items()}


def language_of(text: str) -> str:
    """The language whose common words a text has most of; English where it has none."""
    counts = Counter(_WORD.findall(text[:20_000].casefold()))
    scores = {language: sum(counts[word] for word in words) for language, words in _STOP.items()}
    return max(scores, key=lambda language: scores[language])


def stems(text: str, language: str) -> list[str]:
    """The words of a text that say something, each as its stem without accents; numbers as they stand."""
    parts = (part for word in _WORD.findall(text.casefold()) for part in _parts(word))
    return [_stem(part, language) for part in parts if part and part not in _STOP[language]]


def _parts(word: str) -> list[str]:
    return [word] if any(letter.isdigit() for letter in word) else re.split(r"[.,'’-]", word)


@lru_cache(100_000)
def _stem(word: str, language: str) -> str:
    stem: str = _stemmer(language).stemWord(word)
    return "".join(letter for letter in unicodedata.normalize("NFKD", stem) if not unicodedata.combining(letter))


@cache
def _stemmer(language: str) -> Any:
    import snowballstemmer

    return snowballstemmer.stemmer(language)
