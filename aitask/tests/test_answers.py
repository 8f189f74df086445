"""What a service refuses becomes an answer: for pages, for scripts of a page, and on forms."""

from __future__ import annotations

import json

import pytest
from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.test import RequestFactory
from django_htmx.middleware import HtmxDetails

from aitask.lib.answers import answer, json_answer, succeeds, text_answer
from aitask.lib.errors import Refused
from workspaces.hosts import HostError

AWAY = HostError("cloud can't be reached.", "Try later.", code="timeout", retryable=True)
BUSY = Refused("The task is running.", "Wait for its end.")
WRONG = ValidationError(["One thing.", "Another."])


def raises(error: Exception) -> None:
    raise error


def from_htmx() -> HttpRequest:
    request = RequestFactory().post("/", headers={"HX-Request": "true"})
    request.htmx = HtmxDetails(request)  # type: ignore[attr-defined]
    return request


@pytest.mark.parametrize(("error", "status"), [(AWAY, 503), (BUSY, 409), (WRONG, 409)])
def test_scripts_learn_from_the_status_whether_the_host_is_away(error: Exception, status: int) -> None:
    def verb() -> dict[str, str]:
        raise error

    response = json_answer(verb)
    assert response.status_code == status
    assert set(json.loads(response.content)) == {"error", "hint"}


def test_a_page_shows_the_reason_and_the_hint() -> None:
    response = answer(from_htmx(), lambda: raises(BUSY), "Done.", to="/here")
    toast = json.loads(response["HX-Trigger"])["toast"]
    assert response.status_code == 409
    assert (toast["text"], toast["hint"]) == (BUSY.reason, BUSY.hint)


def test_invalid_input_is_answered_in_one_text() -> None:
    response = answer(from_htmx(), lambda: raises(WRONG), to="/here")
    assert json.loads(response["HX-Trigger"])["toast"]["text"] == "One thing. Another."


def test_after_success_the_page_goes_where_the_result_is() -> None:
    response = answer(from_htmx(), lambda: 7, to="/here", go=lambda number: f"/trains/{number}")
    assert (response.status_code, response["HX-Redirect"]) == (204, "/trains/7")


def test_the_text_of_a_part_that_fails_has_the_hint() -> None:
    assert text_answer(AWAY).content.decode() == "cloud can't be reached. Try later."


def test_a_form_shows_why_it_could_not_be_carried_out() -> None:
    form = forms.Form({})
    assert form.is_valid()
    assert not succeeds(form, lambda: raises(BUSY))
    assert form.non_field_errors() == [str(BUSY)]
