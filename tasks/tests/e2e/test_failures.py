"""What a run says when the model's service, the login or the prompt's author make trouble."""

from __future__ import annotations

import html
import signal
from collections.abc import Mapping
from typing import Any

import pytest

from aitask.tests.lab import processes
from aitask.tests.lab.client import ENDED
from aitask.tests.lab.repos import (
    ODD_NAME,
    make_detached_repo,
    make_oddly_named_repo,
    make_repo_with_submodule,
    make_unborn_repo,
)
from aitask.tests.lab.wait import wait_for
from tasks.conversation.services import CONTINUE
from tasks.tests.e2e.web_session import WebSession
from tasks.tests.e2e.world import World, assert_no_gap, tokens_of

pytestmark = pytest.mark.cli


@pytest.fixture(scope="module")
def web(world: World) -> WebSession:
    return WebSession(world.app)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("@error 400", "rejected"),
        ("@error 500", "server"),
    ],
)
def test_an_error_of_the_service_is_the_reason_on_the_card(
    world: World, backend: str, fault: str, code: str
) -> None:
    workspace = world.add_workspace(f"{fault} {backend}")["id"]
    run = world.finish(f"@text first\n{fault}\n@text never said", backend, workspace=workspace)
    assert (run["state"], run["reason_code"]) == ("failed", code), run["reason"]
    assert run["reason"]
    assert world.task_of(run)["status"] == "review"
    assert_no_gap(world.events(run))


@pytest.mark.parametrize(
    ("backend", "fault"),
    [
        ("claude_code", "@error 500 1"),
        ("claude_code", "@error 429 1"),
        ("claude_code", "@cut 1"),
        ("codex", "@error 500 1"),
        ("codex", "@cut 1"),
    ],
)
def test_a_passing_fault_is_survived(world: World, backend: str, fault: str) -> None:
    run = world.succeed(f"{fault}\n@write e.txt e\n@text over", backend)
    assert world.git("show", f"{world.task_of(run)['branch']}:e.txt") == "e"


def test_what_was_billed_before_a_failure_is_counted(world: World, backend: str) -> None:
    run = world.finish("@write f.txt f\n@error 400", backend)
    assert run["state"] == "failed"
    assert tokens_of(run) == world.billed(run)
    assert world.git("show", f"{world.task_of(run)['branch']}:f.txt") == "f"


def test_a_reached_limit_says_when_it_resets(world: World, backend: str) -> None:
    environment = world.environment(login="oauth")
    workspace = world.add_workspace(f"limit {backend}", environment=environment)["id"]
    run = world.finish("@limit 90\n@text never", backend, workspace=workspace)
    assert (run["state"], run["reason_code"]) == ("failed", "limit"), run["reason"]
    assert run["limit_resets_at"] is not None
    assert world.task_of(run)["badge"] == "limit reached"


@pytest.mark.one_database
def test_a_model_that_does_not_exist_is_named(world: World) -> None:
    run = world.finish("@error 404", "claude_code", model="no-such-model")
    assert (run["state"], run["reason_code"]) == ("failed", "model"), run["reason"]
    assert "no-such-model" in run["reason"]


def test_a_missing_cli_says_so(world: World, backend: str) -> None:
    environment = {**world.shared_environment, "PATH": "/usr/bin:/bin"}
    workspace = world.add_workspace(f"no cli {backend}", environment=environment)["id"]
    run = world.start("@text x", backend, workspace=workspace)
    wait_for(lambda: "is not installed on" in world.api.run(run["id"])["reason"], 20, "the reason")
    assert world.api.run(run["id"])["state"] == "queued"
    world.api.patch(f"/api/workspaces/{workspace}", {"try_changed_clis": False})
    run = world.api.wait_for_run(run["id"], timeout=60)
    assert (run["state"], run["reason_code"]) == ("failed", "cli_missing"), run["reason"]


@pytest.mark.parametrize(("victim", "code"), [("the CLI", "cli_died"), ("the runner", "runner_died")])
def test_one_click_goes_on_with_the_session_after_a_kill(
    world: World, web: WebSession, backend: str, victim: str, code: str
) -> None:
    run = world.start("@bash touch asked.txt\n@text fine", backend, **asking(world))
    session = world.api.wait_for_run(run["id"], {"waiting"})["cli_session"]
    wait_for(lambda: any(world.app.folder.glob(f"cli-home-*/**/*{session}*.jsonl")), 20, "its transcript")
    processes.send(victim_of(world, run, victim), signal.SIGKILL)
    over = world.api.wait_for_run(run["id"])
    assert (over["state"], over["reason_code"], over["open_requests"]) == ("failed", code, [])
    assert over["reason"] in html.unescape(web.get(f"/tasks/{run['task']}"))
    assert web.post(f"/tasks/{run['task']}/go-on")[0] == 204
    second = world.api.run(world.task_of(run)["runs"][-1])
    if world.api.wait_for_run(second["id"], {"waiting", *ENDED})["state"] == "waiting":
        request = world.api.run(second["id"])["open_requests"][0]
        world.api.post(f"/api/runs/{second['id']}/requests/{request['id']}", {"decision": "allow"})
    second = world.api.wait_for_run(second["id"])
    assert (second["state"], second["cli_session"]) == ("succeeded", over["cli_session"]), second["reason"]
    assert world.endpoint.ledger.turns(over["cli_session"])[-1].prompt == CONTINUE


