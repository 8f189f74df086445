"""A base branch is looked up where it is entered: in forms and in the API."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.test import Client

from aitask.tests.lab.repos import git
from tasks import editing
from tasks.planning.services import InvalidPlan, create_planned
from tasks.tests.api_client import Script
from tasks.tests.factories import make_task, make_user
from tasks.tests.people import HTMX, browser_of
from tasks.tests.review.branches import small_repo, workspace_of
from workspaces.models import Host, Workspace

pytestmark = pytest.mark.django_db
MISSING = "The base branch releas does not exist. Did you mean release?"


@pytest.fixture
def workspace(home: Path, tmp_path: Path) -> Workspace:
    """A repository with the branches main, release and one of a task."""
    repo = small_repo(tmp_path / "shop").repo
    for name in ("release", "aitask/7-x"):
        git(repo, "branch", name, "main")
    return workspace_of(repo)


@pytest.fixture
def client(workspace: Workspace) -> Client:
    return browser_of(workspace.owner)


def test_a_missing_one_is_422_with_near_names(workspace: Workspace) -> None:
    script = Script(workspace.owner)
    answer = script.post("/tasks", {"workspace": workspace.pk, "title": "x", "base_branch": "releas"})
    assert (script.status, MISSING in answer["detail"]) == (422, True)
    assert not workspace.tasks.exists()
    made = script.post("/tasks", {"workspace": workspace.pk, "title": "x", "base_branch": "release"})
    assert made["base_branch"] == "release"
    script.patch(f"/tasks/{made['id']}", {"base_branch": "releas"})
    assert script.status == 422
    assert script.get(f"/tasks/{made['id']}")["base_branch"] == "release"


def test_a_branch_made_outside_a_tag_and_a_commit_are_taken(workspace: Workspace) -> None:
    repo, script = Path(workspace.repo_path), Script(workspace.owner)
    git(repo, "branch", "made/outside", "main")
    git(repo, "tag", "v1", "main")
    for name in ("made/outside", "v1", git(repo, "rev-parse", "main")):
        script.post("/tasks", {"workspace": workspace.pk, "title": "x", "base_branch": name})
        assert script.status == 201


def test_a_form_says_it_at_the_field(workspace: Workspace, client: Client) -> None:
    body = {"text": "New", "workspace": workspace.pk, "backend": "codex", "base_branch": "releas"}
    answer = client.post("/tasks/new", body, headers=HTMX)
    assert answer.status_code == 422
    field = answer.content.decode().partition("Start from branch")[2].partition("</div>")[0]
    assert MISSING in field
    assert 'value="releas"' in field


def test_one_of_several_tasks_is_named_by_its_index(workspace: Workspace) -> None:
    items = [{"title": "a"}, {"title": "b", "base_branch": "releas"}]
    with pytest.raises(InvalidPlan, match="1: The base branch releas does not exist"):
        create_planned(workspace=workspace, user=workspace.owner, items=items)
    assert not workspace.tasks.exists()


def test_one_that_has_gone_since_does_not_stop_other_changes(workspace: Workspace) -> None:
    task = make_task(workspace=workspace, base_branch="gone")
    assert editing.update_task(task, title="y").title == "y"


def test_without_an_answer_of_the_host_it_is_taken(workspace: Workspace) -> None:
    Host.objects.filter(pk=workspace.host.pk).update(link=Host.Link.DOWN)
    script = Script(workspace.owner)
    script.post("/tasks", {"workspace": workspace.pk, "title": "x", "base_branch": "releas"})
    assert script.status == 201


def test_branches_are_offered_without_those_of_tasks(workspace: Workspace, client: Client) -> None:
    repo = Path(workspace.repo_path)
    git(repo, "update-ref", "refs/remotes/origin/theirs", "main")
    git(repo, "symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/theirs")
    answer = client.get(f"/workspaces/{workspace.pk}/graph/branches").json()
    assert {"main", "release", "theirs"} <= set(answer["branches"])
    assert not {"HEAD", "aitask/7-x"} & set(answer["branches"])


def test_strangers_see_no_branches(workspace: Workspace) -> None:
    assert browser_of(make_user()).get(f"/workspaces/{workspace.pk}/graph/branches").status_code == 404
