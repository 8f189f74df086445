"""Ten branches from Review to the base branch, as the board does it: accept all, merge what was accepted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from aitask.tests.lab.repos import git
from tasks.models import MergeTrain, Task, Verdict
from tasks.tests.people import HTMX, browser_of
from tasks.tests.review.branches import CHECK, make_tasks, small_repo, twenty, workspace_of
from tasks.tests.review.riding import ride
from workspaces.models import Workspace

pytestmark = pytest.mark.django_db


@pytest.fixture
def ten(home: Path, tmp_path: Path) -> tuple[Workspace, dict[str, Task]]:
    history = small_repo(tmp_path / "shop")
    workspace = workspace_of(history.repo, check_command=CHECK)
    return workspace, make_tasks(workspace, history, twenty(conflicts=0, failing=0, count=10))


def in_review(client: Client, verb: str) -> dict[str, Any]:
    response = client.post("/tasks/many", {"verb": verb, "column": "review"}, headers=HTMX)
    return dict(json.loads(response.content))


def test_all_are_accepted_and_merged_by_one_train(ten: tuple[Workspace, dict[str, Task]]) -> None:
    workspace, _ = ten
    client = browser_of(workspace.owner)
    assert in_review(client, "accept")["text"] == "Accepted 10 tasks."
    html = client.get("/board/columns").content.decode()
    assert "<b data-accepted>10</b>" in html
    merging = in_review(client, "merge")
    assert merging["text"] == "Merging 10 tasks."
    train = MergeTrain.objects.get()
    assert merging["link"] == {"href": f"/merge-trains/{train.pk}", "text": f"Merge train #{train.pk}"}
    ride(train)
    assert set(Task.objects.values_list("status", flat=True)) == {"done"}
    assert git(Path(workspace.repo_path), "log", "--merges", "--oneline", "main").count("\n") == 9


def test_accepting_all_can_be_taken_back(ten: tuple[Workspace, dict[str, Task]]) -> None:
    client = browser_of(ten[0].owner)
    accepted = in_review(client, "accept")
    (step,) = accepted["undo"]
    client.post("/tasks/many", {"verb": step["verb"], "task": step["tasks"]}, headers=HTMX)
    assert not Verdict.objects.exists()


def test_a_second_press_starts_no_second_train(ten: tuple[Workspace, dict[str, Task]]) -> None:
    client = browser_of(ten[0].owner)
    in_review(client, "accept")
    in_review(client, "merge")
    again = in_review(client, "merge")
    assert again["text"] == "Nothing was changed."
    assert "It is in a merge train already." in str(again["reasons"])
    assert MergeTrain.objects.count() == 1
