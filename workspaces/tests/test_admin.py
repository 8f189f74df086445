"""What staff may see and change of workspaces in the admin."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import Model
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from tasks.models import (
    Attendance,
    MergeTrain,
    PreviewGrant,
    PromptTemplate,
    PushKey,
    PushSubscription,
    Run,
    SavedFilter,
    SeenRun,
    Task,
    Verdict,
    ViewedFile,
)
from tasks.tests.factories import make_run, make_user, make_workspace
from usage import ledger
from usage.models import Budget, Series, UsageByModel
from workspaces.admin import WorkspaceAdminForm
from workspaces.models import ApiToken, Host, Workspace
from workspaces.tests.catalog.conftest import keep
from workspaces.tests.catalog.conftest import model as offer_of

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


FIGURES = (
    "UsageByModel",
    "Series",
    "LimitReading",
    "Verdict",
    "MergeTrain",
    "MergeStep",
    "Run",
    "Event",
    "Radar",
)


@pytest.mark.parametrize("model", OWN, ids=lambda model: model.__name__)
def test_delete_selected_is_not_offered_for_figures_and_records(staff: Client, model: type[Model]) -> None:
    make_run().task.workspace.host  # noqa: B018  (makes the row)
    site = admin.site.get_model_admin(model)
    request = RequestFactory().get("/")
    request.user = make_user(is_staff=True, is_superuser=True)
    offered = "delete_selected" in site.get_actions(request)
    disposable = (
        ApiToken,
        PushSubscription,
        ViewedFile,
        Attendance,
        SeenRun,
        Budget,
        PromptTemplate,
        SavedFilter,
        PreviewGrant,
    )
    assert offered == (model in disposable)


@pytest.mark.parametrize("model", [Run, Verdict, MergeTrain, UsageByModel, Series])
def test_a_posted_delete_of_a_figure_deletes_nothing(staff: Client, model: type[Model]) -> None:
    run = make_run()
    ledger.record(run)
    Verdict.objects.create(task=run.task, kind="merged")
    MergeTrain.objects.create(workspace=run.task.workspace, branch="main")
    before = model._default_manager.count()
    address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    pks = list(model._default_manager.values_list("pk", flat=True))
    staff.post(address, {"action": "delete_selected", "_selected_action": pks, "post": "yes"})
    assert before == model._default_manager.count() > 0


def test_deleting_a_workspace_in_the_admin_asks_for_its_name_too(staff: Client) -> None:
    workspace = make_workspace()
    address = reverse("admin:workspaces_workspace_delete", args=[workspace.pk])
    for response in (staff.get(address), staff.post(address, {"post": "yes"})):
        assert response.headers["Location"] == f"/workspaces/{workspace.pk}/delete"
    assert Workspace.objects.exists()


def test_a_user_with_tasks_is_not_deleted_with_them(staff: Client) -> None:
    owner = make_run().task.workspace.owner
    staff.post(reverse("admin:auth_user_delete", args=[owner.pk]), {"post": "yes"})
    assert User.objects.filter(pk=owner.pk).exists()


def test_a_user_who_only_looked_around_can_be_deleted(staff: Client) -> None:
    guest, run = make_user(), make_run()
    SeenRun.objects.create(user=guest, run=run)
    Attendance.objects.create(user=guest, active_at=timezone.now())
    ApiToken.issue(user_id=guest.pk, name="token")
    staff.post(reverse("admin:auth_user_delete", args=[guest.pk]), {"post": "yes"})
    assert not User.objects.filter(pk=guest.pk).exists()


def test_the_index_has_what_people_edit_on_top_and_no_inner_table(staff: Client) -> None:
    html = staff.get(reverse("admin:index")).content.decode()
    names = ("Workspaces", "Hosts", "Users", "API tokens", "Budgets", "Tasks")
    places = [html.index(f">{name}</a>") for name in names]
    assert places == sorted(places)
    for name in ("Overlap checks", "Price series", "Viewed files", "Push keys", "Installations", "Events"):
        assert f">{name}</a>" not in html
    assert ">Price series</a>" in staff.get(reverse("admin:app_list", args=["usage"])).content.decode()


def test_models_and_efforts_are_chosen_from_the_lists_of_the_host(staff: Client) -> None:
    task = make_run().task
    Task.objects.update(model="typed-once")
    keep(task.workspace.host, "claude_code", offer_of("opus"), offer_of("haiku"))
    for address in (
        reverse("admin:tasks_task_change", args=[task.pk]),
        reverse("admin:workspaces_workspace_change", args=[task.workspace.pk]),
    ):
        html = staff.get(address).content.decode()
        assert '<option value="opus">opus</option>' in html
        assert "CLI default" in html
    assert (
        "typed-once (not in the lists)"
        in staff.get(reverse("admin:tasks_task_change", args=[task.pk])).content.decode()
    )


def test_a_model_of_another_cli_is_refused(staff: Client) -> None:
    task = make_run().task
    keep(task.workspace.host, "claude_code", offer_of("opus"))
    keep(task.workspace.host, "codex", offer_of("gpt"))
    entry = {"title": task.title, "prompt": "x", "backend": "claude_code", "model": "gpt"}
    html = staff.post(reverse("admin:tasks_task_change", args=[task.pk]), entry).content.decode()
    assert "gpt is a model of Codex" in html


@pytest.mark.parametrize("model", OWN, ids=lambda model: model.__name__)
def test_no_help_text_has_markup_that_the_admin_would_swallow(model: type[Model]) -> None:
    texts = [str(getattr(field, "help_text", "")) for field in model._meta.get_fields()]
    assert [text for text in texts if "<" in text or "`" in text] == []


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
