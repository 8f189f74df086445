"""Who guesses passwords is slowed down; nobody else is."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from tasks.tests.factories import make_user

pytestmark = pytest.mark.django_db
PASSWORD = "right horse, right staple"


@pytest.fixture
def ada() -> str:
    user = make_user()
    user.set_password(PASSWORD)
    user.save()
    return str(user.get_username())


def attempt(name: str, password: str) -> Any:
    return Client().post("/login", {"username": name, "password": password})


def guess_often(name: str) -> None:
    for number in range(settings.AXES_FAILURE_LIMIT):
        attempt(name, f"guess {number}")


def test_after_many_wrong_passwords_the_right_one_does_not_help_for_a_while(ada: str) -> None:
    guess_often(ada)
    answer = attempt(ada, PASSWORD)
    assert answer.status_code == 429
    assert "Too many attempts" in answer.content.decode()


def test_another_name_can_still_log_in(ada: str) -> None:
    guess_often("nobody")
    assert attempt(ada, PASSWORD).status_code == 302


def test_a_few_slips_are_forgotten_with_the_right_password(ada: str) -> None:
    for _ in range(3):
        for slip in range(settings.AXES_FAILURE_LIMIT - 1):
            assert attempt(ada, f"slip {slip}").status_code == 200
        assert attempt(ada, PASSWORD).status_code == 302


def test_the_admins_own_login_is_guarded_too(ada: str) -> None:
    guess_often(ada)
    answer = Client().post("/admin/login/", {"username": ada, "password": PASSWORD})
    assert answer.status_code == 429
