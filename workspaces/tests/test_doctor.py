"""The doctor finds what is wrong with a workspace, and says what to do."""

from __future__ import annotations

import shutil
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from aitask.tests.lab.cli_home import make_cli_home
from aitask.tests.lab.endpoint import ScriptedEndpoint
from aitask.tests.lab.repos import git
from aitask.tests.lab.sshd import SshLab
from aitask.tests.lab.tools import require_tool, search_path
from workspaces import doctor, hosts
from workspaces.doctor import Finding
from workspaces.models import Host, Workspace

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner() -> User:
    return User.objects.create_user("ada")


@pytest.fixture
def workspace(local: hosts.HostConnection, owner: User, repo: Path) -> Workspace:
    return Workspace.objects.create(name="here", owner=owner, repo_path=str(repo))


def examine(workspace: Workspace) -> dict[str, Finding]:
    return {finding.name: finding for finding in doctor.check(workspace)}


def test_a_good_workspace(workspace: Workspace) -> None:
    found = examine(workspace)

    for name in (
        "Host",
        "Python",
        "git",
        "tmux",
        "Repository",
        "Base branch",
        "Worktree folder",
        "Disk",
        "Clock",
    ):
        assert found[name].ok, found[name]


@pytest.mark.parametrize("folder", [".husky/_", "tools/git hooks/"])
def test_hooks_that_worktrees_do_not_have_are_named(workspace: Workspace, repo: Path, folder: str) -> None:
    (repo / folder).mkdir(parents=True)
    (repo / folder / "pre-commit").write_text("#!/bin/sh\nexit 1\n")
    git(repo, "config", "core.hooksPath", folder)

    found = examine(workspace)["Hooks"]

    assert found.ok is None
    assert folder in found.detail


def test_hooks_that_worktrees_have_are_fine(workspace: Workspace, repo: Path) -> None:
    (repo / "hooks").mkdir()
    (repo / "hooks/pre-push").write_text("#!/bin/sh\n")
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "Hooks")
    git(repo, "config", "core.hooksPath", "hooks")

    assert "Hooks" not in examine(workspace)


def test_a_missing_base_branch(workspace: Workspace) -> None:
    workspace.base_branch = "develop"

    assert examine(workspace)["Base branch"].ok is False
    assert examine(workspace)["Repository"].ok


def test_a_missing_repository(workspace: Workspace, repo: Path) -> None:
    shutil.rmtree(repo)
    found = examine(workspace)

    assert found["Repository"].ok is False
    assert "Check the path" in found["Repository"].hint
    assert found["Disk"].ok is not False


def test_a_folder_inside_a_repository(workspace: Workspace, repo: Path) -> None:
    workspace.repo_path = f"{repo}/src"

    assert examine(workspace)["Repository"].hint == f"Set the repository to {repo}."


def test_a_worktree_folder_that_cannot_be_made(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    workspace.worktree_root = f"{tmp_path}/file/trees"

    assert examine(workspace)["Worktree folder"].ok is False


def test_only_the_default_cli_must_be_there(
    workspace: Workspace, local: hosts.HostConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace.environment = {"PATH": "/usr/bin:/bin"}
    found = examine(workspace)

    assert found["Claude Code"].ok is False
    assert found["Codex"].ok is None
    assert "npm install" in found["Claude Code"].hint


@pytest.mark.cli
def test_the_clis_and_their_logins(workspace: Workspace, tmp_path: Path) -> None:
    require_tool("claude")
    with ScriptedEndpoint() as endpoint:
        home = make_cli_home(tmp_path / "cli", endpoint.url, login="api_key")
        workspace.environment = {**home.environment, "PATH": search_path()}
        found = examine(workspace)

    assert found["Claude Code"].ok
    assert "logged in" in found["Claude Code"].detail


def test_a_host_that_cannot_be_reached(owner: User, lab: SshLab) -> None:
    lab.forget_host_keys()
    workspace = Workspace.objects.create(
        name="far", owner=owner, kind="ssh", ssh_host="cloud", repo_path="~/r"
    )
    findings = doctor.check(workspace)

    assert [finding.name for finding in findings] == ["Host"]
    assert findings[0].error is not None
    assert findings[0].error.code == "host_key_unknown"
    assert workspace.host.link == Host.Link.DOWN


def test_a_host_by_ssh(owner: User, lab: SshLab) -> None:
    lab.make_repo("project")
    workspace = Workspace.objects.create(
        name="far", owner=owner, kind="ssh", ssh_host="cloud", repo_path="~/project"
    )
    found = examine(workspace)

    assert found["Repository"].ok
    assert found["SSH sessions"].ok
    assert workspace.host.link == Host.Link.UP


def test_the_command_prints_what_to_do_and_tells_by_its_status(workspace: Workspace) -> None:
    workspace.base_branch = "develop"
    workspace.save()
    out = StringIO()

    with pytest.raises(SystemExit) as caught:
        call_command("check_workspace", "here", stdout=out)

    assert caught.value.code == 1
    assert "WRONG  Base branch: The base branch develop does not exist." in out.getvalue()


def test_the_command_knows_its_workspaces() -> None:
    with pytest.raises(CommandError, match="no workspace 'nope'"):
        call_command("check_workspace", "nope")


def test_agents_under_the_account_of_the_app_are_a_warning(workspace: Workspace) -> None:
    """They can read its database; it says so plainly, and how to avoid it."""
    found = examine(workspace)["Account"]
    assert found.ok is None
    assert str(settings.DATA_DIR) in found.detail
    assert "account" in found.hint


def test_agents_under_another_account_are_none(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "somebody-else")
    assert "Account" not in examine(workspace)


def test_a_repository_that_is_bare_by_mistake(workspace: Workspace, repo: Path) -> None:
    git(repo, "config", "core.bare", "true")

    found = examine(workspace)["Repository"]

    assert found.ok is False
    assert "core.bare false" in found.hint
