"""Helper processes: hostile text takes less than a second and holds nobody else."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from itertools import count

import pytest
from pygments.lexers import get_all_lexers

from aitask.lib.helper import pool as pools
from aitask.lib.helper.answers import Answers, key_of
from aitask.lib.helper.pool import HelperPool
from aitask.tests.installation import ROOT
from aitask.tests.lab import processes
from aitask.tests.lab.wait import wait_for

pytestmark = pytest.mark.slow

SCALA = '"' + "\\" * 60
"""Keeps Pygments 2.21.0 busy for longer than the universe has existed (pygments#3311)."""
SOON = 20
"Seconds, also on a busy machine; without a limit it takes for ever."
LANGUAGES = sorted({aliases[0] for _, aliases, _, _ in get_all_lexers() if aliases})
FILES = {aliases[0]: names[0] for _, aliases, names, _ in get_all_lexers() if aliases and names}


@pytest.fixture
def pool() -> Iterator[HelperPool]:
    started = HelperPool()
    started.ask("difference", "a", "a")
    yield started
    started.close()


def fence(code: str, language: str) -> str:
    return f"before\n\n```{language}\n{code}\n```\n\n**after**"


def test_the_three_operations_do_their_work(pool: HelperPool) -> None:
    assert pool.ask("markdown", "*a* <b>") == "<p><em>a</em> &lt;b&gt;</p>\n"
    assert pool.ask("coloured_lines", "x = 1\ny\n", "a.py")[0].startswith('<span class="h-n">x</span>')
    assert len(pool.ask("coloured_lines", "x = 1\n\ny", "a.py")) == 3
    assert pool.ask("coloured_lines", "x", "unknown.kind") is None
    assert pool.ask("difference", "a\nb", "a\n-- c") == [[" ", "a"], ["-", "b"], ["+", "-- c"]]


@pytest.mark.parametrize("language", ["scala", "smithy", "urbiscript", "tads3", "snobol"])
@pytest.mark.parametrize("quote", ['"', "'", '"""'])
def test_code_that_would_take_for_ever_is_shown_without_colours(
    pool: HelperPool, language: str, quote: str
) -> None:
    text = fence(quote + "\\" * 60, language)
    began = time.monotonic()
    html = pool.ask("markdown", text)
    assert time.monotonic() - began < SOON
    assert "<strong>after</strong>" in html
    assert "\\" * 60 in html


def test_what_took_too_long_is_not_tried_again(pool: HelperPool) -> None:
    first = pool.ask("markdown", fence(SCALA, "scala"))
    for helper in pool._all:
        os.kill(helper.process.pid, signal.SIGSTOP)
    assert pool.ask("markdown", fence(SCALA, "scala")) == first


def test_many_such_texts_on_a_page_do_not_add_up(pool: HelperPool) -> None:
    began = time.monotonic()
    for number in range(50):
        pool.ask("markdown", fence(f"{SCALA}{number}", "scala"))
        pool.ask("coloured_lines", f"{SCALA}{number}", "x.scala")
    assert time.monotonic() - began < SOON
    slowest = 0.0
    for number in range(20):
        one = time.monotonic()
        pool.ask("markdown", fence(f"{number}{SCALA}", "scala"))
        slowest = max(slowest, time.monotonic() - one)
    assert slowest < 1


def test_the_first_lines_of_a_file_keep_their_colours(pool: HelperPool) -> None:
    good = "".join(f"val x{number} = {number}\n" for number in range(3999))
    tries = count()

    def first_lines() -> list[str]:
        """On a busy machine the time may be over before the first line; another file is tried then."""
        pool._late.clear()
        return pool.ask("coloured_lines", f"{good}// {next(tries)}\n{SCALA}", "x.scala") or []

    lines = wait_for(first_lines, 60, "the first lines")
    assert len(lines) <= 4000
    assert 'class="h-k' in lines[0]


def test_the_other_threads_of_the_process_go_on(pool: HelperPool) -> None:
    ended = threading.Event()

    def ask() -> None:
        pool.ask("markdown", fence(SCALA, "scala"))
        ended.set()

    threading.Thread(target=ask).start()
    longest, last = 0.0, time.monotonic()
    while not ended.wait(0.002):
        longest, last = max(longest, time.monotonic() - last), time.monotonic()
    assert longest < 0.3


def hostile(language: str) -> list[str]:
    """Runs of signs that regular expressions of lexers have choices for; the same each time."""
    chance = random.Random(language)
    signs = [
        '"',
        "'",
        "`",
        "\\",
        "(",
        "[",
        "{",
        "<",
        "/*",
        "#",
        "$",
        "%",
        "-",
        "=",
        " ",
        "a",
        "0",
        "_",
        "@",
        "|",
    ]
    starts = ["", '"', "'", '"""', "'''", "/", "`", "<", "${", "@", "%(", "/*", "begin "]
    return [
        chance.choice(starts) + "".join(chance.choices(signs, k=2)) * 30 + chance.choice(starts)
        for _ in range(4)
    ] + [f"{chance.choice(starts)}{chance.choice(signs) * 3000}", '"' + "\\" * 80]


@pytest.mark.slow
@pytest.mark.long("a text for each of Pygments' languages, of which some take until the limit")
@pytest.mark.parametrize("part", range(4))
def test_no_language_holds_a_page_for_a_second(pool: HelperPool, part: int) -> None:
    assert len(LANGUAGES) > 400
    slow = {}
    for language in LANGUAGES[part::4]:
        seconds = seconds_for(pool, language)
        if seconds >= 1:  # it, or the machine: only a language is slow again and again
            seconds = min(seconds_for(pool, language) for _ in range(3))
        if seconds >= 1:
            slow[language] = seconds
    assert slow == {}


def seconds_for(pool: HelperPool, language: str) -> float:
    """How long a page waits for hostile texts in this language."""
    pool._late.clear()  # as if the last one had been long ago
    page = "\n".join(fence(code, language) for code in hostile(language))
    began = time.monotonic()
    html = pool.ask("markdown", page)
    for code in hostile(language)[:2] if language in FILES else []:
        pool.ask("coloured_lines", code, FILES[language].replace("*", "x"))
    assert html is None or "before" in html
    return time.monotonic() - began


@pytest.mark.parametrize(
    "text",
    [
        "[" * 50_000,
        "*a " * 30_000,
        "> " * 20_000,
        "`" * 30_001 + "a",
        "![" * 20_000,
        "|a" * 20_000 + "\n" + "|-" * 20_000,
        "https://x(" * 10_000,
        "- [x] https://x\n" * 1_000,
    ],
    ids=lambda text: text[:3],
)
def test_markdown_of_any_form_is_given_up_soon(pool: HelperPool, text: str) -> None:
    began = time.monotonic()
    pool.ask("markdown", text)
    assert time.monotonic() - began < SOON


def test_texts_that_are_slow_to_compare_are_given_up_soon(pool: HelperPool) -> None:
    old = "\n".join(str(number * 7 % 199) for number in range(60_000))
    new = "\n".join(str(number * 11 % 199) for number in range(60_000))
    began = time.monotonic()
    assert pool.ask("difference", old, new) is None
    assert time.monotonic() - began < SOON


def test_a_helper_that_was_killed_is_replaced(pool: HelperPool) -> None:
    pool._all[0].process.kill()
    pool._all[0].process.wait()
    assert pool.ask("markdown", "*a*") in (None, "<p><em>a</em></p>\n")
    wait_for(lambda: pool.ask("markdown", "*b*") == "<p><em>b</em></p>\n", 5, "a new helper")


def test_a_helper_that_stopped_is_given_up(pool: HelperPool) -> None:
    os.kill(pool._all[0].process.pid, signal.SIGSTOP)
    began = time.monotonic()
    assert pool.ask("markdown", "*a*") is None
    assert time.monotonic() - began < SOON
    wait_for(lambda: pool.ask("markdown", "*b*") == "<p><em>b</em></p>\n", 5, "a new helper")


def test_no_helper_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "PROGRAM", ("/no/such/program",))
    assert HelperPool().ask("markdown", "*a*") is None


