"""Tasks by the API."""

from __future__ import annotations

import time
from typing import Any
from unittest.mock import Mock

import pytest
from django.db import InterfaceError, OperationalError, ProgrammingError

from tasks import services
from tasks.models import Run, Task
from tasks.tests.api_client import Script
from tasks.tests.factories import make_run, make_task, make_user, make_workspace
from workspaces.models import Workspace

pytestmark = pytest.mark.django_db


@pytest.fixture
def script() -> Script:
    return Script(make_user("olga"))


@pytest.fixture
def workspace(script: Script) -> Workspace:
    return make_workspace(owner=script.user)


@pytest.fixture
def task(workspace: Workspace) -> Task:
    return make_task(workspace=workspace, title="Fix it", prompt="Do it.")


class TestListing:
    def test_it_has_the_pinned_fields(self, script: Script, task: Task) -> None:
        fields = {
            *(
                "id",
                "workspace",
                "title",
                "prompt",
                "backend",
                "model",
                "reasoning_effort",
                "status",
                "badge",
            ),
            *("branch", "worktree_path", "runs", "created_at", "updated_at"),
        }
        assert set(script.get("/tasks")[0]) >= fields

    def test_runs_are_ids_in_order_and_the_newest_gives_the_badge(self, script: Script, task: Task) -> None:
        runs = [make_run(task=task, state="failed"), make_run(task=task, state="waiting", activity="Asks")]
        [row] = script.get("/tasks")
        assert row["runs"] == [run.pk for run in runs]
        assert (row["badge"], row["needs_you"], row["activity"]) == ("needs you", True, "Asks")

    def test_a_task_that_never_ran_has_no_badge(self, script: Script, task: Task) -> None:
        assert script.get(f"/tasks/{task.pk}")["badge"] is None

    def test_it_can_be_narrowed_by_workspace(self, script: Script, task: Task) -> None:
        make_task(workspace=make_workspace(owner=script.user))
        assert [row["id"] for row in script.get(f"/tasks?workspace={task.workspace_id}")] == [task.pk]

    def test_it_can_be_narrowed_by_status(self, script: Script, task: Task) -> None:
        make_task(workspace=task.workspace, status="done")
        assert [row["id"] for row in script.get("/tasks?status=backlog")] == [task.pk]

    def test_a_member_sees_them_and_a_stranger_does_not(self, task: Task) -> None:
        member, stranger = Script(make_user()), Script(make_user())
        task.workspace.members.add(member.user)
        assert (len(member.get("/tasks")), stranger.get("/tasks")) == (1, [])

    def test_a_foreign_workspace_is_404(self, task: Task) -> None:
        stranger = Script(make_user())
        stranger.get(f"/tasks?workspace={task.workspace_id}")
        assert stranger.status == 404

    @pytest.mark.parametrize("query", ["status=nonsense", "workspace=x"])
    def test_a_wrong_filter_is_422(self, script: Script, query: str) -> None:
        script.get(f"/tasks?{query}")
        assert script.status == 422

    def test_200_tasks_take_seven_queries_at_most(
        self, script: Script, workspace: Workspace, django_assert_max_num_queries: Any
    ) -> None:
        many_tasks(workspace, 200)
        with django_assert_max_num_queries(7):
            assert len(script.get("/tasks")) == 200

    def test_one_task_takes_seven_queries_at_most(
        self, script: Script, task: Task, django_assert_max_num_queries: Any
    ) -> None:
        make_run(task=task)
        with django_assert_max_num_queries(7):
            script.get(f"/tasks/{task.pk}")


def many_tasks(workspace: Workspace, count: int) -> None:
    """With three runs each."""
    rows = [Task(workspace=workspace, title=f"T{n}", backend="codex", rank=n) for n in range(count)]
    runs = [
        Run(task=task, number=number, backend="codex", permission_mode="edits", prompt="x", state="failed")
        for task in Task.objects.bulk_create(rows)
        for number in (1, 2, 3)
    ]
    Run.objects.bulk_create(runs)


