"""The tasks of the sample project, and what the scripted model does for each."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

CLAUDE, CODEX = "claude_code", "codex"
CLAUDE_MODEL, CODEX_MODEL = "sonnet", "gpt-6-sol"
FOREVER = "@delay 3000"


@dataclass(frozen=True)
class Sample:
    """A task, and the model's script for its prompt."""

    title: str
    prompt: str
    script: tuple[str, ...] = ()
    backend: str = CLAUDE
    minutes: int = 0
    """Minutes since the start of its run."""


def escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t")


def write(path: str, content: str) -> str:
    return f"@write {path} {escaped(content.removesuffix(chr(10)))}"


def edit(path: str, old: str, new: str) -> tuple[str, str]:
    """Return the directives of an edit: Claude Code edits only files that it has read."""
    return f"@read {path}", f"@edit {path} {shlex.quote(escaped(old))} {shlex.quote(escaped(new))}"


def say(text: str) -> str:
    return f"@text {escaped(text)}"


SLOW_QUERIES = '''\
"""Every query goes through here; the slow ones are logged with their plan."""

import logging
import sqlite3
import time

log = logging.getLogger(__name__)

SLOW_SECONDS = 0.2


def connect(path):
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def query(connection, sql, *values):
    start = time.perf_counter()
    rows = connection.execute(sql, values).fetchall()
    seconds = time.perf_counter() - start
    if seconds > SLOW_SECONDS:
        log.warning("%.0f ms: %s\\n%s", seconds * 1000, sql, plan(connection, sql, *values))
    return rows


def plan(connection, sql, *values):
    """How SQLite would answer the query, one step per line."""
    steps = connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)
    return "\\n".join(detail for *_, detail in steps)


def one(connection, sql, *values):
    rows = query(connection, sql, *values)
    return rows[0] if rows else None
'''
SLOW_QUERIES_TEST = """\
import unittest
from unittest import mock

from shop import database


class SlowQueryTest(unittest.TestCase):
    def setUp(self):
        self.connection = database.connect(":memory:")

    def test_a_slow_query_is_logged_with_its_plan(self):
        with mock.patch.object(database, "SLOW_SECONDS", 0), self.assertLogs(database.log) as logs:
            database.query(self.connection, "SELECT name FROM sqlite_master")
        self.assertIn("SCAN sqlite_master", logs.output[0])

    def test_a_quick_query_is_not_logged(self):
        with self.assertNoLogs(database.log):
            database.query(self.connection, "SELECT 1")
"""
POSTAL = '''\
"""Postal codes, by country."""

import re

PATTERNS = {"AT": r"\\d{4}", "DE": r"\\d{5}", "GB": r"[A-Z]{1,2}\\d[A-Z\\d]? ?\\d[A-Z]{2}"}


def is_valid(code, country):
    pattern = PATTERNS.get(country)
    return pattern is None or re.fullmatch(pattern, code.strip().upper()) is not None
'''
FUZZY = '''\
"""Find articles by the words of their names, also with a typing error."""

from difflib import get_close_matches


def matches(name, words):
    known = name.lower().split()
    return all(get_close_matches(word, known, n=1, cutoff=0.8) for word in words.lower().split())


def search(articles, words):
    return [article for article in articles if matches(article.name, words)]
'''