OWNER = """
import sys, time
from aitask.lib import helper
print(helper.ask("difference", "a", "b"), helper._pool._all[0].process.pid, flush=True)
if sys.argv[1] == "busy":
    import threading
    text = "```scala\\n" + '"' + "\\\\" * 60 + "\\n```"
    threading.Thread(target=helper.ask, args=("markdown", text)).start()
time.sleep(60)
"""


@pytest.mark.parametrize("doing", ["idle", "busy"])
def test_a_helper_ends_with_its_owner_even_if_that_is_killed(doing: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, doing], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline().split()[-1])
        assert processes.is_alive(pid)
        owner.kill()
        processes.wait_until_gone([pid], 5)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_child_has_helpers_of_its_own() -> None:
    code = """
import os
from aitask.lib import helper
helper.ask("difference", "a", "b")
theirs = helper._pool._all[0].process.pid
if not (child := os.fork()):
    os._exit(0 if helper.ask("difference", "c", "d") and helper._pool._all[0].process.pid != theirs else 1)
assert os.waitpid(child, 0)[1] == 0
assert helper.ask("difference", "e", "f") and helper._pool._all[0].process.pid == theirs
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)


def test_the_oldest_answers_are_forgotten_first() -> None:
    answers = Answers(most=3000)
    for number in range(10):
        answers.put(key_of("x", (str(number),)), "y" * 500)
    kept = [number for number in range(10) if answers.get(key_of("x", (str(number),)))]
    assert kept == [6, 7, 8, 9]
    answers.put(b"k", "y", seconds=-1)
    assert answers.get(b"k") is None


def test_texts_are_told_apart_by_their_borders() -> None:
    assert key_of("x", ("ab", "c")) != key_of("x", ("a", "bc"))
    assert key_of("x", ("\ud800",)) != key_of("x", ("?",))
