"""From the click to the commit, with both real CLIs."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from aitask.tests.lab.client import ApiError
from aitask.tests.lab.repos import git, make_repo
from aitask.tests.lab.wait import wait_for
from tasks.tests.e2e.world import World, assert_no_gap, tokens_of

pytestmark = pytest.mark.cli


@pytest.mark.long("starts the application of the module, and the CLI for the first time")
def test_an_edit_ends_as_a_commit_on_the_branch_of_the_task(world: World, backend: str) -> None:
    run = world.succeed(
        "@text Hello\n@write notes/a.txt some words\n@text fine", backend, title="Write a note"
    )
    task = world.task_of(run)
    assert (run["state"], task["status"], task["badge"]) == ("succeeded", "review", "finished")
    assert task["branch"] == f"aitask/{task['id']}-write-a-note"
    assert world.git("show", f"{task['branch']}:notes/a.txt") == "some words"
    assert git(world.worktree(run), "status", "--porcelain") == ""
    assert world.git("log", "--format=%s", "main.." + task["branch"]) == "Write a note"
    assert world.git("log", "-1", "--format=%s", "main") == "Add src/main.py"


def test_what_the_agent_committed_itself_is_left_as_it_is(world: World, backend: str) -> None:
    workspace = world.add_workspace(f"free {backend}", permission_mode="full")["id"]
    script = "@write b.txt b\n@bash git add b.txt && git commit -qm 'By the agent'"
    run = world.succeed(script, backend, title="Own", workspace=workspace)
    assert world.git("log", "--format=%s", f"main..{world.task_of(run)['branch']}") == "By the agent"


def test_tokens_and_cost_are_what_the_endpoint_billed(world: World, backend: str) -> None:
    run = world.succeed("@text one\n@write c.txt c\n@text two", backend)
    assert tokens_of(run) == world.billed(run)
    assert run["cost_source"] == ("reported" if backend == "claude_code" else "estimated")
    assert run["cost_usd"] > 0


def test_a_resumed_session_counts_only_what_is_new(world: World, backend: str) -> None:
    first = world.succeed("@text one", backend)
    again = world.api.run_task(first["task"], prompt="@text two\n@write d.txt d", resume=True)
    second = world.api.wait_for_run(again["id"])
    assert second["cli_session"] == first["cli_session"]
    both = world.billed(first)
    assert tokens_of(first) + tokens_of(second) == both
    assert tokens_of(second).output_tokens > 0


def test_the_events_tell_the_story_without_gaps(world: World, backend: str) -> None:
    run = world.succeed("@text Hello there\n@bash echo from-the-command\n@text fine", backend)
    events = world.events(run)
    assert_no_gap(events)
    kinds = [event["kind"] for event in events]
    assert kinds.index("started") < kinds.index("message") < kinds.index("text") < kinds.index("tool")
    assert any("from-the-command" in event["output"] for event in events if event["kind"] == "tool_result")


def test_it_runs_in_a_tmux_session_of_the_task_that_stays(world: World, backend: str) -> None:
    run = world.succeed("@text a word to read", backend)
    assert run["tmux_session"] == f"aitask-{run['task']}"
    wait_for(
        lambda: "a word to read" in world.app.tmux.capture(run["tmux_session"]),
        message="the words in the pane",
    )
    assert world.app.tmux.run("show-options", "-gv", "history-limit").strip() == "2000"


@pytest.mark.one_database
def test_model_and_effort_reach_the_endpoint_as_chosen(world: World) -> None:
    claude = world.succeed("@text x", "claude_code", model="claude-sonnet-5", reasoning_effort="high")
    codex = world.succeed("@text x", "codex", model="gpt-5.5", reasoning_effort="low")
    seen = [world.endpoint.ledger.turns(run["cli_session"])[0] for run in (claude, codex)]
    assert [(entry.model, entry.effort) for entry in seen] == [
        ("claude-sonnet-5", "high"),
        ("gpt-5.5", "low"),
    ]


def test_files_to_copy_are_there_and_never_committed(world: World, backend: str) -> None:
    (world.repo / ".env").write_text("SECRET=1\n")
    workspace = world.add_workspace(f"copies {backend}", copy_files=".env")
    run = world.succeed("@write seen.txt seen", backend, workspace=workspace["id"])
    assert (world.worktree(run) / ".env").read_text() == "SECRET=1\n"
    assert ".env" not in world.git("ls-tree", "-r", "--name-only", world.task_of(run)["branch"]).split()


@pytest.mark.one_database
def test_a_setup_command_runs_once_in_a_new_worktree(world: World) -> None:
    workspace = world.add_workspace("set up", setup_command="echo again >> setup.log")
    run = world.succeed("@text one", workspace=workspace["id"])
    world.api.wait_for_run(world.api.run_task(run["task"])["id"])
    assert (world.worktree(run) / "setup.log").read_text() == "again\n"


def test_a_failing_setup_command_ends_the_run_with_its_words(world: World) -> None:
    workspace = world.add_workspace("broken set-up", setup_command="echo no such tool >&2; exit 3")
    run = world.finish("@text one", workspace=workspace["id"])
    assert (run["state"], run["reason_code"]) == ("failed", "setup")
    assert "3" in run["reason"]
    assert world.endpoint.ledger.turns(run["cli_session"] or "none") == []


def test_runs_wait_for_a_free_slot_and_then_start_by_themselves(world: World) -> None:
    workspace = world.add_workspace("narrow", max_parallel_runs=1)["id"]
    runs = [world.start("@steps 2 0.5", workspace=workspace) for _ in range(3)]
    wait_for(
        lambda: "free slot" in str(world.api.run(runs[2]["id"])["reason"]), message="the reason for waiting"
    )
    ended = [world.api.wait_for_run(run["id"]) for run in runs]
    assert [run["state"] for run in ended] == ["succeeded"] * 3
    for earlier, later in itertools.pairwise(ended):
        assert earlier["finished_at"] <= later["started_at"]


def test_the_agent_resolves_a_conflict_and_its_task_is_merged_when_that_is_accepted(world: World) -> None:
    # The agent is told the check: here it carries what the scripted model does with the conflict.
    script = "@bash echo both sides >shared.txt && git add shared.txt && git commit --no-edit -q"
    check = f": '\n{script}\n'\ntest -f README.md && ! grep -q '<<<<' shared.txt"
    fields = {"permission_mode": "full", "check_command": check}
    workspace = world.add_workspace("conflicts", make_repo(world.app.folder / "conflicts"), **fields)["id"]
    runs = [
        world.succeed(f"@write shared.txt {who}", workspace=workspace, title=f"By {who}")
        for who in ("one", "two")
    ]
    tasks = [run["task"] for run in runs]
    first = train_ended(world, world.api.post(f"/api/workspaces/{workspace}/merge", {"tasks": tasks})["id"])
    assert [step["state"] for step in first["steps"]] == ["merged", "conflict"]

    run = world.api.post(f"/api/tasks/{tasks[1]}/resolve")
    ended = world.api.wait_for_run(run["id"])

    assert ended["state"] == "succeeded", ended["reason"]
    prompt = world.endpoint.ledger.turns(ended["cli_session"])[-1].prompt
    assert "shared.txt" in prompt
    assert "By one" in prompt  # what the other side did
    assert "By two" in prompt
    address = f"/api/tasks/{tasks[1]}/resolved"
    wait_for(lambda: is_done(world, address), 60, "the resolution to wait to be accepted")
    wait_for(lambda: world.task_of(run)["status"] == "done", 60, "the task to rejoin and be merged")
    repo = world.app.folder / "conflicts"
    assert git(repo, "show", "main:shared.txt") == "both sides"
    subjects = git(repo, "log", "--first-parent", "-2", "--format=%s", "main").splitlines()
    assert subjects == [f"By two (task {tasks[1]})", f"By one (task {tasks[0]})"]


def is_done(world: World, address: str) -> bool:
    """Whether this can be done already: a worker looks at the resolution after the end of its run."""
    try:
        world.api.post(address)
    except ApiError as error:
        if error.status != 409:
            raise
        return False
    return True


def train_ended(world: World, train: int) -> dict[str, Any]:
    """A train as it stands at its end."""
    wait_for(
        lambda: world.api.get(f"/api/merge-trains/{train}")["state"] not in ("queued", "running"),
        60,
        "the end of the train",
    )
    found: dict[str, Any] = world.api.get(f"/api/merge-trains/{train}")
    return found
