"""The page about changes of a repository's git configuration and hooks."""

from __future__ import annotations

import html
from pathlib import Path

import pytest

from aitask.tests.lab.repos import git
from tasks.tests.people import People, send
from workspaces import hosts, queries
from workspaces.git.repos import locate
from workspaces.hostkit.escapes import visible

pytestmark = pytest.mark.django_db

HIDING = "sh -c 'echo fine'\r\x1b[2K \u202e<b>evil"


@pytest.fixture
def people(local: hosts.HostConnection, repo: Path) -> People:
    """People of a workspace whose repository has changed since the app knows it."""
    made = People()
    made.workspace.repo_path = str(repo)
    made.workspace.save()
    locate(local, str(repo))
    git(repo, "config", "filter.new.clean", HIDING)
    (repo / ".git/hooks/commit-msg").write_text("#!/bin/sh\nexit 7\n")
    return made


def shown(people: People, who: str = "owner") -> str:
    response = people.browser(who).get(f"/workspaces/{people.workspace.pk}/git")
    assert response.status_code == 200
    return html.unescape(response.content.decode())


def test_all_of_a_change_is_shown_as_text(people: People) -> None:
    page = shown(people)
    assert visible(HIDING) in page
    assert "\x1b" not in page
    assert "exit 7" in page
    assert (
        "<b>evil"
        not in people.browser("owner").get(f"/workspaces/{people.workspace.pk}/git").content.decode()
    )


@pytest.mark.parametrize(("use", "said"), [("1", "Nothing has changed"), ("0", "These changes are not used")])
def test_the_owner_decides(people: People, use: str, said: str) -> None:
    digest = queries.git_changes_of(people.workspace).digest
    path = f"/workspaces/{people.workspace.pk}/git/decide"
    assert "Decide about these changes" in shown(people)
    assert people.browser("owner").post(path, {"digest": digest, "use": use}).status_code == 302
    assert said in shown(people)


def test_an_older_state_is_not_accepted(people: People, repo: Path) -> None:
    digest = queries.git_changes_of(people.workspace).digest
    git(repo, "config", "filter.new.clean", "other")
    path = f"/workspaces/{people.workspace.pk}/git/decide"
    assert "again" in send(people.browser("owner"), path, digest=digest, use="1").headers["HX-Trigger"]
    assert "Decide about these changes" in shown(people)


def test_members_see_but_do_not_decide(people: People) -> None:
    digest = queries.git_changes_of(people.workspace).digest
    path = f"/workspaces/{people.workspace.pk}/git/decide"
    assert people.browser("member").post(path, {"digest": digest, "use": "1"}).status_code == 403
    assert people.browser("stranger").post(path, {"digest": digest, "use": "1"}).status_code == 404
    page = shown(people, "member")
    assert "Only the workspace's owner can decide" in page
    assert "Use these changes" not in page


def test_a_repository_that_is_gone_is_said(people: People) -> None:
    people.workspace.repo_path = "/nowhere"
    people.workspace.save()
    assert "There is no folder /nowhere." in shown(people)
