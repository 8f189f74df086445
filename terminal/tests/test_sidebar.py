"""Which sessions a person sees, how they are grouped, what needs them, and how to get there by hand."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.template.loader import render_to_string

from tasks.models import Run, Task
from tasks.tests.factories import make_run, make_task, make_user, make_workspace
from terminal import queries
from terminal.control.listing import Row
from terminal.places import Place
from workspaces.models import Installation, Workspace

pytestmark = pytest.mark.django_db


def row(
    mark: str, activity: int = 1_800_000_000, *, installation: str = "", window: str = "w", **more: Any
) -> Row:
    owner = f"{installation or Installation.current_key()}/{mark}"
    name = f"aitask-{mark}"
    row = {"pane": "%1", "attached": 0, "linked": (name,), "owner": owner, "name": window}
    row |= more
    return Row(name, "@1", active=True, activity=activity, **row)  # type: ignore[arg-type]


def groups(user: User, *rows: Row, host: str = "local") -> list[queries.WorkspaceSessions]:
    return queries.groups(user, {host: list(rows)})


def running(workspace: Workspace, title: str, state: str = Run.State.RUNNING, **fields: object) -> Task:
    task = make_task(workspace=workspace, title=title, status=Task.Status.RUNNING)
    make_run(task=task, state=state, **fields)
    return task


def test_live_sessions_stand_under_their_workspace_in_the_order_of_opening() -> None:
    user = make_user()
    first, second = (make_workspace(owner=user, name=name) for name in ("api", "web"))
    old, new = running(first, "Older"), running(first, "Newer")
    rows = [row(old.key, 300, created=20), row(new.key, 200, created=10), row(f"w{second.pk}", 50)]
    seen = groups(user, *rows)
    assert [s.key for s in groups(user, *reversed(rows))[0].sessions] == [s.key for s in seen[0].sessions]
    assert [(group.workspace.name, [s.title for s in group.sessions]) for group in seen] == [
        ("api", ["Newer", "Older"]),
        ("web", ["Shell"]),
    ]


def test_sessions_of_strangers_and_of_other_installations_are_not_shown() -> None:
    user, stranger = make_user(), make_user()
    mine = running(make_workspace(owner=user), "Mine")
    theirs = running(make_workspace(owner=stranger), "Theirs")
    foreign = row(mine.key, installation="ffffffff")
    assert groups(user, row(theirs.key), foreign) == []
    assert [group.sessions[0].title for group in groups(stranger, row(theirs.key))] == ["Theirs"]


def test_the_session_of_a_task_from_before_the_marks_is_shown() -> None:
    user = make_user()
    old = running(make_workspace(owner=user), "Old")
    Task.objects.filter(pk=old.pk).update(mark="")
    (group,) = groups(user, row(str(old.pk)))
    assert [session.title for session in group.sessions] == ["Old"]


def test_the_session_of_a_forgotten_task_is_not_its_number_s_new_owner_s() -> None:
    user = make_user()
    new = running(make_workspace(owner=user), "New")
    assert groups(user, row(str(new.pk)), row("forgottenz")) == []


def test_a_session_that_waits_for_a_person_is_marked() -> None:
    user = make_user()
    workspace = make_workspace(owner=user)
    asks = running(workspace, "Asks", Run.State.WAITING)
    works = running(workspace, "Works")
    (group,) = groups(user, row(asks.key), row(works.key))
    assert {session.title: session.needs_you for session in group.sessions} == {"Asks": True, "Works": False}
    html = render_to_string("terminal/_sessions.html", {"groups": [group]})
    assert html.count("needs-you") == 1


def test_a_host_that_can_not_be_asked_says_so() -> None:
    user = make_user()
    make_workspace(owner=user, name="api")
    (group,) = queries.groups(user, {"local": "The host did not answer within 8 seconds."})
    assert group.sessions == []
    html = render_to_string("terminal/_sessions.html", {"groups": [group]})
    assert "The host did not answer within 8 seconds." in html


def test_a_person_is_told_how_to_get_there_by_hand() -> None:
    near = make_task(workspace=make_workspace())
    far = make_task(workspace=make_workspace(kind="ssh", ssh_host="cloud"))
    assert Place.of_task(near).attach_command == f"tmux attach -t =aitask-{near.pk}"
    assert Place.of_task(far).attach_command == f"ssh -t cloud 'tmux attach -t =aitask-{far.pk}'"
    shell = Place.of_workspace(far.workspace).attach_command
    assert shell == f"ssh -t cloud 'tmux attach -t =aitask-w{far.workspace_id}'"


IDLE: dict[str, Any] = {"window": "run-1", "command": "bash"}
IN_USE: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "a run goes on": (Run.State.RUNNING, [IDLE]),
    "a run is queued": (Run.State.QUEUED, [IDLE]),
    "a program runs": (Run.State.SUCCEEDED, [{**IDLE, "command": "vim"}]),
    "a program runs in another window": (Run.State.SUCCEEDED, [IDLE, {"window": "run-2", "command": "node"}]),
    "somebody is attached": (Run.State.SUCCEEDED, [{**IDLE, "attached": 1}]),
    "somebody has split the window": (Run.State.SUCCEEDED, [{**IDLE, "panes": 2}]),
    "somebody has opened a shell": (Run.State.SUCCEEDED, [IDLE, {"window": "shell", "command": "bash"}]),
    "somebody continues in the CLI": (Run.State.FAILED, [{"window": "by-hand-1", "command": "bash"}]),
}


@pytest.mark.parametrize("state", [Run.State.SUCCEEDED, Run.State.FAILED, Run.State.CANCELLED])
def test_a_session_is_finished_when_only_the_shell_of_an_ended_run_is_left(state: str) -> None:
    user = make_user()
    task = running(make_workspace(owner=user), "Done", state)
    (group,) = groups(user, row(task.key, **IDLE))
    assert group.sessions[0].is_finished


@pytest.mark.parametrize("why", IN_USE)
def test_a_session_that_somebody_may_use_is_not_finished(why: str) -> None:
    state, windows = IN_USE[why]
    user = make_user()
    workspace = make_workspace(owner=user)
    task = running(workspace, "Busy", state)
    (group,) = groups(user, *(row(task.key, **window) for window in windows))
    assert not group.sessions[0].is_finished
    (shell,) = groups(user, row(f"w{workspace.pk}", **IDLE))[0].sessions
    assert not shell.is_finished