DONE = (
    Sample(
        "Fix the off-by-one in pagination",
        "The first article of a list is missing on page 1. Find out why, and fix it.",
        (
            *edit("shop/pages.py", "number * SIZE + 1", "number * SIZE"),
            say("Fixed: every page began one article too late."),
        ),
        minutes=190,
    ),
    Sample(
        "Pin the base image by digest",
        "Pin the Docker base image to a patch release, so that builds can be repeated.",
        (
            "@edit Dockerfile 'FROM python:3.12-slim' 'FROM python:3.12.11-slim-bookworm'",
            say("The image is pinned to 3.12.11."),
        ),
        backend=CODEX,
        minutes=170,
    ),
)
REVIEWED = Sample(
    "Log slow queries with their plan",
    "Log each query that takes longer than 200 ms, together with its query plan. Add tests.",
    (
        "@think Every query goes through shop/database.py, so one place is enough.",
        say("All queries go through `shop/database.py`, so I measure the time there."),
        "@read shop/database.py",
        write("shop/database.py", SLOW_QUERIES),
        write("tests/test_database.py", SLOW_QUERIES_TEST),
        say("Done. Queries over **200 ms** are logged with their plan, and two tests cover it."),
    ),
    minutes=48,
)
MERGED = (
    Sample(
        "Validate postal codes by country",
        "Check the postal code of an address against the country's format at checkout.",
        (write("shop/postal.py", POSTAL), say("Added `shop/postal.py` with the formats of AT, DE and GB.")),
        minutes=95,
    ),
    Sample(
        "Show prices in the customer's currency",
        "Show each price in the currency of the customer's country instead of always in EUR.",
        (
            "@read shop/prices.py",
            edit(
                "shop/prices.py",
                "def rounded(amount):\n    return Decimal(amount).quantize(CENT, ROUND_HALF_UP)",
                "def rounded(amount, digits=2):\n"
                "    return Decimal(amount).quantize(Decimal(10) ** -digits, ROUND_HALF_UP)",
            )[1],
            edit(
                "shop/prices.py",
                'def shown(amount):\n    return f"{rounded(amount)} EUR"',
                'def shown(amount, currency="EUR"):\n    return f"{rounded(amount)} {currency}"',
            )[1],
            say("Prices take a currency; EUR stays the default."),
        ),
        minutes=88,
    ),
    Sample(
        "Round amounts half to even",
        "Round half to even everywhere, as the accountants do.",
        (
            *edit(
                "shop/prices.py",
                "def rounded(amount):\n    return Decimal(amount).quantize(CENT, ROUND_HALF_UP)",
                "def rounded(amount):\n    return Decimal(amount).quantize(CENT, ROUND_HALF_EVEN)",
            ),
            edit("shop/prices.py", "import ROUND_HALF_UP,", "import ROUND_HALF_EVEN,")[1],
            say("Amounts are rounded half to even."),
        ),
        minutes=80,
    ),
    Sample(
        "Remove the old coupon codes",
        "We have no coupons any more. Remove the code.",
        (
            *edit(
                "shop/cart.py",
                "\n    def coupon(self, percent):\n        return self.total() * (100 - percent) / 100\n",
                "",
            ),
            say("Removed `Cart.coupon`."),
        ),
        minutes=75,
    ),
)
RUNNING = (
    Sample(
        "Make the search tolerate typing errors",
        "Customers type “coffe mug” and find nothing. The search should find articles in spite of one typing "
        "error per word.",
        (
            say(
                "The search compares words exactly. I'll match them with `difflib` from the standard library."
            ),
            "@read shop/search.py",
            write("shop/search.py", FUZZY),
            FOREVER,
        ),
        minutes=12,
    ),
    Sample(
        "Upgrade the payment client to version 4",
        "Version 3 of the payment client gets no more updates after January. Upgrade it to version 4, and "
        "keep the tests green.",
        (
            "@think Version 4 may have renamed methods. First I look at what we call.",
            say("I'll look at how the client is used, then upgrade it and run the tests:"),
            "@read requirements.txt",
            "@read shop/payment.py",
            say(
                "Only `shop/payment.py` uses the client, with two calls:\n\n"
                "1. `charge` takes the card first in version 4\n2. `refund` stays as it is\n\n"
                "Version 4 is not installed yet, so I install it and run the tests against it."
            ),
            "@bash pip install 'payments>=4,<5' && make test",
        ),
        minutes=7,
    ),
    Sample(
        "Send order mails in the customer's language",
        "Send the order confirmation in the language of the customer.",
        (
            say("Mails can take the language from the account or from the order."),
            "@ask Which language does a guest's mail have? | The shop's | The browser's at checkout",
        ),
        minutes=4,
    ),
)
BILLING_DONE = Sample(
    "Number invoices without gaps",
    "Invoice numbers have gaps when an order is cancelled. Number the invoices when they are sent.",
    ("@limit 140",),
    backend=CODEX,
    minutes=65,
)
BILLING_RUNNING = Sample(
    "Move invoices to the new tax table",
    "From January on, France has a reduced rate for books. Move the invoices to rates by article group.",
    (
        say("I add the article groups to the table first."),
        *edit(
            "billing/taxes.py",
            'RATES = {"AT": 20, "DE": 19, "FR": 20}',
            'RATES = {("FR", "books"): 5, ("AT", ""): 20, ("DE", ""): 19, ("FR", ""): 20}',
        ),
        FOREVER,
    ),
    minutes=3,
)
QUEUED = (
    Sample("Translate the checkout into German", "Translate all texts of the checkout into German."),
    Sample("Export the orders of a month as CSV", "Add a command that writes the orders of a month as CSV."),
)
BACKLOG = (
    Sample("Explain the retry policy in the README", "Explain in the README when a payment is tried again."),
    Sample("Replace the hand-written argument parser", "Use argparse in all scripts instead.", backend=CODEX),
    Sample("Add a dark theme to the order page", "Follow the system's colour scheme on the order page."),
)
ALL = (*DONE, REVIEWED, *MERGED, *RUNNING, BILLING_DONE, BILLING_RUNNING, *QUEUED, *BACKLOG)
SCRIPTS = {sample.prompt: "\n".join(sample.script) for sample in ALL if sample.script}
