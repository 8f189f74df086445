"""Finding files by some characters of their names."""

from __future__ import annotations

import itertools
import time

import pytest

from workspaces.file_index import FileIndex

NAMES = ["README.md", "src/main.py", "src/maintain/notes.txt", "tests/test_main.py", "docs/Main Page.md"]


@pytest.mark.parametrize(
    ("query", "best"),
    [
        ("main", "src/main.py"),
        ("MAIN P", "docs/Main Page.md"),
        ("src/mai", "src/main.py"),
        ("./README", "README.md"),
        ("tmpy", "tests/test_main.py"),
        ("page.md", "docs/Main Page.md"),
    ],
)
def test_the_best_file_is_first(query: str, best: str) -> None:
    assert FileIndex(NAMES).best(query, 3)[0] == best


def test_every_file_is_found_once() -> None:
    assert sorted(FileIndex(NAMES).best("m", 10)) == sorted(NAMES)


def test_without_a_word_the_top_files_come_first() -> None:
    assert FileIndex([*NAMES, ".gitignore"]).best("", 2) == ["README.md", "docs/Main Page.md"]


def test_nothing_is_found_in_nothing() -> None:
    assert FileIndex([]).best("a", 5) == []
    assert FileIndex([]).best("", 5) == []
    assert FileIndex(NAMES).best("zebra", 5) == FileIndex(NAMES).best("a\nb", 5) == []


@pytest.mark.alone
def test_100_000_files_are_searched_at_each_key() -> None:
    words = ("alpha", "index", "service", "view", "model")
    folders = itertools.product(words, range(10), words, range(20), words, range(4))
    index = FileIndex([f"{a}{b}/{c}{d}/{e}{f}.py" for a, b, c, d, e, f in folders])
    assert len(index) == 100_000
    for query in ("", "m", "model3", "svcmdl", "zzz", "e", "alpha1/view2/mod"):
        times = []
        for _ in range(5):
            started = time.monotonic()
            assert len(index.best(query, 20)) <= 20
            times.append(time.monotonic() - started)
        assert min(times) < 0.05, query
