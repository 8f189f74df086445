"""Filters of the board that a user saves under a name."""

from __future__ import annotations

import pytest
from django.test import Client

from tasks.models import SavedFilter
from tasks.tests.people import People, browser_of, send

pytestmark = pytest.mark.django_db
PATH = "/board/filters"


@pytest.fixture
def client(people: People) -> Client:
    return people.browser("owner")


def names(page: object) -> str:
    return str(page.content.decode())  # type: ignore[attr-defined]


def test_a_filter_is_saved_and_leads_to_the_board(client: Client, people: People) -> None:
    answer = send(client, PATH, name=" Paint ", workspace=people.workspace.pk, q="shelves & doors")
    address = f"/?workspace={people.workspace.pk}&amp;q=shelves+%26+doors"
    assert f'href="{address}"' in answer.content.decode()
    assert ">Paint<" in client.get("/").content.decode()


def test_the_same_name_replaces_the_filter_of_this_user_alone(client: Client, people: People) -> None:
    send(client, PATH, name="Mine", q="one")
    send(people.browser("member"), PATH, name="Mine", q="theirs")
    send(client, PATH, name="Mine", q="two")
    assert sorted(SavedFilter.objects.values_list("user__username", "search")) == [
        ("member", "theirs"),
        ("owner", "two"),
    ]


@pytest.mark.parametrize(
    "values",
    [{"name": "", "q": "x"}, {"name": "All"}, {"name": "Long", "q": "x" * 201}, {"name": "\n", "q": "x"}],
)
def test_what_is_no_filter_is_refused(client: Client, values: dict[str, str]) -> None:
    assert send(client, PATH, **values).status_code == 409
    assert not SavedFilter.objects.exists()


def test_the_workspace_of_others_can_not_be_named(people: People) -> None:
    answer = send(people.browser("stranger"), PATH, name="Theirs", workspace=people.workspace.pk)
    assert answer.status_code == 404


def test_a_filter_of_a_workspace_that_is_out_of_reach_is_not_shown(people: People) -> None:
    member = people.browser("member")
    send(member, PATH, name="Ours", workspace=people.workspace.pk)
    people.workspace.members.remove(people.member)
    assert "Ours" not in member.get("/").content.decode()


def test_a_filter_is_deleted_by_its_user_alone(client: Client, people: People) -> None:
    send(client, PATH, name="Mine", q="one")
    saved = SavedFilter.objects.get()
    send(people.browser("member"), f"{PATH}/{saved.pk}/delete")
    assert SavedFilter.objects.exists()
    assert "None yet" in send(client, f"{PATH}/{saved.pk}/delete").content.decode()


def test_filters_need_a_login() -> None:
    assert send(browser_of(None), PATH, name="x", q="y").status_code == 302
