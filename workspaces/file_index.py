"""Finds files by some characters of their names, quickly among 100,000."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, islice

MAX_HITS = 1500
"Lines that are looked at for one way of matching, before the best are chosen."
SCATTERED_SECONDS = 0.02
"Time for names that have the characters in order, but not side by side."
CHUNK = 256


class FileIndex:
    """Names of files, in an order that does not change."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = list(names)
        self._lower = [name.lower() for name in self._names]
        self._text = "\n" + "\n".join(self._lower) + "\n"
        self._starts = [1, *(end + 1 for end in accumulate(len(name) + 1 for name in self._lower))]
        self._has = list(map(_letters, self._lower))
        self._shallow = sorted(range(len(self._names)), key=self._depth)

    def __len__(self) -> int:
        return len(self._names)

    def best(self, query: str, limit: int) -> list[str]:
        """Return the names that fit best: by the start of the file's name, by a part, by single letters."""
        words = query.lower().lstrip("/").removeprefix("./")
        if "\n" in words:
            return []
        if not words:
            return [self._names[number] for number in self._shallow[:limit]]
        found = self._ranked(self._starting(words), words)
        if len(found) < limit:
            found += self._ranked(set(islice(self._hits(words), MAX_HITS)).difference(found), words)
        if not found:
            found = self._ranked(self._scattered(words), words)
        return [self._names[number] for number in found[:limit]]

    def _ranked(self, numbers: Iterable[int], words: str) -> list[int]:
        return sorted(set(islice(numbers, MAX_HITS)), key=lambda number: self._rank(number, words))

    def _depth(self, number: int) -> tuple[bool, int, str]:
        name = self._lower[number]
        return name.startswith("."), name.count("/"), name

    def _rank(self, number: int, words: str) -> tuple[bool, int, str]:
        """Sort names with the words in the file's own name first, then short ones."""
        name = self._lower[number]
        return words not in name.rpartition("/")[2], len(name), name

    def _starting(self, words: str) -> Iterator[int]:
        """Yield files whose own name or whose path starts with the words."""
        for before in ("/", "\n"):
            yield from self._hits(before + words)

    def _hits(self, text: str) -> Iterator[int]:
        at = self._text.find(text)
        while at >= 0:
            number = bisect_right(self._starts, at + (text[0] == "\n")) - 1
            yield number
            at = self._text.find(text, self._starts[number] + len(self._lower[number]))

    def _scattered(self, words: str) -> Iterator[int]:
        """Yield names that have all letters in this order, as far as the time suffices."""
        until = time.monotonic() + SCATTERED_SECONDS
        wanted = _letters(words)
        for count, number in enumerate(n for n, has in enumerate(self._has) if has & wanted == wanted):
            if count % CHUNK == 0 and time.monotonic() > until:
                return
            if _in_order(words, self._lower[number]):
                yield number


def _letters(text: str) -> int:
    """Return a set of the letters as bits. Different letters may share a bit."""
    bits = 0
    for letter in set(text):
        bits |= 1 << ord(letter) % 61
    return bits


def _in_order(letters: str, name: str) -> bool:
    at = 0
    for letter in letters:
        at = name.find(letter, at) + 1
        if not at:
            return False
    return True
