"""Who guesses passwords is slowed down, by name and by address; the right password always works."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from aitask import guessing
from aitask.lib import clients
from tasks.tests.factories import make_user

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse"


@pytest.fixture
def ada() -> User:
    return make_user("ada")


@pytest.fixture(autouse=True)
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The delays, which nobody waits for."""
    found: list[float] = []
    monkeypatch.setattr(guessing, "sleep", found.append)
    return found


@pytest.fixture
def proxied(settings: Settings) -> None:
    settings.TRUSTED_PROXIES = 1


def attempt(name: str, password: str, path: str = "/login", **headers: str) -> Any:
    return Client().post(path, {"username": name, "password": password}, headers=headers)


def guess(times: int, *names: str, address: str = "203.0.113.9") -> None:
    for number in range(times):
        attempt(names[number % len(names)], f"guess {number}", **{"X-Forwarded-For": address})


def test_a_few_slips_cost_nothing(ada: User, slept: list[float]) -> None:
    guess(guessing.FREE_PER_NAME - 1, "ada")
    assert attempt("ada", PASSWORD).status_code == 302
    assert slept == []


@pytest.mark.parametrize("path", ["/login", "/admin/login/"])
def test_the_right_password_works_after_any_number_of_guesses_but_later(
    ada: User, proxied: None, slept: list[float], path: str
) -> None:
    User.objects.update(is_staff=True)
    guess(40, "ada")
    slept.clear()
    assert attempt("ada", PASSWORD, path, **{"X-Forwarded-For": "198.51.100.7"}).status_code == 302
    assert slept == [guessing.LONGEST_SECONDS]


def test_guesses_with_one_name_take_longer_and_longer(ada: User, slept: list[float]) -> None:
    guess(14, "ada")
    assert slept == [0.5, 1.0, 1.5, 2.0]


def test_one_address_that_tries_many_names_is_slowed_down(proxied: None, slept: list[float]) -> None:
    guess(32, *[f"user{number}" for number in range(32)])
    assert slept == [0.5, 1.0]


def test_another_address_is_not(ada: User, proxied: None, slept: list[float]) -> None:
    guess(40, *[f"user{number}" for number in range(40)])
    slept.clear()
    assert attempt("ada", PASSWORD, **{"X-Forwarded-For": "198.51.100.7"}).status_code == 302
    assert slept == []


def test_all_addresses_of_an_ipv6_network_are_one(proxied: None, slept: list[float]) -> None:
    for number in range(31):
        attempt(f"user{number}", "x", **{"X-Forwarded-For": f"2001:db8:1:2::{number:x}"})
    assert slept == [0.5]


def test_the_page_for_tokens_is_guarded_too(ada: User, slept: list[float]) -> None:
    client = Client()
    client.force_login(ada)
    for number in range(12):
        client.post("/account/tokens", {"name": "x", "days": "7", "password": f"guess {number}"})
    assert slept == [0.5, 1.0]


def test_more_than_a_few_do_not_wait(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their threads would be held."""
    AccessAttempt.objects.create(username="ada", ip_address="203.0.113.9", failures_since_start=50)
    lane = guessing._lanes.setdefault("name ada", guessing.Lane())
    lane.waiting = guessing.MOST_WAITING
    answer = attempt("ada", PASSWORD)
    guessing._lanes.clear()
    assert answer.status_code == 429
    assert "your password still works" in answer.content.decode()
    assert attempt("ada", PASSWORD).status_code == 302


def test_attempts_of_a_lane_pass_one_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    inside, most = 0, 0
    gate = threading.Barrier(3)

    def work() -> None:
        nonlocal inside, most
        gate.wait(5)
        with guessing._turn("name x", 0.01):
            inside += 1
            most = max(most, inside)
            inside -= 1

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert most == 1
    assert guessing._lanes == {}


class TestAddresses:
    @pytest.mark.parametrize(
        ("proxies", "header", "expected"),
        [
            (0, "203.0.113.9", "192.0.2.1"),
            (1, "203.0.113.9", "203.0.113.9"),
            (1, "10.0.0.1, 203.0.113.9", "203.0.113.9"),
            (2, "1.1.1.1, 203.0.113.9, 10.0.0.2", "203.0.113.9"),
            (2, "203.0.113.9", "192.0.2.1"),
            (1, "", "192.0.2.1"),
            (1, "unknown", "192.0.2.1"),
            (1, "203.0.113.9:1234", "203.0.113.9"),
            (1, "[2001:db8::1]:1234", "2001:db8::1"),
            (1, "::ffff:203.0.113.9", "203.0.113.9"),
            (1, "203.0.113.9\x00", "192.0.2.1"),
            (1, "9" * 5000, "192.0.2.1"),
        ],
    )
    def test_only_what_our_proxies_appended_is_believed(
        self, settings: Settings, proxies: int, header: str, expected: str
    ) -> None:
        settings.TRUSTED_PROXIES = proxies
        assert clients.client_address("192.0.2.1", header) == expected

    def test_a_socket_has_the_same_address_as_a_page(self, proxied: None) -> None:
        scope = {"client": ["192.0.2.1", 1], "headers": [(b"x-forwarded-for", b"203.0.113.9")]}
        assert clients.of_scope(scope) == "203.0.113.9"


@pytest.fixture(autouse=True)
def no_lanes() -> Iterator[None]:
    yield
    assert guessing._lanes == {}
