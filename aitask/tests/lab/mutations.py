"""Mutates recorded lines, with hypothesis: what a broken disk, a confused program or an attacker writes."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

MUTATIONS = settings(derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
"""The same examples each time."""


def nested(depth: int, *, objects: bool = False) -> bytes:
    return b'{"a":' * depth + b"1" + b"}" * depth if objects else b"[" * depth + b"]" * depth


NESTED = re.compile(rb'"<nested (\d+)>"')
DEEP = (nested(90), nested(600), nested(100_000), nested(3000, objects=True))
BYTES = (b"\0" * 40, b"\n", b"\r", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\\ud800", b"\\u0000")
SIGNS = (b"", b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"-", b"\\u", b"/*", b"'")
NUMBERS = (b"null", b"NaN", b"-Infinity", b"1e999", b"9" * 50, b"9" * 5000, b"0x1", b"01")
FIELDS = (b'"seq":1,', b'"seq":"7",', b'"kind":"request",', b'"kind":5,')
PIECES = (BYTES, SIGNS, SIGNS, NUMBERS, FIELDS, DEEP)
VALUES: tuple[tuple[Any, ...], ...] = (
    (None, True, False, 0, -1, 0.5, 1e308, 1e-320),
    (2**31 - 1, 2**31, 2**53 + 1, 2**63, 10**40, -(10**300)),
    (float("nan"), float("inf"), float("-inf")),
    ("", "\0", "\ud800", "a/b", "..", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"),
    ("x" * 300, "y" * 20_000, "\u202e", "1", "NaN", "\r\n", "🎉" * 60),
    ([], {}, [[]], {"": ""}, [None] * 300, {"\0": {"\ud800": [1]}}),
    ("<nested 60>", "<nested 70>", "<nested 120>", "<nested 600>"),
)


def mutated(recorded: Callable[[], Sequence[bytes]]) -> st.SearchStrategy[bytes]:
    """Lines (at times several, or half of one) that were made from recorded ones."""
    return st.integers(0, 2**48).map(lambda seed: mutation(Random(seed), recorded()))


def mutation(random: Random, lines: Sequence[bytes]) -> bytes:
    line = random.choice(lines)
    if random.random() < 0.6:
        line = with_other_values(random, line)
    for _ in range(random.randrange(3)):
        start, size = random.randint(0, len(line)), random.choice([0, 0, 1, 5, 1000])
        line = line[:start] + random.choice(random.choice(PIECES)) + line[start + size :]
    return line


def with_other_values(random: Random, line: bytes) -> bytes:
    """The line with one to three of its values, at any depth, replaced, left out or doubled."""
    whole = json.loads(line)
    for _ in range(random.randint(1, 3)):
        places = places_in(whole)
        if not places:
            break
        parent, key = random.choice(places)
        how = random.random()
        if how < 0.15:
            parent.pop(key)
        elif how < 0.25:
            parent[key] = copy.deepcopy(parent)
        else:
            parent[key] = copy.deepcopy(random.choice(random.choice(VALUES)))
    return NESTED.sub(lambda found: nested(int(found[1])), json.dumps(whole).encode())


def places_in(value: Any) -> list[tuple[Any, Any]]:
    """Every place of a value, as its container and its key."""
    found: list[tuple[Any, Any]] = []
    todo = [value]
    while todo:
        each = todo.pop()
        keys: Sequence[Any] = list(each) if isinstance(each, dict) else range(len(each))
        found += [(each, key) for key in keys]
        todo += [each[key] for key in keys if isinstance(each[key], dict | list)]
    return found
