"""What staff may see and change of workspaces in the admin."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from tasks.tests.factories import make_user, make_workspace
from workspaces.admin import WorkspaceAdminForm

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff() -> Client:
    client = Client()
    client.force_login(make_user(is_staff=True, is_superuser=True))
    return client


def test_values_of_variables_are_not_shown(staff: Client) -> None:
    workspace = make_workspace(environment={"API_KEY": "very-secret"})
    page = staff.get(reverse("admin:workspaces_workspace_change", args=[workspace.pk])).content.decode()
    assert "API_KEY" in page
    assert "very-secret" not in page


def test_null_keeps_the_present_value() -> None:
    workspace = make_workspace(environment={"KEPT": "old", "CHANGED": "old", "GONE": "old"})
    form = WorkspaceAdminForm(instance=workspace)
    form.cleaned_data = {"environment": {"KEPT": None, "CHANGED": "new"}}
    assert form.clean_environment() == {"KEPT": "old", "CHANGED": "new"}


@pytest.mark.parametrize("model", ["workspace", "host", "backendhold", "apitoken", "modellist"])
def test_every_list_opens(staff: Client, model: str) -> None:
    make_workspace().host  # noqa: B018  (makes the row)
    assert staff.get(reverse(f"admin:workspaces_{model}_changelist")).status_code == 200
