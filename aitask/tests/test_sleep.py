"""A pause of this process that the clock did not share was a sleep of its machine."""

from __future__ import annotations

import time
from datetime import datetime

import pytest

from aitask.lib import sleep
from aitask.lib.hooks import Hook

Told = list[tuple[datetime, datetime]]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    found: Told = []
    hook: Hook[[datetime, datetime]] = Hook()
    hook.join(lambda began, ended: found.append((began, ended)))
    monkeypatch.setattr(sleep, "woke", hook)
    monkeypatch.setattr(sleep, "_last_tick", time.time())
    return found


def test_a_sleep_is_told_once_with_its_beginning_and_end(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sleep, "_last_tick", time.time() - 8 * 3600)
    sleep.tick()
    sleep.tick()
    ((began, ended),) = told
    assert abs((ended - began).total_seconds() - 8 * 3600) < 5


@pytest.mark.parametrize("seconds", [0, 5, -3600])
def test_a_busy_moment_or_a_clock_that_is_set_back_is_no_sleep(
    seconds: float, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sleep, "_last_tick", time.time() - seconds)
    sleep.tick()
    assert not told


def test_the_watch_goes_on_after_a_function_that_fails(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_began: datetime, _ended: datetime) -> None:
        raise OSError("no network yet")

    sleep.woke.join(fail)
    for _ in range(2):
        monkeypatch.setattr(sleep, "_last_tick", time.time() - 3600)
        sleep.tick()
    assert len(told) == 2


def test_until_it_was_told_a_sleep_is_unnoticed(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    sleep.watch()
    monkeypatch.setattr(sleep, "_last_tick", time.time() - 60)
    assert sleep.is_unnoticed()
    sleep.tick()
    assert not sleep.is_unnoticed()
