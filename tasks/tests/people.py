"""Owner, member, stranger and nobody, each with a browser."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import Permission, User
from django.http import HttpResponse
from django.test import Client

from tasks.tests.factories import make_task, make_user, make_workspace


def browser_of(user: User | None) -> Client:
    """A browser that is logged in, and that sends the CSRF token only when a test does."""
    client = Client(enforce_csrf_checks=False)
    if user:
        client.force_login(user)
    return client


@dataclass
class People:
    """One workspace with one task, and those who may or may not see it."""

    owner: User = field(default_factory=lambda: make_user("owner"))
    member: User = field(default_factory=lambda: make_user("member"))
    stranger: User = field(default_factory=lambda: make_user("stranger"))

    def __post_init__(self) -> None:
        self.allow("owner", "add_workspace")
        self.workspace = make_workspace(name="web shop", owner=self.owner)
        self.workspace.members.add(self.member)
        self.task = make_task(workspace=self.workspace, title="Sort the shelves", prompt="By colour.")

    def allow(self, name: str, codename: str) -> None:
        """Give one of them a permission."""
        right = Permission.objects.get(codename=codename)
        getattr(self, name).user_permissions.add(right)
        setattr(self, name, User.objects.get(username=name))  # permissions are cached on the instance

    def browser(self, name: str) -> Client:
        return browser_of(None if name == "nobody" else getattr(self, name))


HTMX = {"HX-Request": "true"}


def send(client: Client, path: str, **data: Any) -> HttpResponse:
    """A POST as htmx sends it."""
    response = client.post(path, data, headers=HTMX)
    assert isinstance(response, HttpResponse)
    return response
