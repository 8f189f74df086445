"""What staff may see and change of workspaces in the admin."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from tasks.models import PushKey, Run, Task
from tasks.tests.factories import make_run, make_user, make_workspace
from workspaces.admin import WorkspaceAdminForm
from workspaces.models import Host, Workspace

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


OWN = [
    model
    for app in ("tasks", "terminal", "usage", "workspaces")
    for model in apps.get_app_config(app).get_models()
]


@pytest.mark.parametrize("model", OWN, ids=lambda model: model.__name__)
def test_every_model_has_a_list_that_opens_and_searches(staff: Client, model: type[Model]) -> None:
    make_run().task.workspace.host  # noqa: B018  (makes the row)
    address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    assert staff.get(address).status_code == 200
    assert staff.get(address, {"q": "paint"}).status_code == 200


@pytest.mark.parametrize("model", [Task, Run, Host, Workspace])
def test_a_row_opens(staff: Client, model: type[Model]) -> None:
    make_run().task.workspace.host  # noqa: B018  (makes the row)
    row = model._default_manager.latest("pk")
    address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[row.pk])
    assert staff.get(address).status_code == 200


def test_keys_that_push_are_not_shown(staff: Client) -> None:
    row = PushKey.objects.create(private="very-secret")
    page = staff.get(reverse("admin:tasks_pushkey_change", args=[row.pk])).content.decode()
    assert "very-secret" not in page
