"""Who may add workspaces and hosts, and who decides what runs in a workspace."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Permission, User
from django.core.management.base import CommandError

from aitask.lib.errors import NotAllowed, Refused
from tasks.conversation import interactive, services
from tasks.models import Run
from tasks.tests.api_client import Script
from tasks.tests.factories import make_run, make_user, make_workspace
from tasks.tests.people import People, browser_of
from workspaces import access
from workspaces.management.names import workspace_named
from workspaces.models import ApiToken, Workspace
from workspaces.tests.test_views_workspaces import ENTRY

pytestmark = pytest.mark.django_db
NEW = {"name": "shop", "repo_path": "/srv/shop"}
ASKED = {"id": "r1", "kind": "approval", "tool": "Bash", "input": {"command": "touch harmless"}}


@pytest.fixture
def people() -> People:
    return People()


@pytest.fixture
def run(people: People) -> Run:
    """A run that asks for a command, in a workspace whose owner chose “ask”."""
    Workspace.objects.update(permission_mode="ask")
    people.task.workspace.refresh_from_db()
    fields = {"state": "waiting", "run_dir": "/run", "cli_session": "s", "permission_mode": "ask"}
    return make_run(task=people.task, open_requests=[ASKED], **fields)


class TestAdding:
    def test_an_account_without_the_right_adds_nothing(self) -> None:
        user = make_user()
        assert browser_of(user).get("/workspaces/new").status_code == 403
        assert browser_of(user).post("/workspaces/new", ENTRY).status_code == 403
        script = Script(user)
        assert "permission to add workspaces" in script.post("/workspaces", NEW)["detail"]
        assert script.status == 403
        assert not Workspace.objects.exists()

    @pytest.mark.parametrize("change", [{"ssh_host": "cloud", "kind": "ssh"}, {"ssh_user": "root"}])
    def test_an_owner_without_the_right_stays_on_the_host(self, change: dict[str, str]) -> None:
        owner = Script(make_user())
        workspace = make_workspace(owner=owner.user, kind="ssh", ssh_host="there")
        owner.patch(f"/workspaces/{workspace.pk}", change)
        assert owner.status == 403
        form = {**ENTRY, "kind": "ssh", "ssh_host": "there", **change}
        page = browser_of(owner.user).post(f"/workspaces/{workspace.pk}/edit", form)
        assert page.status_code == 422
        assert "permission to add workspaces" in page.content.decode()
        workspace.refresh_from_db()
        assert (workspace.ssh_host, workspace.ssh_user) == ("there", "")

    def test_an_owner_without_the_right_goes_on_working(self) -> None:
        owner = Script(make_user())
        workspace = make_workspace(owner=owner.user)
        owner.patch(f"/workspaces/{workspace.pk}", {"setup_command": "npm ci"})
        assert owner.status == 200
        owner.post("/tasks", {"workspace": workspace.pk, "title": "x"})
        assert owner.status == 201

    def test_an_owner_without_the_right_accepts_no_host_key(self) -> None:
        owner = make_user()
        workspace = make_workspace(owner=owner, kind="ssh", ssh_host="there")
        answer = browser_of(owner).post(f"/workspaces/{workspace.pk}/trust", {"fingerprint": "SHA256:x"})
        assert answer.status_code == 403

    def test_an_upgrade_keeps_the_right_of_those_who_own_a_workspace(self) -> None:
        owner, other, gone = make_user(), make_user(), make_user(is_active=False)
        make_workspace(owner=owner)
        make_workspace(owner=gone)
        import_module("workspaces.migrations.0007_keep_rights_and_tokens").keep_rights(apps, None)
        may = [access.may_add(User.objects.get(pk=user.pk)) for user in (owner, other, gone)]
        assert may == [True, False, False]

    def test_staff_without_the_right_choose_no_host_and_no_key_in_the_admin(self, people: People) -> None:
        staff = make_user(is_staff=True)
        codes = ["change_workspace", "view_workspace", "change_host", "view_host"]
        staff.user_permissions.set(Permission.objects.filter(codename__in=codes))
        workspace, browser = people.workspace, browser_of(staff)
        form = {**ENTRY, "owner": people.owner.pk, "environment": "{}", "ssh_host": "", "ssh_user": ""}
        path = f"/admin/workspaces/workspace/{workspace.pk}/change/"
        refused = browser.post(path, {**form, "kind": "ssh", "ssh_host": "cloud"})
        assert "permission to add workspaces" in refused.content.decode()
        assert browser.post(path, {**form, "setup_command": "npm ci"}).status_code == 302
        workspace.refresh_from_db()
        assert (workspace.kind, workspace.setup_command) == ("local", "npm ci")
        host = workspace.host
        path = f"/admin/workspaces/host/{host.pk}/change/"
        browser.post(path, {"accepted_keys": '["evil"]'})
        host.refresh_from_db()
        assert host.accepted_keys == []

    def test_lists_that_a_user_sends_have_a_limit(self, people: People) -> None:
        form = {**ENTRY, "name": "web shop", "member_names": ",".join(f"u{n}" for n in range(201))}
        answer = people.browser("owner").post(f"/workspaces/{people.workspace.pk}/edit", form)
        assert "at most 200 members" in answer.content.decode()
        owner = Script(people.owner)
        refused = owner.post(f"/workspaces/{people.workspace.pk}/merge", {"tasks": list(range(1, 502))})
        assert owner.status == 422
        assert "500" in str(refused)

    def test_an_upgrade_keeps_tokens(self) -> None:
        script = Script(make_user())
        ApiToken.objects.update(password_digest="")
        script.get("/tasks")
        assert script.status == 401
        import_module("workspaces.migrations.0007_keep_rights_and_tokens").keep_tokens(apps, None)
        script.get("/tasks")
        assert script.status == 200

    def test_owners_may_use_the_same_name_and_one_owner_may_not(self, people: People) -> None:
        """An error that says that a name is taken would tell the names of others."""
        people.allow("stranger", "add_workspace")
        taken = {**ENTRY, "name": people.workspace.name}
        assert people.browser("stranger").post("/workspaces/new", taken).status_code == 302
        again = people.browser("stranger").post("/workspaces/new", taken)
        assert again.status_code == 422
        with pytest.raises(CommandError, match="owner/web shop, stranger/web shop"):
            workspace_named("web shop")
        assert workspace_named("stranger/web shop") == Workspace.objects.get(owner=people.stranger)


class TestDeciding:
    """A member answers what an agent asks; deciding more needs the right to terminals."""

    @pytest.mark.parametrize(
        "command",
        [
            {"command": "approve", "scope": "run"},
            {"command": "approve", "scope": "once", "input": {"command": "id"}},
            {"command": "approve", "scope": "once", "input": {"command": "touch harmless", "timeout": 9}},
            {"command": "approve", "scope": "once", "input": {}},
            {"command": "approve", "scope": "once", "mode": "full"},
            {"command": "approve", "scope": "once", "mode": "edits"},
        ],
    )
    def test_a_member_grants_no_more_than_was_asked(
        self, people: People, run: Run, command: dict[str, Any]
    ) -> None:
        with pytest.raises(NotAllowed, match="Only the owner"):
            services.answer(run, "r1", command, user=people.member)
        assert not run.outgoing.exists()

    @pytest.mark.parametrize(
        "decision", [{"decision": "allow_for_run"}, {"decision": "allow", "input": {"a": 1}}]
    )
    def test_the_api_refuses_it_with_403(self, people: People, run: Run, decision: dict[str, Any]) -> None:
        member = Script(people.member)
        member.post(f"/runs/{run.pk}/requests/r1", decision)
        assert member.status == 403

    @pytest.mark.parametrize("mode", ["edits", "full"])
    def test_the_mode_of_the_workspace_is_the_most_for_members(
        self, people: People, run: Run, mode: str
    ) -> None:
        with pytest.raises(NotAllowed, match="Ask before changes"):
            services.change(run, mode=mode, user=people.member)

    def test_a_member_opens_no_session_by_hand(self, people: People, run: Run) -> None:
        with pytest.raises(NotAllowed):
            interactive.open_window(people.task, user=people.member)

    def test_a_member_may_lower_the_mode(self, people: People, run: Run) -> None:
        Workspace.objects.update(permission_mode="full")
        run.task.workspace.refresh_from_db()
        access.check_mode(people.member, run.task.workspace, "edits")

    def test_the_owner_superusers_and_members_with_terminals_decide(self, people: People) -> None:
        workspace = people.workspace
        people.member.user_permissions.add(Permission.objects.get(codename="use_terminal"))
        for user in (people.owner, make_user(is_superuser=True), User.objects.get(pk=people.member.pk)):
            assert access.may_decide(user, workspace)

    @pytest.mark.parametrize(("who", "offered"), [("owner", True), ("member", False)])
    def test_the_page_offers_only_what_is_allowed(
        self, people: People, run: Run, who: str, offered: bool
    ) -> None:
        html = people.browser(who).get(f"/tasks/{people.task.pk}").content.decode()
        assert ("data-limited" not in html) is offered
        assert ("Open in CLI" in html) is offered

    def test_what_was_asked_is_not_a_change(self, people: People, run: Run) -> None:
        """The page sends the input even if nobody has edited it."""
        command = {"command": "approve", "scope": "once", "input": ASKED["input"]}
        try:
            services.answer(run, "r1", command, user=people.member)
        except NotAllowed:
            pytest.fail("the input is the same")
        except Refused:
            pass  # there is no host
