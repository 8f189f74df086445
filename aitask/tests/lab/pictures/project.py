"""The sample project: a small shop with tests, before the tasks change it."""

from __future__ import annotations

PAGES = '''\
"""Long lists, page by page."""

SIZE = 20


def page(items, number):
    """The items of page `number`, counted from 0."""
    first = number * SIZE + 1
    return items[first : first + SIZE]
'''
PRICES = '''\
"""Amounts as customers see them."""

from decimal import ROUND_HALF_UP, Decimal

CENT = Decimal("0.01")


def rounded(amount):
    return Decimal(amount).quantize(CENT, ROUND_HALF_UP)


def shown(amount):
    return f"{rounded(amount)} EUR"
'''
CART = '''\
"""The cart of one customer."""

from decimal import Decimal


class Cart:
    def __init__(self):
        self.lines = []

    def add(self, sku, price, count=1):
        self.lines.append((sku, Decimal(price), count))

    def total(self):
        return sum(price * count for _, price, count in self.lines)

    def coupon(self, percent):
        return self.total() * (100 - percent) / 100
'''
SEARCH = '''\
"""Find articles by the words of their names."""


def matches(name, words):
    name = name.lower()
    return all(word in name for word in words.lower().split())


def search(articles, words):
    return [article for article in articles if matches(article.name, words)]
'''
DATABASE = '''\
"""Every query goes through here."""

import sqlite3


def connect(path):
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def query(connection, sql, *values):
    return connection.execute(sql, values).fetchall()


def one(connection, sql, *values):
    rows = query(connection, sql, *values)
    return rows[0] if rows else None
'''
TESTS = """\
import unittest

from shop.cart import Cart


class CartTest(unittest.TestCase):
    def test_total(self):
        cart = Cart()
        cart.add("mug", "7.50", 2)
        self.assertEqual(cart.total(), 15)

    def test_coupon(self):
        cart = Cart()
        cart.add("mug", "10.00")
        self.assertEqual(cart.coupon(10), 9)
"""
SEARCH_TESTS = """\
import unittest

from shop.search import matches


class SearchTest(unittest.TestCase):
    def test_all_words_must_match(self):
        self.assertTrue(matches("Blue coffee mug", "mug coffee"))
        self.assertFalse(matches("Blue coffee mug", "red mug"))

    def test_a_large_shop(self):
        names = [f"Mug {number}" for number in range(500_000)]
        self.assertEqual(sum(matches(name, "mug 499999") for name in names), 1)
"""
TAXES = '''\
"""Tax rates by country."""

RATES = {"AT": 20, "DE": 19, "FR": 20}


def gross(net, country):
    return net * (100 + RATES[country]) / 100
'''

MAKEFILE = """\
SHELL = bash
.SHELLFLAGS = -o pipefail -c

test:
\t@python3 -m unittest discover -q 2>&1 | sed "s|$(CURDIR)/||"
"""
PAYMENT = '''\
"""Takes payments by card."""

from payments import Client

client = Client(timeout=10)


def pay(order):
    return client.charge(order.number, order.total, order.card)


def refund(order):
    return client.refund(order.number)
'''

STOREFRONT = {
    "README.md": "# Storefront\n\nA small shop. `make test` runs the tests.\n",
    "Makefile": MAKEFILE,
    "requirements.txt": "payments==3.9.1\n",
    "shop/payment.py": PAYMENT,
    "Dockerfile": 'FROM python:3.12-slim\nCOPY . /srv\nCMD ["python3", "-m", "shop"]\n',
    "shop/__init__.py": "",
    "shop/pages.py": PAGES,
    "shop/prices.py": PRICES,
    "shop/cart.py": CART,
    "shop/search.py": SEARCH,
    "shop/database.py": DATABASE,
    "tests/__init__.py": "",
    "tests/test_cart.py": TESTS,
    "tests/test_search.py": SEARCH_TESTS,
}
BILLING = {
    "README.md": "# Billing\n\nInvoices, and the ledger that they are entered in.\n",
    "billing/taxes.py": TAXES,
}
