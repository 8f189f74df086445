"""Two people edit one task: nobody overwrites what he has not seen, and nothing is lost."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from aitask.lib.errors import Refused
from tasks import editing
from tasks.models import Task
from tasks.tests.people import HTMX, People, send

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(people: People) -> Client:
    return people.browser("member")


def opened(client: Client, people: People) -> dict[str, str]:
    """The form as somebody sees it now."""
    html = client.get(f"/tasks/{people.task.pk}/edit", headers=HTMX).content.decode()
    task = Task.objects.get(pk=people.task.pk)
    fields = {name: getattr(task, name) for name in editing.EDITABLE}
    return {**fields, "shown": shown_in(html)}


def shown_in(html: str) -> str:
    found = re.search(r'name="shown" value="([^"]*)"', html)
    assert found
    return unescape(found[1])


def save(client: Client, people: People, form: dict[str, str]) -> Any:
    return send(client, f"/tasks/{people.task.pk}/edit", **form)


def saved(people: People) -> Task:
    return Task.objects.get(pk=people.task.pk)


def test_the_second_of_two_editors_gets_both_texts(client: Client, people: People) -> None:
    first, second = opened(client, people), opened(client, people)
    assert (
        save(client, people, {**first, "title": "Theirs", "prompt": "Their <b>prompt</b>."}).status_code
        == 204
    )
    answer: HttpResponse = save(client, people, {**second, "title": "Mine", "prompt": "My prompt."})
    assert answer.status_code == 422
    html = answer.content.decode()
    assert "was changed while you edited it" in html
    for text in ("Theirs", "Their &lt;b&gt;prompt&lt;/b&gt;.", 'value="Mine"', "My prompt."):
        assert text in html
    assert (saved(people).title, saved(people).prompt) == ("Theirs", "Their <b>prompt</b>.")

    again = {**second, "title": "Mine", "prompt": "My prompt.", "shown": shown_in(html)}
    assert save(client, people, again).status_code == 204
    assert (saved(people).title, saved(people).prompt) == ("Mine", "My prompt.")


def test_a_third_change_between_is_shown_again(client: Client, people: People) -> None:
    form = opened(client, people)
    Task.objects.update(title="Theirs")
    answer = save(client, people, {**form, "title": "Mine"})
    Task.objects.update(title="A third's")
    answer = save(client, people, {**form, "title": "Mine", "shown": shown_in(answer.content.decode())})
    assert answer.status_code == 422
    assert "A third&#x27;s" in answer.content.decode()


def test_changes_of_different_fields_are_both_kept(client: Client, people: People) -> None:
    first, second = opened(client, people), opened(client, people)
    assert save(client, people, {**first, "title": "A better title"}).status_code == 204
    assert save(client, people, {**second, "prompt": "A better\r\nprompt."}).status_code == 204
    assert (saved(people).title, saved(people).prompt) == ("A better title", "A better\r\nprompt.")


def test_the_same_change_of_both_is_no_conflict(client: Client, people: People) -> None:
    form = opened(client, people)
    Task.objects.update(title="The same")
    assert save(client, people, {**form, "title": "The same "}).status_code == 204


def test_line_breaks_that_a_browser_sends_are_no_change(client: Client, people: People) -> None:
    Task.objects.update(prompt="One\ntwo\n")
    form = opened(client, people)
    Task.objects.update(prompt="One\ntwo\nthree\n")
    assert save(client, people, {**form, "prompt": "One\r\ntwo\r\n", "title": "Other"}).status_code == 204
    assert saved(people).prompt == "One\ntwo\nthree\n"


def test_an_invalid_form_does_not_hide_what_somebody_else_saved(client: Client, people: People) -> None:
    form = opened(client, people)
    Task.objects.update(prompt="Theirs.")
    answer = save(client, people, {**form, "title": " ", "prompt": "Mine."})
    assert answer.status_code == 422
    again = {**form, "prompt": "Mine.", "shown": shown_in(answer.content.decode())}
    assert save(client, people, again).status_code == 422
    assert saved(people).prompt == "Theirs."


@pytest.mark.parametrize("shown", ["", "{", "[]", '"x"', '{"title": 5, "prompt": null}', "null"])
def test_what_a_form_has_not_sent_as_shown_is_not_compared(
    client: Client, people: People, shown: str
) -> None:
    form = {**opened(client, people), "title": "Anything", "shown": shown}
    assert save(client, people, form).status_code == 204
    assert saved(people).title == "Anything"


def test_of_two_at_the_same_moment_one_is_refused(people: People) -> None:
    one, other = (Task.objects.get(pk=people.task.pk) for _ in range(2))
    editing.update_task(one, title="One")
    with pytest.raises(Refused, match="same moment"):
        editing.update_task(other, title="Other")
    editing.update_task(other, prompt="Another field.")
    assert (saved(people).title, saved(people).prompt) == ("One", "Another field.")
