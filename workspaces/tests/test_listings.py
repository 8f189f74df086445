"""Lists for completion: answered from memory, renewed in the background."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest

from aitask.tests.lab.wait import wait_for
from workspaces import listings
from workspaces.file_index import FileIndex
from workspaces.hosts import HostError
from workspaces.listings import Listing, Listings, Source

FILES = Source("files", "local", "/repo", "")


def fetched(*names: str) -> Listing:
    return Listing(files=FileIndex(names), fingerprint="1")


def known_after(lists: Listings, fetch: listings.Fetch) -> Listing:
    lists.get(FILES, fetch)
    wait_for(lambda: not lists._busy)
    return lists.get(FILES, fetch)


def test_the_first_answer_does_not_wait_for_the_host() -> None:
    go = threading.Event()

    def slow(_known: Listing) -> Listing:
        go.wait(20)
        return fetched("a")

    lists = Listings()
    assert lists.get(FILES, slow).pending
    assert lists.get(FILES, slow).pending
    go.set()
    wait_for(lambda: not lists.get(FILES, slow).pending)
    assert lists.get(FILES, slow).files.best("", 5) == ["a"]


def test_a_host_is_asked_once_at_a_time_and_not_at_every_key() -> None:
    calls = []

    def fetch(known: Listing) -> Listing:
        calls.append(known.fingerprint)
        return fetched("a")

    lists = Listings()
    for _ in range(50):
        lists.get(FILES, fetch)
    wait_for(lambda: not lists._busy)
    for _ in range(50):
        lists.get(FILES, fetch)
    assert calls == [""]


def test_an_old_list_is_shown_while_it_is_renewed(monkeypatch: pytest.MonkeyPatch) -> None:
    lists = Listings()
    known_after(lists, lambda _: fetched("old"))
    monkeypatch.setitem(listings.FRESH_SECONDS, "files", 0.0)
    lists._known[FILES] = replace(lists._known[FILES], seconds=0.0)
    asked = []

    def renew(known: Listing) -> Listing:
        asked.append(known.fingerprint)
        return fetched("new")

    assert lists.get(FILES, renew).files.best("", 5) == ["old"]
    wait_for(lambda: lists.get(FILES, renew).files.best("", 5) == ["new"])
    assert asked[0] == "1"


def test_a_lost_host_leaves_the_list_and_says_so() -> None:
    lists = Listings()
    known_after(lists, lambda _: fetched("a"))
    lists._known[FILES] = replace(lists._known[FILES], fetched=time.monotonic() - 1000)

    def lost(_known: Listing) -> Listing:
        raise HostError("The host is away.", code="link_lost")

    found = known_after(lists, lost)
    assert found.error == "The host is away."
    assert found.files.best("", 5) == ["a"]


def test_a_fault_is_not_repeated_at_every_key() -> None:
    def broken(_known: Listing) -> Listing:
        raise RuntimeError("boom")

    found = known_after(Listings(), broken)
    assert not found.pending
    assert "could not be read" in found.error


def test_old_lists_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listings, "MAX_NAMES", 5)
    lists = Listings()
    for number in range(4):
        lists.get(FILES._replace(path=str(number)), lambda _: fetched("a", "b"))
        wait_for(lambda: not lists._busy)
    assert len(lists._known) == 2
