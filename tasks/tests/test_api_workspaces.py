"""Workspaces by the API."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.models import Run
from tasks.tests.api_client import Script
from tasks.tests.factories import make_owner, make_run, make_task, make_user, make_workspace
from workspaces import doctor
from workspaces.doctor import Finding
from workspaces.hosts import HostError
from workspaces.models import Workspace

pytestmark = pytest.mark.django_db

NEW = {"name": "shop", "repo_path": "/srv/shop"}
PINNED = {
    *(
        "id",
        "name",
        "kind",
        "ssh_host",
        "ssh_user",
        "repo_path",
        "base_branch",
        "worktree_root",
        "copy_files",
    ),
    *("setup_command", "check_command", "default_backend", "default_model", "default_reasoning_effort"),
    *("permission_mode", "environment", "max_parallel_runs"),
}


@pytest.fixture
def owner() -> Script:
    return Script(make_owner("olga"))


@pytest.fixture
def member() -> Script:
    return Script(make_user("max"))


@pytest.fixture
def workspace(owner: Script, member: Script) -> Workspace:
    row = make_workspace(owner=owner.user, name="shop", environment={"KEY": "secret", "B": "2"})
    row.members.add(member.user)
    return row


class TestReading:
    def test_it_has_the_pinned_fields(self, owner: Script, workspace: Workspace) -> None:
        assert set(owner.get(f"/workspaces/{workspace.pk}")) >= PINNED

    def test_values_of_the_environment_are_not_given_back(self, owner: Script, workspace: Workspace) -> None:
        assert owner.get(f"/workspaces/{workspace.pk}")["environment"] == {"KEY": None, "B": None}

    def test_owner_and_member_have_it_in_their_lists(
        self, owner: Script, member: Script, workspace: Workspace
    ) -> None:
        lists = [script.get("/workspaces") for script in (owner, member)]
        assert [[row["id"] for row in rows] for rows in lists] == [[workspace.pk], [workspace.pk]]

    def test_a_stranger_has_an_empty_list(self, workspace: Workspace) -> None:
        assert Script(make_user()).get("/workspaces") == []

    @pytest.mark.parametrize(("method", "rest"), [("GET", ""), ("PATCH", ""), ("POST", "/check")])
    def test_for_a_stranger_it_is_404(self, workspace: Workspace, method: str, rest: str) -> None:
        stranger = Script(make_user())
        stranger.call(method, f"/workspaces/{workspace.pk}{rest}", {} if method == "PATCH" else None)
        assert stranger.status == 404

    def test_the_list_takes_few_queries(self, owner: Script, django_assert_max_num_queries: Any) -> None:
        for number in range(20):
            make_workspace(owner=owner.user, name=f"w{number}")
        with django_assert_max_num_queries(4):
            assert len(owner.get("/workspaces")) == 20


class TestChecking:
    def test_the_findings_of_the_doctor_are_listed(
        self, member: Script, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        error = HostError("No such host.", "Look at the alias.", code="dns")
        findings = [
            Finding("Host", False, error.reason, error.hint, error),
            Finding("Clock", None, "3 s off"),
        ]
        monkeypatch.setattr(doctor, "check", lambda checked: findings if checked == workspace else [])
        assert member.post(f"/workspaces/{workspace.pk}/check") == [
            {"name": "Host", "ok": False, "detail": "No such host.", "hint": "Look at the alias."},
            {"name": "Clock", "ok": None, "detail": "3 s off", "hint": ""},
        ]


class TestMaking:
    def test_it_belongs_to_the_caller_and_has_the_defaults(self, owner: Script) -> None:
        made = owner.post("/workspaces", NEW)
        assert (owner.status, made["kind"], made["base_branch"], made["permission_mode"]) == (
            *(201, "local"),
            *("main", "edits"),
        )
        assert Workspace.objects.get(pk=made["id"]).owner == owner.user

    def test_patterns_may_be_a_list(self, owner: Script) -> None:
        made = owner.post("/workspaces", {**NEW, "copy_files": [".env", "conf/*.local"]})
        assert made["copy_files"] == ".env\nconf/*.local"

    def test_a_name_that_is_taken_is_refused_in_words(self, owner: Script, workspace: Workspace) -> None:
        assert "name: " in owner.post("/workspaces", NEW)["detail"]
        assert owner.status == 422

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("kind", "ftp"),
            ("kind", "ssh"),
            ("repo_path", "relative"),
            ("repo_path", ""),
            ("repo_path", "/a\0b"),
            ("name", None),
            ("repo_path", "/a\nb"),
            ("repo_path", "~ada/project"),
            ("name", "x" * 101),
            ("name", "two\nlines"),
            ("base_branch", "--all"),
            ("base_branch", "main "),
            ("worktree_root", "beside"),
            ("default_model", "-p"),
            ("default_reasoning_effort", "very high"),
            ("git_name", "Ada <ada>"),
            ("base_branch", ""),
            ("copy_files", "../secret"),
            ("copy_files", ["/etc/passwd"]),
            ("default_backend", "gpt"),
            ("permission_mode", "all"),
            ("max_parallel_runs", 0),
            ("max_parallel_runs", "4"),
            ("max_parallel_runs", True),
            ("max_parallel_runs", 10**30),
            ("commit_leftovers", "yes"),
            ("environment", {"A B": "x"}),
            ("environment", {"A": 1}),
            ("environment", {"A": "\0"}),
            ("environment", {"A": None}),
            ("environment", ["A"]),
            ("git_email", "nobody"),
            ("ssh_host", "-oProxyCommand=x"),
            ("owner", 1),
            ("nonsense", 1),
        ],
    )
    def test_a_wrong_value_is_422_and_makes_nothing(self, owner: Script, field: str, value: Any) -> None:
        answer = owner.post("/workspaces", {**NEW, field: value})
        assert (owner.status, Workspace.objects.count()) == (422, 0)
        assert field in str(answer["detail"]) or (field, value) == ("kind", "ssh")

    def test_this_machine_is_refused_where_agents_can_not_run(
        self, owner: Script, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("workspaces.hosts.local.supported", lambda: False)
        answer = owner.post("/workspaces", NEW)
        assert (owner.status, Workspace.objects.count()) == (422, 0)
        assert "Choose SSH" in answer["detail"]


class TestChanging:
    def test_only_what_is_sent_changes(self, owner: Script, workspace: Workspace) -> None:
        owner.patch(f"/workspaces/{workspace.pk}", {"check_command": "make test"})
        workspace.refresh_from_db()
        assert (workspace.check_command, workspace.environment["KEY"]) == ("make test", "secret")

    def test_null_keeps_a_variable_and_one_left_out_is_removed(
        self, owner: Script, workspace: Workspace
    ) -> None:
        owner.patch(f"/workspaces/{workspace.pk}", {"environment": {"KEY": None, "NEW": "x"}})
        workspace.refresh_from_db()
        assert workspace.environment == {"KEY": "secret", "NEW": "x"}

    def test_what_is_read_can_be_sent_back(self, owner: Script, workspace: Workspace) -> None:
        read = owner.get(f"/workspaces/{workspace.pk}")
        body = {name: value for name, value in read.items() if name not in ("id", "owner", "created_at")}
        assert owner.patch(f"/workspaces/{workspace.pk}", body) == read

    def test_a_member_may_not(self, member: Script, workspace: Workspace) -> None:
        answer = member.patch(f"/workspaces/{workspace.pk}", {"name": "mine"})
        assert (member.status, answer) == (403, {"detail": "Only its owner can change a workspace."})

    def test_null_for_what_is_never_empty_is_422(self, owner: Script, workspace: Workspace) -> None:
        owner.patch(f"/workspaces/{workspace.pk}", {"repo_path": None})
        assert owner.status == 422

    def test_more_room_starts_a_queued_run(
        self, owner: Script, workspace: Workspace, django_capture_on_commit_callbacks: Any
    ) -> None:
        Workspace.objects.update(max_parallel_runs=1)
        make_run(task=make_task(workspace=workspace), state="running")
        waiting = make_run(task=make_task(workspace=workspace), state="queued")
        with django_capture_on_commit_callbacks(execute=True):
            owner.patch(f"/workspaces/{workspace.pk}", {"max_parallel_runs": 2})
        assert Run.objects.get(pk=waiting.pk).state == "starting"