class TestMaking:
    def test_it_stands_in_the_backlog_with_the_workspaces_choices(self, script: Script) -> None:
        workspace = make_workspace(owner=script.user, default_backend="codex", default_model="m1")
        made = script.post("/tasks", {"workspace": workspace.pk, "prompt": "Tidy up\nwell"})
        assert (script.status, made["status"], made["title"]) == (201, "backlog", "Tidy up")
        assert (made["backend"], made["model"], made["runs"]) == ("codex", "m1", [])

    def test_its_own_choices_are_kept(self, script: Script, workspace: Workspace) -> None:
        choices = {"backend": "claude_code", "model": "opus[1m]", "reasoning_effort": "high"}
        made = script.post("/tasks", {"workspace": workspace.pk, "title": "x", **choices})
        assert {name: made[name] for name in choices} == choices
        assert Task.objects.get().created_by == script.user

    def test_null_is_the_preset(self, script: Script, workspace: Workspace) -> None:
        choices = {"backend": None, "model": None, "reasoning_effort": None}
        script.post("/tasks", {"workspace": workspace.pk, "title": "x", **choices})
        assert script.status == 201

    def test_nul_in_a_prompt_becomes_its_visible_sign(self, script: Script, workspace: Workspace) -> None:
        made = script.post("/tasks", {"workspace": workspace.pk, "prompt": "a\0b"})
        assert made["prompt"] == "a\u2400b"

    def test_a_title_is_one_line_without_control_characters(
        self, script: Script, workspace: Workspace
    ) -> None:
        task = script.post("/tasks", {"workspace": workspace.pk, "title": " a\n b\x1b[31m\u2028c "})
        assert task["title"] == "a b [31m c"
        assert script.patch(f"/tasks/{task['id']}", {"title": "x\ty"})["title"] == "x y"

    def test_half_a_character_becomes_a_question_mark(self, script: Script, workspace: Workspace) -> None:
        assert script.post("/tasks", {"workspace": workspace.pk, "title": "a\ud800b"})["title"] == "a?b"

    def test_a_long_prompt_is_kept_whole(self, script: Script, workspace: Workspace) -> None:
        prompt = "$(rm -rf /) 🎉 'quoted' \"twice\"\n" * 4000
        assert script.post("/tasks", {"workspace": workspace.pk, "prompt": prompt})["prompt"] == prompt

    @pytest.mark.parametrize(
        "wrong",
        [
            {"title": ""},
            {"title": 5},
            {"backend": "gpt"},
            {"model": "-x"},
            {"model": "a b"},
            {"model": "a\nb"},
            {"model": "x" * 101},
            {"model": 4},
            {"reasoning_effort": "--high"},
            {"reasoning_effort": ["high"]},
            {"workspace": "1"},
            {"workspace": None},
            {"workspace": True},
            {"status": "done"},
            {"nonsense": 1},
        ],
    )
    def test_a_wrong_value_is_422_and_makes_nothing(
        self, script: Script, workspace: Workspace, wrong: dict[str, Any]
    ) -> None:
        answer = script.post("/tasks", {"workspace": workspace.pk, "title": "x", **wrong})
        assert (script.status, Task.objects.count()) == (422, 0)
        assert next(iter(wrong)) in str(answer["detail"])

    @pytest.mark.parametrize("body", [b"{", b"\xff", b"[" * 100_000, b"9" * 10_000, b'{"workspace": NaN}'])
    def test_a_body_that_is_no_json_is_400(self, script: Script, body: bytes) -> None:
        assert script.post("/tasks", body) == {"detail": "Cannot parse request body"}
        assert script.status == 400

    def test_a_body_that_is_too_big_is_413(self, script: Script, workspace: Workspace) -> None:
        script.post("/tasks", {"workspace": workspace.pk, "prompt": "x" * 3_000_000})
        assert script.status == 413

    @pytest.mark.parametrize(
        ("error", "status"),
        [
            (OperationalError("attempt to write a readonly database"), 503),
            (OperationalError("terminating connection due to administrator command"), 503),
            (InterfaceError("connection already closed"), 503),
            (ProgrammingError("no such table"), 500),
        ],
    )
    def test_a_database_that_is_away_is_503_and_a_fault_is_not(
        self,
        script: Script,
        workspace: Workspace,
        monkeypatch: pytest.MonkeyPatch,
        error: Exception,
        status: int,
    ) -> None:
        monkeypatch.setattr(Task, "save", Mock(side_effect=error))
        answer = script.post("/tasks", {"workspace": workspace.pk, "title": "x", "prompt": "y"})
        assert script.status == status
        assert str(error) not in answer["detail"]

    def test_a_fault_of_the_app_is_500_in_json_and_in_the_log(
        self,
        script: Script,
        workspace: Workspace,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        monkeypatch.setattr(services, "create_task", lambda *_: 1 / 0)
        answer = script.post("/tasks", {"workspace": workspace.pk, "prompt": "x"})
        assert (script.status, answer["detail"]) == (500, "Internal server error.")
        assert "ZeroDivisionError" in caplog.text

    @pytest.mark.parametrize("pk", [0, -1, 10**30])
    def test_an_unknown_workspace_is_404(self, script: Script, pk: int) -> None:
        script.post("/tasks", {"workspace": pk, "title": "x"})
        assert script.status == 404

    def test_a_foreign_workspace_is_404(self, workspace: Workspace) -> None:
        stranger = Script(make_user())
        stranger.post("/tasks", {"workspace": workspace.pk, "title": "x"})
        assert (stranger.status, Task.objects.count()) == (404, 0)


class TestChanging:
    def test_only_what_is_sent_changes(self, script: Script, task: Task) -> None:
        changed = script.patch(f"/tasks/{task.pk}", {"model": "sonnet"})
        assert (changed["model"], changed["title"], changed["prompt"]) == ("sonnet", "Fix it", "Do it.")

    def test_null_empties_the_model(self, script: Script, task: Task) -> None:
        Task.objects.update(model="sonnet")
        assert script.patch(f"/tasks/{task.pk}", {"model": None})["model"] == ""

    @pytest.mark.parametrize(
        "wrong", [{"title": None}, {"title": ""}, {"model": "-x"}, {"status": "done"}, {"workspace": 1}]
    )
    def test_a_wrong_value_is_422(self, script: Script, task: Task, wrong: dict[str, Any]) -> None:
        script.patch(f"/tasks/{task.pk}", wrong)
        assert (script.status, Task.objects.get().title) == (422, "Fix it")


class TestDeleting:
    def test_it_is_gone(self, script: Script, task: Task) -> None:
        assert script.delete(f"/tasks/{task.pk}") is None
        assert (script.status, Task.objects.count()) == (204, 0)

    def test_not_while_a_run_is_going(self, script: Script, task: Task) -> None:
        make_run(task=task, state="running")
        assert script.delete(f"/tasks/{task.pk}")["hint"] == "Wait until it has ended, or cancel it."
        assert (script.status, Task.objects.count()) == (409, 1)


class TestRunning:
    def test_it_asks_for_a_run_as_the_task_says(self, script: Script, task: Task) -> None:
        run = script.post(f"/tasks/{task.pk}/run")
        assert (script.status, run["task"], run["number"], run["state"]) == (201, task.pk, 1, "queued")
        assert script.get(f"/tasks/{task.pk}")["status"] == "queued"

    def test_prompt_model_and_effort_may_be_others(self, script: Script, task: Task) -> None:
        body = {"prompt": "Else.", "model": "sonnet", "reasoning_effort": "low"}
        run = script.post(f"/tasks/{task.pk}/run", body)
        assert (run["model"], run["reasoning_effort"]) == ("sonnet", "low")
        assert Run.objects.get().prompt == "Else."

    def test_it_may_go_on_with_the_last_session(self, script: Script, task: Task) -> None:
        make_run(task=task, state="succeeded", cli_session="abc")
        script.post(f"/tasks/{task.pk}/run", {"prompt": "More.", "resume": True})
        assert Run.objects.get(number=2).resumes == "abc"

    def test_without_a_session_there_is_nothing_to_go_on_with(self, script: Script, task: Task) -> None:
        answer = script.post(f"/tasks/{task.pk}/run", {"resume": True})
        assert (script.status, answer["detail"]) == (409, "There is no session to continue.")

    def test_a_second_run_at_the_same_time_is_refused(self, script: Script, task: Task) -> None:
        script.post(f"/tasks/{task.pk}/run", {})
        script.post(f"/tasks/{task.pk}/run", {})
        assert (script.status, Run.objects.count()) == (409, 1)

    def test_a_task_without_words_is_refused(self, script: Script, workspace: Workspace) -> None:
        empty = make_task(workspace=workspace, prompt="")
        assert "no prompt" in script.post(f"/tasks/{empty.pk}/run")["detail"]
        assert script.status == 409

    @pytest.mark.parametrize("wrong", [{"model": "-x"}, {"resume": "yes"}, {"prompt": 1}, {"else": 1}, []])
    def test_a_wrong_value_is_422_and_starts_nothing(self, script: Script, task: Task, wrong: Any) -> None:
        script.post(f"/tasks/{task.pk}/run", wrong)
        assert (script.status, Run.objects.count()) == (422, 0)


class TestCancelling:
    def test_a_queued_run_ends_at_once(self, script: Script, task: Task) -> None:
        run = make_run(task=task)
        answer = script.post(f"/tasks/{task.pk}/cancel")
        assert (script.status, answer["id"], answer["badge"]) == (200, task.pk, "cancelled")
        assert Run.objects.get(pk=run.pk).state == "cancelled"

    def test_a_running_one_is_asked_to_end(self, script: Script, task: Task) -> None:
        make_run(task=task, state="running")
        assert script.post(f"/tasks/{task.pk}/cancel")["badge"] == "cancelling"
        assert Run.objects.get().cancel_requested_at is not None

    def test_it_is_harmless_when_none_is_going(self, script: Script, task: Task) -> None:
        script.post(f"/tasks/{task.pk}/cancel")
        assert script.status == 200


CALLS = [("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/run"), ("POST", "/cancel")]


@pytest.mark.parametrize(("method", "rest"), CALLS)
def test_for_a_stranger_a_task_is_404(task: Task, method: str, rest: str) -> None:
    stranger = Script(make_user())
    stranger.call(method, f"/tasks/{task.pk}{rest}", {} if method == "PATCH" else None)
    assert (stranger.status, Task.objects.count(), Run.objects.count()) == (404, 1, 0)


@pytest.mark.slow
def test_reads_are_quick(script: Script, workspace: Workspace) -> None:
    """Under 20 ms of work: by the clock it would be a busy machine's time."""
    many_tasks(workspace, 200)
    pk = Task.objects.all()[0].pk
    for path in ("/tasks?status=review", f"/tasks/{pk}", "/workspaces"):
        assert min(seconds(script, path) for _ in range(10)) < 0.020, path


def seconds(script: Script, path: str) -> float:
    start = time.thread_time()
    script.get(path)
    return time.thread_time() - start
