"""The words of texts and of queries. Both databases get the same ones, so that they find the same.

A word is a run of letters and digits, folded: without case and accents. An underscore, a point or a slash
separates words, so that `rate_limit.py` is three. Scripts without spaces between words are cut into pairs of
neighbouring characters, so that any part of them is found. `rateLimit` is one word, and its parts are words
after the end of the text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from aitask.lib.errors import Refused
from aitask.lib.text import storable

MOST_TEXT = 16_000
"Characters of a text that are indexed."
LONGEST_WORD = 64
MOST_WORDS, MOST_CHARACTERS = 12, 200
"Of a query."
SHORTEST_PREFIX = 3
"Characters from which on a word of a query stands for all words that begin with it."
UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
)
"Thai, Lao, Burmese, Khmer, Japanese, Chinese, Korean."
WORD = re.compile(r"[^\W_]+")
PIECE = re.compile(f"[{UNSPACED}]+|[^{UNSPACED}]+")
IS_UNSPACED = re.compile(f"[{UNSPACED}]")
CAMEL = re.compile(r"[a-z0-9][A-Z]")
PART = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
QUOTED = re.compile(r'"([^"]*)"?|([^\s"]+)')


@dataclass(frozen=True)
class Phrase:
    """Words of a query that stand one after the other."""

    words: tuple[str, ...]
    is_prefix: bool
    "Whether the last word stands for all that begin with it."
    written: str


def words_of(text: str) -> list[str]:
    """Return the words of a text in their order, then parts of words."""
    text = text[:MOST_TEXT]
    words: list[str] = []
    parts: dict[str, None] = {}
    for piece in _pieces(fold(text)):
        if IS_UNSPACED.match(piece):
            words += _pairs(piece)
            parts[piece[-1]] = None
        else:
            words.append(piece[:LONGEST_WORD])
    if CAMEL.search(text):
        for word in WORD.findall(text):
            if CAMEL.search(word):
                parts |= dict.fromkeys(fold(part)[:LONGEST_WORD] for part in PART.findall(word)[1:])
    return [*words, *parts]


def phrases_of(query: str) -> list[Phrase]:
    """Return what a query asks for: all of these phrases. Raises Refused for one that can't be answered."""
    if len(query) > MOST_CHARACTERS:
        reason = f"A search has at most {MOST_WORDS} words and {MOST_CHARACTERS} characters."
        raise Refused(reason, "Leave out some words.")
    found = [_phrase(quoted or word) for quoted, word in QUOTED.findall(storable(query))]
    phrases = [phrase for phrase in found if phrase.words]
    if len(phrases) > MOST_WORDS:
        reason = f"A search has at most {MOST_WORDS} words and {MOST_CHARACTERS} characters."
        raise Refused(reason, "Leave out some words.")
    if query.strip() and not phrases:
        raise Refused("There is no letter or digit to search for.", "Signs alone can't be found.")
    return phrases


def _phrase(written: str) -> Phrase:
    words: list[str] = []
    is_prefix = False
    for piece in _pieces(fold(written)):
        is_unspaced = bool(IS_UNSPACED.match(piece))
        is_prefix = len(piece) == 1 if is_unspaced else len(piece) >= SHORTEST_PREFIX
        words += (_pairs(piece) or [piece]) if is_unspaced else [piece[:LONGEST_WORD]]
    return Phrase(tuple(words), is_prefix, written)


def fold(text: str) -> str:
    """Return the text without case and accents."""
    if text.isascii():
        return text.lower()
    split = unicodedata.normalize("NFKD", text.casefold())
    kept = "".join(char for char in split if not unicodedata.combining(char))
    return unicodedata.normalize("NFC", kept).casefold()


def _pieces(folded: str) -> Iterator[str]:
    """Yield the words, each cut where it changes between scripts with and without spaces."""
    for word in WORD.findall(folded):
        if word.isascii():
            yield word
        else:
            yield from PIECE.findall(word)


def _pairs(piece: str) -> list[str]:
    return [piece[at : at + 2] for at in range(len(piece) - 1)]


def marks(text: str, phrases: Iterable[Phrase]) -> list[tuple[int, int]]:
    """Return where the phrases stand in a text, as places that do not overlap."""
    plain, origin = _folded_with_places(text)
    found = sorted(
        (origin[match.start()], origin[match.end() - 1] + 1)
        for phrase in phrases
        if (pattern := _pattern(phrase))
        for match in pattern.finditer(plain)
    )
    apart: list[tuple[int, int]] = []
    for start, end in found:
        if not apart or start >= apart[-1][1]:
            apart.append((start, end))
    return apart


def _pattern(phrase: Phrase) -> re.Pattern[str] | None:
    words = WORD.findall(fold(phrase.written))
    whole = "" if phrase.is_prefix or IS_UNSPACED.search(phrase.written) else r"(?![^\W_])"
    return re.compile(r"[\W_]{1,8}".join(map(re.escape, words)) + whole) if words else None


def _folded_with_places(text: str) -> tuple[str, Sequence[int]]:
    """Return the text folded, and for each of its characters the place of the one that it was made of."""
    if text.isascii():
        return text.lower(), range(len(text))
    folded, origin = "", []
    for place, char in enumerate(text):
        made = fold(char)
        folded += made
        origin += [place] * len(made)
    return folded, origin
