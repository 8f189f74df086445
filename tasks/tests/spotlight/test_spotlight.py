"""Spotlight from the page and the API: rows, jobs, refusals, and merge trains that need the checkout."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest
from django.test import Client

from aitask.lib.errors import Refused
from aitask.tests.lab.repos import commit_file, git
from tasks.models import Spotlight, Task
from tasks.spotlight import jobs
from tasks.tests.factories import make_task, make_user
from tasks.tests.people import browser_of
from tasks.tests.review.branches import make_tasks, small_repo, workspace_of
from tasks.tests.review.riding import merge, ride, states
from tasks.trains.services import undo_train
from workspaces import doctor
from workspaces.hostkit.git import places
from workspaces.hostkit.spotlight.journal import SpotlightRecords
from workspaces.models import Workspace
from workspaces.services import check_deletable

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]


class Shop(NamedTuple):
    repo: Path
    workspace: Workspace
    tasks: dict[str, Task]
    client: Client

    def post(self, path: str) -> int:
        """Send a verb and let the worker do what it asks for."""
        status = self.client.post(path).status_code
        for pk in Spotlight.objects.values_list("pk", flat=True):
            jobs.work(pk)
        return status

    def show(self, name: str) -> Spotlight:
        self.post(f"/api/tasks/{self.tasks[name].pk}/spotlight")
        return self.row()

    def row(self) -> Spotlight:
        return Spotlight.objects.get(workspace=self.workspace)

    def verb(self, name: str) -> Spotlight:
        self.post(f"/workspaces/{self.workspace.pk}/spotlight/{name}")
        return self.row()

    def board(self) -> str:
        return " ".join(self.client.get("/").content.decode().split())


@pytest.fixture
def shop(home: Path, tmp_path: Path) -> Shop:
    history = small_repo(tmp_path / "shop")
    user = make_user()
    workspace = workspace_of(history.repo, owner=user)
    files = [(name, {f"{name}.txt": f"{name}\n", "check.txt": f"good {name}\n"}) for name in "abc"]
    tasks = make_tasks(workspace, history, [*files, ("other", {"other.txt": "other\n"})])
    Task.objects.filter(title="Do other").update(status=Task.Status.BACKLOG)
    places.record(str(history.repo), str(history.repo / ".git"), str(history.repo / ".git"))
    return Shop(history.repo, workspace, tasks, browser_of(user))


def shown_in(repo: Path) -> list[str]:
    return [name for name in "abc" if (repo / f"{name}.txt").exists()]


def test_a_task_is_shown_and_the_checkout_put_back(shop: Shop) -> None:
    assert shop.show("a").state == "shown"
    assert shown_in(shop.repo) == ["a"]
    assert f'shows <a href="/tasks/{shop.tasks["a"].pk}">' in shop.board()
    assert shop.verb("back").state == "off"
    assert shown_in(shop.repo) == []
    assert git(shop.repo, "status", "--porcelain") == ""


def test_next_task_swaps_in_board_order_and_starts_again_after_the_last(shop: Shop) -> None:
    shop.show("a")
    seen = []
    for _ in range(3):
        shop.verb("next")
        seen += shown_in(shop.repo)
    assert seen == ["b", "c", "a"]


def test_refresh_shows_the_newest_commit(shop: Shop) -> None:
    first = shop.show("a").commit
    tree = git(shop.repo, "rev-parse", "b^{tree}")
    newer = git(shop.repo, "commit-tree", "-p", "a", "-m", "More", tree)
    git(shop.repo, "update-ref", "refs/heads/a", newer)
    assert shop.row().commit == first
    assert shop.verb("refresh").commit == newer


def test_a_refusal_names_the_file_and_what_to_do_and_can_be_closed(shop: Shop) -> None:
    (shop.repo / "a.txt").write_text("mine")
    row = shop.show("a")
    assert (row.state, row.task) == ("off", None)
    assert "a.txt" in row.reason
    assert "Move them" in row.hint
    assert row.reason in shop.board()
    assert shop.verb("back").reason == ""
    assert "Spotlight" not in shop.board().partition('<dialog id="keys"')[0]
    assert (shop.repo / "a.txt").read_text() == "mine"


def test_hidden_changes_of_the_user_are_told(shop: Shop) -> None:
    (shop.repo / "check.txt").write_text("mine\n")
    assert "check.txt" in shop.show("a").told
    shop.verb("back")
    assert (shop.repo / "check.txt").read_text() == "mine\n"


def test_a_job_that_was_lost_is_enqueued_again(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    queued: list[int] = []
    shop.client.post(f"/api/tasks/{shop.tasks['a'].pk}/spotlight")
    Spotlight.objects.update(lease_until=None, lease_owner="")
    monkeypatch.setattr(jobs, "enqueue_work", queued.append)
    jobs.repair()
    assert queued == [shop.row().pk]


def test_a_second_request_while_it_works_is_refused(shop: Shop) -> None:
    path = f"/api/tasks/{shop.tasks['a'].pk}/spotlight"
    assert shop.client.post(path).status_code == 200
    assert shop.client.post(path).status_code == 409


def test_a_task_without_a_branch_can_not_be_shown(shop: Shop) -> None:
    task = make_task(workspace=shop.workspace)
    assert shop.client.post(f"/api/tasks/{task.pk}/spotlight").status_code == 409
    assert "Show in the checkout" not in shop.client.get(f"/tasks/{task.pk}").content.decode()
    page = shop.client.get(f"/tasks/{shop.tasks['a'].pk}").content.decode()
    assert "Show in the checkout" in page


def test_only_who_decides_what_runs_may_use_it(shop: Shop) -> None:
    member, stranger = make_user("member"), make_user("stranger")
    shop.workspace.members.add(member)
    path = f"/tasks/{shop.tasks['a'].pk}/spotlight"
    assert browser_of(member).post(f"/api{path}").status_code == 403
    for verb in ("next", "refresh", "back"):
        address = f"/workspaces/{shop.workspace.pk}/spotlight/{verb}"
        assert browser_of(stranger).post(address).status_code == 404
        assert browser_of(None).post(address).status_code == 302
    assert browser_of(stranger).post(path).status_code == 404
    assert browser_of(stranger).get(f"/workspaces/{shop.workspace.pk}/spotlight").status_code == 404
    assert not Spotlight.objects.exists()


def test_the_workspace_tells_what_it_shows_to_scripts(shop: Shop) -> None:
    address = f"/api/workspaces/{shop.workspace.pk}/spotlight"
    assert shop.client.get(address).json()["state"] == "off"
    assert shop.client.delete(address).status_code == 200
    shop.show("a")
    found = shop.client.get(address).json()
    assert (found["state"], found["task"]) == ("shown", shop.tasks["a"].pk)
    assert found["commit"] == git(shop.repo, "rev-parse", "a")
    assert shop.client.delete(address).json()["state"] == "returning"


def test_a_train_that_needs_the_shown_files_puts_the_checkout_back_first(shop: Shop) -> None:
    shop.show("a")
    train = merge(shop.workspace, [shop.tasks["a"]])
    jobs.look_again(shop.row().pk)
    assert states(train) == ["merged"]
    assert git(shop.repo, "status", "--porcelain") == ""
    assert shown_in(shop.repo) == ["a"]
    assert shop.row().state == "off"
    assert "put back meanwhile" in shop.row().told


def test_a_train_that_changes_other_files_leaves_it_on(shop: Shop) -> None:
    shop.show("a")
    assert states(merge(shop.workspace, [shop.tasks["other"]])) == ["merged"]
    assert shown_in(shop.repo) == ["a"]
    shop.verb("back")
    assert shown_in(shop.repo) == []
    assert (shop.repo / "other.txt").exists()
    assert git(shop.repo, "status", "--porcelain") == ""


def test_an_undo_of_a_train_puts_the_checkout_back_first(shop: Shop, tmp_path: Path) -> None:
    train = merge(shop.workspace, [shop.tasks["a"]])
    git(shop.repo, "worktree", "add", "-q", "-B", "b", str(tmp_path / "tree"), "main")
    commit_file(tmp_path / "tree", "a.txt", "changed again\n")
    assert shop.show("b").state == "shown"
    undo_train(train)
    assert ride(train).state == "undone"
    assert git(shop.repo, "status", "--porcelain") == ""
    assert shown_in(shop.repo) == []


def test_the_health_check_puts_back_what_was_interrupted(shop: Shop) -> None:
    shop.show("a")
    records = SpotlightRecords(str(shop.repo / ".git"))
    journal = records.read()
    assert journal
    records.write(journal._replace(phase="showing"))
    found = {finding.name: finding for finding in doctor.check(shop.workspace)}
    assert "interrupted" in found["Spotlight"].detail
    assert shown_in(shop.repo) == []


def test_a_workspace_is_not_deleted_while_its_checkout_shows_a_task(shop: Shop) -> None:
    shop.show("a")
    with pytest.raises(Refused, match="Spotlight"):
        check_deletable(shop.workspace)
    shop.verb("back")
    check_deletable(shop.workspace)