def asking(world: World) -> dict[str, Any]:
    """A workspace where agents ask before they do anything; made once."""
    found = [each["id"] for each in world.api.get("/api/workspaces") if each["name"] == "asking"]
    return {"workspace": found[0] if found else world.add_workspace("asking", permission_mode="ask")["id"]}


def victim_of(world: World, run: Mapping[str, Any], victim: str) -> int:
    """The process of the CLI, or of the runner that started it."""
    cli = int(world.events(run, "started")[0]["pid"])
    return cli if victim == "the CLI" else processes.parent_of(cli)


@pytest.mark.parametrize(
    "words",
    [
        'It\'s "quoted" and `ticked` and \\slashed\\ $(touch /tmp/never) && ; | > < * ? ~ !\n'
        "line two\r\nline three Grüße 🙂 👩‍👩‍👧 日本語 @not a directive of ours? \u2028 \u200b\n",
        "-rf --dangerously-skip-permissions",
        "/help me with a path",
        "x" * 100_000,
    ],
    ids=["signs", "dash", "slash", "long"],
)
def test_a_prompt_arrives_as_it_was_written(world: World, backend: str, words: str) -> None:
    run = world.succeed(words, backend, title="A prompt")
    prompts = [entry.prompt for entry in world.endpoint.ledger.turns(run["cli_session"])]
    assert words.strip().replace("\r\n", "\n") in prompts[0].replace("\r\n", "\n")


def test_a_nul_in_a_prompt_arrives_as_its_sign(world: World, backend: str) -> None:
    run = world.succeed("before\0after", backend, title="NUL")
    assert "before\u2400after" in world.endpoint.ledger.turns(run["cli_session"])[0].prompt


@pytest.mark.one_database
class TestRepositories:
    def test_spaces_quotes_and_umlauts_in_the_path(self, world: World, backend: str) -> None:
        repo = make_oddly_named_repo(world.app.folder / f"odd {backend}")
        assert ODD_NAME in str(repo)
        workspace = world.add_workspace(f"odd {backend}", repo, permission_mode="full")["id"]
        run = world.succeed("@bash echo x > ä.txt", backend, workspace=workspace)
        assert (world.worktree(run) / "ä.txt").exists()

    def test_a_detached_head_does_not_matter(self, world: World) -> None:
        repo = make_detached_repo(world.app.folder / "detached")
        world.succeed("@write g.txt g", workspace=world.add_workspace("detached", repo)["id"])

    def test_a_submodule_does_not_stop_the_run(self, world: World) -> None:
        repo = make_repo_with_submodule(world.app.folder / "with-parts")
        run = world.succeed("@write h.txt h", workspace=world.add_workspace("parts", repo)["id"])
        assert (world.worktree(run) / "parts").is_dir()

    def test_a_repository_without_a_commit_says_what_to_do(self, world: World) -> None:
        repo = make_unborn_repo(world.app.folder / "unborn")
        run = world.finish("@text x", workspace=world.add_workspace("unborn", repo)["id"])
        assert run["state"] == "failed"
        assert "commit" in run["reason"]

    def test_a_base_branch_that_is_not_there_is_named(self, world: World) -> None:
        workspace = world.add_workspace("no base", base_branch="trunk")["id"]
        run = world.finish("@text x", workspace=workspace)
        assert run["state"] == "failed"
        assert "trunk" in run["reason"]

    def test_a_folder_that_is_no_repository_is_named(self, world: World) -> None:
        folder = world.app.folder / "just a folder"
        folder.mkdir()
        run = world.finish("@text x", workspace=world.add_workspace("folder", folder)["id"])
        assert run["state"] == "failed"
        assert "just a folder" in run["reason"]

    def test_a_branch_of_somebody_else_is_left_alone(self, world: World) -> None:
        next_task = world.start("@text x", title="warm up")["task"] + 1
        world.git("branch", f"aitask/{next_task}-mine", "main")
        run = world.succeed("@write i.txt i", title="mine")
        assert world.task_of(run)["branch"] == f"aitask/{next_task}-mine-2"
        assert world.git("rev-parse", f"aitask/{next_task}-mine") == world.git("rev-parse", "main")
