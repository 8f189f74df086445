"""GET /api/models."""

from __future__ import annotations

import statistics
import time
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from tasks.tests.api_client import Script
from tasks.tests.factories import make_user, make_workspace
from workspaces.models import Host
from workspaces.models.model_list import digest_of
from workspaces.tests.catalog.conftest import keep, model

pytestmark = pytest.mark.django_db
PINNED = {"backend", "host", "models", "fetched_at", "stale", "error", "cli_version"}
OF_A_MODEL = {"id", "name", "description", "is_default", "reasoning_efforts", "default_reasoning_effort"}


@pytest.fixture
def script() -> Script:
    return Script(make_user())


@pytest.fixture(autouse=True)
def lists() -> None:
    here = Host.objects.get_or_create(key="local", defaults={"kind": "local"})[0]
    there = Host.objects.create(key="ssh:cloud", kind="ssh", alias="cloud")
    keep(here, "claude_code", model("opus", "low", "max", default=True), cli_version="2.1")
    keep(here, "codex", stale=True, present=False, fetched_at=None, error="codex is not installed.")
    keep(there, "codex", model("gpt", "ultra"))
    keep(there, "codex", model("gpt-of-mine"), environment=digest_of({"CODEX_HOME": "/mine"}))


def brief(answer: Any) -> list[tuple[str, str, list[str]]]:
    return [(each["host"], each["backend"], [m["id"] for m in each["models"]]) for each in answer]


HERE = [("local", "claude_code", ["opus"]), ("local", "codex", [])]


def test_a_fresh_installation_lists_what_this_machine_offers(script: Script) -> None:
    answer = script.get("/models")
    assert brief(answer) == HERE
    assert set(answer[0]) >= PINNED
    assert set(answer[0]["models"][0]) >= OF_A_MODEL
    assert answer[0]["models"][0]["reasoning_efforts"][1] == {"id": "max", "description": ""}
    assert (answer[0]["stale"], answer[0]["error"], answer[0]["cli_version"]) == (False, None, "2.1")
    assert (answer[1]["stale"], answer[1]["error"]) == (True, "codex is not installed.")


def test_each_workspace_has_the_lists_of_its_host(script: Script) -> None:
    there = make_workspace(owner=script.user, kind="ssh", ssh_host="cloud")
    here = make_workspace(owner=script.user)
    assert brief(script.get(f"/models?workspace={there.pk}")) == [("cloud", "codex", ["gpt"])]
    assert brief(script.get(f"/models?workspace={here.pk}")) == HERE
    assert brief(script.get("/models")) == [*HERE, ("cloud", "codex", ["gpt"])]


def test_a_workspace_with_variables_has_lists_of_its_own(script: Script) -> None:
    mine = make_workspace(
        owner=script.user, kind="ssh", ssh_host="cloud", environment={"CODEX_HOME": "/mine"}
    )
    answer = script.get(f"/models?workspace={mine.pk}")
    assert brief(answer) == [("cloud", "codex", ["gpt-of-mine"])]
    assert answer[0]["workspaces"] == [mine.pk]


def test_one_cli_can_be_asked_for(script: Script) -> None:
    assert brief(script.get("/models?backend=codex")) == [("local", "codex", [])]
    script.get("/models?backend=gemini")
    assert script.status == 422


def test_a_workspace_of_others_is_404(script: Script) -> None:
    script.get(f"/models?workspace={make_workspace().pk}")
    assert script.status == 404


def test_without_a_token_it_is_401(script: Script) -> None:
    script.client.defaults.pop("HTTP_AUTHORIZATION", None)
    assert script.client.get("/api/models", headers={"Authorization": "Bearer no"}).status_code == 401


def test_it_answers_from_the_rows_in_few_queries_and_under_20_ms_of_work(
    script: Script, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(20):
        host = Host.objects.create(key=f"ssh:h{number}", kind="ssh", alias=f"h{number}")
        for backend in ("claude_code", "codex"):
            keep(host, backend, *(model(f"m{n}", "low", "medium", "high") for n in range(12)))
        make_workspace(owner=script.user, kind="ssh", ssh_host=f"h{number}")
    with django_assert_max_num_queries(6):
        assert len(script.get("/models")) == 42
    one = make_workspace(owner=script.user)
    took = []
    for _ in range(15):
        began = time.thread_time()
        script.get(f"/models?workspace={one.pk}")
        took.append(time.thread_time() - began)
    assert statistics.median(took) < 0.02
