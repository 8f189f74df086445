"""The admin asks the CLIs again; only the workers do the asking."""

from __future__ import annotations

import os

import pytest
from django.test import Client
from django_q.models import OrmQ
from pytest_django import DjangoCaptureOnCommitCallbacks

from tasks.tests.factories import make_user
from workspaces.models import Host
from workspaces.tests.catalog.conftest import keep, model

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    browser = Client()
    browser.force_login(make_user(is_staff=True, is_superuser=True))
    return browser


@pytest.mark.skipif("REDIS_URL" in os.environ, reason="counts rows of the database's own queue")
@pytest.mark.parametrize(("page", "action"), [("modellist", "refresh_lists"), ("host", "refresh_models")])
def test_its_actions_send_for_a_worker(
    client: Client,
    page: str,
    action: str,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    host = Host.objects.create(key="local", kind="local")
    row = keep(host, "claude_code", model("opus"))
    chosen = {"action": action, "_selected_action": [row.pk if page == "modellist" else host.pk]}
    with django_capture_on_commit_callbacks(execute=True):
        response = client.post(f"/admin/workspaces/{page}/", chosen, follow=True)
    assert b"Refreshing the model lists" in response.content
    assert OrmQ.objects.count() == 1


def test_the_lists_can_be_looked_at(client: Client) -> None:
    host = Host.objects.create(key="local", kind="local")
    keep(host, "claude_code", model("opus"), cli_version="2.1.197")
    assert b"2.1.197" in client.get("/admin/workspaces/modellist/").content
