"""The values of a workspace's variables are on no page and in no answer, whoever asks."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import get_resolver, reverse

from aitask.api.middleware import URLS
from aitask.tests.test_headers import addresses
from tasks.models import Outgoing
from tasks.tests.api_client import Script
from tasks.tests.factories import make_event, make_run, make_user
from tasks.tests.people import People, browser_of
from workspaces import hosts
from workspaces.hosts import HostError
from workspaces.models import ApiToken, Workspace

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
PLANTED = "planted-7f3a9c"
ROLES = [
    "owner",
    "root",
    *(pytest.param(role, marks=pytest.mark.nightly) for role in ("member", "stranger", "viewer", "editor")),
]
"""Whoever has fewer rights sees fewer pages."""


@pytest.fixture
def people(monkeypatch: pytest.MonkeyPatch) -> People:
    """A workspace with a planted value, and rows of most kinds. No host answers."""

    def away(*_: Any, **__: Any) -> Any:
        raise HostError("The host is away.", code="unreachable")

    monkeypatch.setattr(hosts, "get", away)
    made = People()
    Workspace.objects.update(environment={"API_KEY": PLANTED, "B": f"{PLANTED} too"})
    run = make_run(task=made.task, state="running", run_dir="/run", cli_session="s")
    make_event(run, text="hello")
    Outgoing.objects.create(run=run, kind="message", payload={"command": "message", "text": "x"})
    ApiToken.issue(user_id=made.owner.pk, name="token")
    assert made.workspace.host
    return made


def client_of(people: People, role: str) -> Client:
    if role in ("owner", "member", "stranger"):
        people.allow("owner", "use_terminal")
        return people.browser(role)
    if role == "root":
        return browser_of(make_user("root", is_superuser=True, is_staff=True))
    staff = make_user(role, is_staff=True)
    rights = Permission.objects.all()
    staff.user_permissions.set(rights.filter(codename__startswith="view_") if role == "viewer" else rights)
    return browser_of(User.objects.get(pk=staff.pk))


def admin_pages() -> list[str]:
    """The pages of every model in the admin, for every row."""
    found = []
    for model, site in admin.site._registry.items():
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        found += [reverse(f"{name}_changelist"), reverse(f"{name}_add")]
        for pk in model._default_manager.values_list("pk", flat=True):
            found += [reverse(f"{name}_{page}", args=[pk]) for page in ("change", "history", "delete")]
        assert site
    return found


@pytest.mark.parametrize("role", ROLES)
def test_no_page_of_any_role_shows_the_value(people: People, role: str) -> None:
    client = client_of(people, role)
    pk = str(people.task.pk)
    pages = {path.replace("/1", f"/{pk}") for path, _ in addresses(get_resolver(URLS).url_patterns)}
    pages |= {path for path, _ in addresses(get_resolver(URLS).url_patterns)} | set(admin_pages())
    for path in sorted(pages - {"/logout"}):
        # What a script draws anew shows no more than the whole page: the owner's is enough.
        for headers in ({}, {"HX-Request": "true"}) if role == "owner" else ({},):
            assert PLANTED.encode() not in client.get(path, headers=headers).getvalue(), path


@pytest.mark.parametrize("role", ["viewer", "editor", "root"])
def test_the_admin_shows_the_names(people: People, role: str) -> None:
    page = client_of(people, role).get(f"/admin/workspaces/workspace/{people.workspace.pk}/change/")
    assert page.status_code == 200
    assert "API_KEY" in page.content.decode()


@pytest.mark.parametrize("path", ["", "/edit"])
def test_a_refused_form_does_not_show_what_was_set_before(people: People, path: str) -> None:
    answer = people.browser("owner").post(f"/workspaces/{people.workspace.pk}{path or '/edit'}", {"name": ""})
    assert PLANTED not in answer.content.decode()


def test_a_refused_form_of_the_admin_does_not_either(people: People) -> None:
    path = f"/admin/workspaces/workspace/{people.workspace.pk}/change/"
    answer = client_of(people, "root").post(path, {"environment": '{"API_KEY": null, "C": 1}'})
    assert answer.status_code == 200
    assert PLANTED not in answer.content.decode()


def test_no_answer_of_the_api_has_it(people: People) -> None:
    owner = Script(people.owner)
    pk = people.workspace.pk
    for answer in (
        owner.get("/workspaces"),
        owner.patch(f"/workspaces/{pk}", {"environment": {"API_KEY": None, "B": None}}),
        owner.patch(f"/workspaces/{pk}", {"environment": {"API_KEY": None, "1": "x"}}),
    ):
        assert PLANTED not in str(answer)
    assert Workspace.objects.get(pk=pk).environment["API_KEY"] == PLANTED
