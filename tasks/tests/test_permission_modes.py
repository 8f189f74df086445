"""The permissions of tasks and runs: never more than the workspace allows, and what follows a plan."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from aitask.lib.errors import NotAllowed, Refused
from tasks.conversation import services as conversation
from tasks.editing import update_task
from tasks.models import Run, Task
from tasks.runs import modes
from tasks.runs import services as run_services
from tasks.services import TaskFields, create_task
from tasks.tests.api_client import Script
from tasks.tests.factories import make_run, make_task, make_workspace
from tasks.tests.people import People
from workspaces import permission_modes
from workspaces.hostkit.wire import PERMISSION_MODES
from workspaces.models import PermissionMode, Workspace

pytestmark = pytest.mark.django_db


def change(workspace: Workspace, **fields: str) -> None:
    Workspace.objects.filter(pk=workspace.pk).update(**fields)
    workspace.refresh_from_db()


def test_the_host_and_the_database_have_the_same_modes_in_the_same_order() -> None:
    assert tuple(PermissionMode.values) == PERMISSION_MODES
    assert all(mode.explanation for mode in PermissionMode)


class TestCeiling:
    @pytest.mark.parametrize(
        ("own", "most", "offered"),
        [
            ("plan", "", ["plan", "ask"]),
            ("ask", "", ["plan", "ask"]),
            ("edits", "", ["plan", "ask", "edits"]),
            ("ask", "edits", ["plan", "ask", "edits"]),
            ("ask", "full", ["plan", "ask", "edits", "full"]),
        ],
    )
    def test_the_workspace_allows_its_own_mode_or_what_its_owner_has_set(
        self, own: str, most: str, offered: list[str]
    ) -> None:
        workspace = make_workspace(permission_mode=own, max_permission_mode=most)
        assert [option.value for option in permission_modes.options(workspace)] == offered

    def test_it_is_not_below_the_workspaces_own_mode(self) -> None:
        workspace = make_workspace(permission_mode="full", max_permission_mode="ask")
        with pytest.raises(ValidationError, match="less than"):
            workspace.clean()

    def test_a_task_above_it_is_refused_in_every_way(self, people: People) -> None:
        change(people.workspace, permission_mode="ask")
        with pytest.raises(ValidationError, match="at most “Ask before changes”"):
            create_task(people.workspace, people.owner, TaskFields(prompt="x", permission_mode="edits"))
        with pytest.raises(ValidationError, match="at most"):
            update_task(people.task, user=people.owner, permission_mode="full")
        people.task.refresh_from_db()
        with pytest.raises(ValidationError, match="at most"):
            run_services.queue_run(people.task, user=people.owner, permission_mode="full")
        assert not people.task.runs.exists()

    def test_a_task_keeps_a_mode_that_has_become_too_much_but_its_runs_do_not(self, people: People) -> None:
        change(people.workspace, max_permission_mode="full")
        update_task(people.task, user=people.owner, permission_mode="full")
        change(people.workspace, permission_mode="ask", max_permission_mode="")
        update_task(people.task, user=people.owner, title="Still editable", permission_mode="full")
        assert run_services.queue_run(people.task, user=people.owner).permission_mode == "ask"

    def test_members_choose_up_to_the_workspaces_mode_only(self, people: People) -> None:
        change(people.workspace, permission_mode="ask", max_permission_mode="full")
        with pytest.raises(NotAllowed, match="Ask before changes"):
            update_task(people.task, user=people.member, permission_mode="edits")
        assert update_task(people.task, user=people.member, permission_mode="plan").permission_mode == "plan"

    def test_a_live_run_is_not_widened_above_it(self, people: People) -> None:
        change(people.workspace, permission_mode="ask")
        run = make_run(task=people.task, state="running", run_dir="/r", permission_mode="ask")
        for user in (people.owner, None):
            with pytest.raises(Refused, match="at most “Ask before changes”"):
                conversation.change(run, mode="full", user=user)

    def test_a_grant_above_it_is_neither_offered_nor_taken(self, people: People) -> None:
        change(people.workspace, permission_mode="ask")
        grants = [{"id": "g1", "text": "Switch to edits", "mode": "edits"}]
        asked = {"id": "r1", "kind": "approval", "tool": "Write", "title": "a", "input": {}, "grants": grants}
        run = make_run(
            task=people.task, state="waiting", run_dir="/r", permission_mode="ask", open_requests=[asked]
        )
        page = people.browser("owner").get(f"/tasks/{run.task_id}").content.decode()
        assert "Switch to edits" not in page
        command = {"command": "approve", "scope": "run", "grant": "g1"}
        with pytest.raises(Refused, match="at most"):
            conversation.answer(run, "r1", command, user=people.owner)

    def test_a_cli_without_a_plan_mode_gets_no_such_task(
        self, people: People, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(permission_modes, "problem_of_cli", lambda backend, mode: f"{backend} can't plan")
        with pytest.raises(ValidationError, match="can't plan"):
            update_task(people.task, user=people.owner, permission_mode="plan")
        with pytest.raises(Refused, match="can't plan"):
            run_services.queue_run(people.task, user=people.owner)


class TestFollowUps:
    """A follow-up of a task that plans first."""

    @pytest.fixture
    def task(self, people: People) -> Task:
        return make_task(workspace=people.workspace, permission_mode="plan", status="review")

    def ended(self, task: Task, mode: str, **fields: str) -> Run:
        given = {"cli_session": "s-1", "state": "succeeded", "task_mode": modes.mode_of(task), **fields}
        return make_run(task=task, permission_mode=mode, **given)

    def next_mode(self, task: Task, **fields: str | bool) -> str:
        run = run_services.queue_run(task, user=None, prompt="more", **fields)  # type: ignore[arg-type]
        Run.objects.filter(pk=run.pk).update(state="succeeded", cli_session="s-1")
        Task.objects.filter(pk=task.pk).update(status="review")
        task.refresh_from_db()
        return run.permission_mode

    def test_it_keeps_the_mode_into_which_the_plan_was_approved(self, task: Task) -> None:
        self.ended(task, "ask")
        assert [self.next_mode(task, resume=True) for _ in range(3)] == ["ask"] * 3
        assert modes.kept_after_plan(task) == "Ask before changes"

    def test_without_an_approved_plan_it_plans_again(self, task: Task) -> None:
        self.ended(task, "plan")
        assert self.next_mode(task, resume=True) == "plan"
        assert modes.kept_after_plan(task) == ""

    def test_a_new_conversation_plans_again(self, task: Task) -> None:
        self.ended(task, "edits")
        assert self.next_mode(task) == "plan"

    def test_a_mode_that_is_chosen_for_it_counts(self, task: Task) -> None:
        self.ended(task, "edits")
        assert self.next_mode(task, resume=True, permission_mode="plan") == "plan"

    def test_planning_that_is_switched_on_later_counts(self, task: Task) -> None:
        self.ended(task, "edits", task_mode="edits")
        assert self.next_mode(task, resume=True) == "plan"

    def test_it_gets_no_more_than_the_workspace_allows_by_then(self, task: Task) -> None:
        self.ended(task, "edits")
        change(task.workspace, permission_mode="ask")
        assert self.next_mode(task, resume=True) == "ask"


class TestApi:
    def test_a_task_is_created_read_and_changed_with_its_mode(self, people: People) -> None:
        script = Script(people.owner)
        made = script.post(
            "/tasks", {"workspace": people.workspace.pk, "prompt": "x", "permission_mode": "plan"}
        )
        assert (script.status, made["permission_mode"]) == (201, "plan")
        changed = script.patch(f"/tasks/{made['id']}", {"permission_mode": "ask"})
        assert changed["permission_mode"] == "ask"
        assert script.patch(f"/tasks/{made['id']}", {"permission_mode": None})["permission_mode"] == ""
        assert script.get(f"/tasks/{made['id']}")["permission_mode"] == ""

    @pytest.mark.parametrize(
        ("mode", "words"), [("full", "at most"), ("auto", ""), ("root", ""), (3, "")], ids=str
    )
    def test_a_mode_that_it_can_not_have_is_a_clear_error(
        self, people: People, mode: object, words: str
    ) -> None:
        script = Script(people.owner)
        body = {"workspace": people.workspace.pk, "prompt": "x", "permission_mode": mode}
        answer = script.post("/tasks", body)
        assert script.status == 422
        assert words in str(answer)

    def test_the_most_that_tasks_may_have_is_a_field_of_the_workspace(self, people: People) -> None:
        script = Script(people.owner)
        place = f"/workspaces/{people.workspace.pk}"
        assert script.get(place)["max_permission_mode"] == ""
        assert script.patch(place, {"max_permission_mode": "full"})["max_permission_mode"] == "full"
        task = {"workspace": people.workspace.pk, "prompt": "x", "permission_mode": "full"}
        assert script.post("/tasks", task)["permission_mode"] == "full"
        script.patch(place, {"max_permission_mode": "plan"})
        assert script.status == 422

    def test_a_run_shows_the_mode_that_it_has(self, people: People) -> None:
        script = Script(people.owner)
        run = script.post(f"/tasks/{people.task.pk}/run", {"permission_mode": "plan"})
        assert (script.status, run["permission_mode"]) == (201, "plan")
        assert script.get(f"/tasks/{people.task.pk}")["permission_mode"] == "plan"
