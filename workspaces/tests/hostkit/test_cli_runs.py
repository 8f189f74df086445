"""The whole way with the real CLIs: guard, runner, CLI, events, commit, outcome."""

from __future__ import annotations

import os
import signal
import tempfile
import uuid
from pathlib import Path

import pytest

from aitask.tests.lab.cli_home import make_cli_home
from aitask.tests.lab.endpoint import ScriptedEndpoint
from aitask.tests.lab.ledger import total
from aitask.tests.lab.repos import git
from aitask.tests.lab.wait import wait_for
from workspaces.hostkit.base.consent import digest_of

from .client import Bench, Run
from .test_sweep import alive_with

pytestmark = pytest.mark.cli
BACKENDS = pytest.mark.parametrize("backend", ["claude_code", "codex"])
oldest = pytest.mark.oldest_cli
NAMES = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")


def assert_tokens_equal_the_ledger(run: Run, endpoint: ScriptedEndpoint) -> None:
    outcome = run.outcome()
    total = endpoint.ledger.total(outcome["cli_session"])
    assert {name: outcome["usage"][name] for name in NAMES} == {name: getattr(total, name) for name in NAMES}


def assert_tokens_are_those_of_whole_answers(run: Run, endpoint: ScriptedEndpoint) -> None:
    """Newer CLIs also report what they know of answers that were cut off."""
    outcome = run.outcome()
    entries = endpoint.ledger.entries(lambda entry: entry.session == outcome["cli_session"])
    whole, every = endpoint.ledger.total(outcome["cli_session"]), total(entries)
    for name in NAMES:
        assert getattr(whole, name) <= outcome["usage"][name] <= getattr(every, name), name


@oldest
@BACKENDS
def test_a_run_edits_commits_and_counts_its_tokens(
    bench: Bench, endpoint: ScriptedEndpoint, backend: str
) -> None:
    run = bench.start(backend, "Please.\n@text I will write.\n@write made.txt hello there\n@text All done.")
    outcome = run.outcome()
    assert outcome["state"] == "succeeded", outcome
    assert outcome["committed"]
    assert outcome["diff"] == {"files": 1, "additions": 1, "deletions": 0}
    assert git(run.worktree, "show", "HEAD:made.txt") == "hello there"
    assert git(run.worktree, "log", "-1", "--format=%H %an %s") == f"{outcome['commit']} Ada Lab Leftovers"
    assert_tokens_equal_the_ledger(run, endpoint)
    events = run.events()
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert events[-1]["kind"] == "finished"
    assert run.wait_event("file_change")["path"] == "made.txt"
    wait_for(lambda: "-- continue with: " in run.screen())


@BACKENDS
def test_a_prompt_of_any_kind_reaches_the_model_as_it_is(
    bench: Bench, endpoint: ScriptedEndpoint, backend: str
) -> None:
    prompt = "/compact -x\n--help \"q\" 's' $(id) `id` \\ 🎉 \u202e\x1b[31m\n@text ok\n" + "lång " * 20_000
    run = bench.start(backend, prompt.replace("$(id)", "$(id)\0"))
    assert run.outcome()["state"] == "succeeded"
    sent = endpoint.ledger.turns(run.outcome()["cli_session"])[0].prompt
    assert sent.strip() == prompt.strip()
    assert "NUL" in run.wait_event("notice")["text"]


@BACKENDS
@pytest.mark.parametrize(
    ("prompt", "state", "code"),
    [
        ("@error 400", "failed", "rejected"),
        ("@login", "failed", "login"),
        ("@error 429", "failed", "limit"),
        ("@error 500", "failed", "server"),
        ("@cut 50\n@text part", "failed", "connection"),
        ("@error 500 1\n@text fine", "succeeded", ""),
    ],
)
def test_what_the_service_refuses_is_the_outcome(
    bench: Bench, endpoint: ScriptedEndpoint, backend: str, prompt: str, state: str, code: str
) -> None:
    run = bench.start(backend, prompt)
    outcome = run.outcome()
    assert (outcome["state"], outcome["reason_code"]) == (state, code), outcome["reason"]
    assert bool(outcome["reason"]) == (state == "failed")
    assert_tokens_are_those_of_whole_answers(run, endpoint)


@oldest
@BACKENDS
def test_the_plans_limit_tells_when_it_resets(bench: Bench, endpoint: ScriptedEndpoint, backend: str) -> None:
    home = make_cli_home(bench.folder / "oauth", endpoint.url, login="oauth")
    environment = {**home.environment, "ANTHROPIC_API_KEY": ""}  # the host's own would win over the login
    run = bench.start(backend, "@limit 30", environment=environment)
    outcome = run.outcome()
    assert outcome["reason_code"] == "limit"
    assert outcome["resets_at"] > run.events()[0]["at"]
    assert run.wait_event("limit")["status"] == "reached"


@oldest
@BACKENDS
def test_a_resumed_run_counts_only_its_own_tokens(
    bench: Bench, endpoint: ScriptedEndpoint, backend: str
) -> None:
    first = bench.start(backend, "@bash true\n@text one")
    before = first.outcome()
    session = before["cli_session"]
    billed = endpoint.ledger.total(session)
    again = {"resume": session, "thread_total": before["thread_total"], "worktree": first.spec["worktree"]}
    second = bench.start(backend, "@bash true\n@text two", **again, branch=first.spec["branch"])
    after = second.outcome()
    assert after["cli_session"] == session
    total = endpoint.ledger.total(session)
    own = {name: getattr(total, name) - getattr(billed, name) for name in NAMES}
    assert {name: after["usage"][name] for name in NAMES} == own


@oldest
@BACKENDS
def test_an_approval_waits_for_a_person(bench: Bench, backend: str) -> None:
    run = bench.start(backend, "@bash touch made.txt\n@text ok", permission_mode="ask")
    request = run.wait_event("request")
    run.wait_event("state", state="waiting")
    assert run.control("status")["requests"][0]["title"] == "touch made.txt"
    assert run.control("approve", request="no-such")["ok"] is False
    assert run.control("approve", request=request["id"], scope="run") == {"ok": True}
    assert run.outcome()["state"] == "succeeded"
    assert git(run.worktree, "show", "--name-only", "--format=", "HEAD") == "made.txt"
    assert run.wait_event("request_closed")["decision"] == "allow_for_run"


@BACKENDS
def test_a_person_refuses_at_the_keyboard(bench: Bench, backend: str) -> None:
    run = bench.start(backend, "@bash touch made.txt\n@text ok", permission_mode="ask")
    run.wait_event("request")
    wait_for(lambda: "/y allows" in run.screen())
    run.type("/n not like this")
    closed = run.wait_event("request_closed")
    assert (closed["decision"], closed["by"], closed["text"]) == ("deny", "keyboard", "not like this")
    assert run.outcome()["state"] == "succeeded"
    assert not (run.worktree / "made.txt").exists()


@oldest
def test_a_question_is_answered_from_the_web(bench: Bench, endpoint: ScriptedEndpoint) -> None:
    run = bench.start("claude_code", "@ask Which colour? | Red | Blue\n@text ok")
    request = run.wait_event("request", request_kind="question")
    run.control("answer", request=request["id"], answers={"Which colour?": "Blue"})
    assert run.outcome()["state"] == "succeeded"
    assert "Blue" in run.wait_event("tool_result")["output"]


@oldest
def test_a_sandboxed_agent_can_commit_in_its_worktree(bench: Bench) -> None:
    own = "git add . && git -c user.name=A -c user.email=a@b commit -qm own"
    run = bench.start("codex", f"@write a.txt x\n@bash {own}\n@text ok", permission_mode="edits")
    assert run.outcome()["state"] == "succeeded"
    assert git(run.worktree, "log", "-1", "--format=%s") == "own"


def test_a_sandboxed_agent_reaches_neither_main_nor_settings_nor_tmp(bench: Bench) -> None:
    common, main = bench.repo / ".git", git(bench.repo, "rev-parse", "main")
    before = {name: (common / name).read_bytes() for name in ("config", "HEAD")}
    escape = Path(tempfile.gettempdir(), f"escape-{uuid.uuid4().hex}")
    attempts = (
        "git update-ref refs/heads/main HEAD~1",
        "git config core.fsmonitor true",
        f"touch {common}/hooks/post-checkout",
        f"touch {common}/info/attributes",
        f"touch {escape}",
    )
    script = "".join(f"@bash {one}\n" for one in attempts) + "@text ok"
    run = bench.start("codex", script, permission_mode="edits")
    assert run.outcome()["state"] == "succeeded"
    assert git(bench.repo, "rev-parse", "main") == main
    assert {name: (common / name).read_bytes() for name in before} == before
    planted = (escape, common / "hooks/post-checkout", common / "info/attributes")
    assert not [path for path in planted if path.exists()]


@pytest.mark.parametrize("mode", ["ask", "edits"])
def test_a_sandboxed_agent_can_be_kept_from_reading_a_folder(bench: Bench, tmp_path: Path, mode: str) -> None:
    hidden, found = tmp_path / "data", tmp_path / "data/found"
    found.mkdir(parents=True)
    (hidden / "secret_key").write_text("hidden-words\n")
    script = (
        f"@bash cat {hidden}/secret_key; ls {found}; cat {hidden}/secret_key > in\n@write own.txt x\n@text ok"
    )
    run = bench.start("codex", script, permission_mode=mode, unreadable=[str(hidden)])
    seen: set[str] = set()

    def allow_all() -> bool:
        for request in run.events("request"):
            if request["id"] not in seen:
                seen.add(request["id"])
                run.control("approve", request=request["id"])
        return (run.folder / "outcome.json").exists()

    wait_for(allow_all, 60, "the outcome")
    assert run.outcome()["state"] == "succeeded", run.outcome()
    assert "hidden-words" not in (run.folder / "raw.jsonl").read_text()
    assert (run.worktree / "own.txt").read_text().strip() == "x"


def test_sandboxes_of_parallel_runs_do_not_disturb_each_other(bench: Bench) -> None:
    steps = "".join(f"@write file-{number}.txt x\n@bash git add . && sleep 0.1\n" for number in range(6))
    runs = [bench.start("codex", f"{steps}@text ok", permission_mode="edits") for _ in range(4)]
    for run in runs:
        assert run.outcome(120)["state"] == "succeeded"
        assert not [event["title"] for event in run.events("request")]


def test_a_sandboxed_agent_has_a_temporary_folder_of_its_own(bench: Bench) -> None:
    run = bench.start("codex", "@bash echo x > $TMPDIR/file && mktemp\n@text ok", permission_mode="edits")
    assert run.outcome()["state"] == "succeeded"
    [result] = [event for event in run.events() if event["kind"] == "tool_result"]
    assert not result["is_error"], result
    assert (Path(run.spec["temporary"]) / "file").read_text() == "x\n"


@oldest
@BACKENDS
def test_ctrl_c_interrupts_and_ends_the_command(bench: Bench, backend: str) -> None:
    run = bench.start(backend, "@bash env sleep 4731\n@text ok")
    run.wait_event("tool")
    wait_for(lambda: alive_with("4731"))
    run.press("C-c")
    outcome = run.outcome()
    assert (outcome["state"], outcome["reason_code"]) == ("cancelled", "interrupted")
    assert not alive_with("4731")
    assert run.wait_event("tool_result")["is_error"]


@oldest
@BACKENDS
def test_messages_are_taken_in_the_turn_or_after_it(
    bench: Bench, endpoint: ScriptedEndpoint, backend: str
) -> None:
    run = bench.start(backend, "@bash sleep 2\n@text ok")
    run.wait_event("tool")
    assert run.control("message", id="m1", text="a word", when="now") == {"ok": True, "id": "m1"}
    assert run.control("message", id="m2", text="@bash echo two\n@text then", when="after_turn")["ok"]
    assert run.control("message", id="m3", text="@text never", when="after_turn")["ok"]
    assert run.control("withdraw", id="m3") == {"ok": True}
    outcome = run.outcome()
    assert [event["id"] for event in run.events("message")] == ["prompt", "m1", "m2"]
    assert outcome["usage"]["turns"] == 2
    assert_tokens_equal_the_ledger(run, endpoint)


def test_questions_and_plans_are_answered_at_the_keyboard(bench: Bench) -> None:
    script = "@ask Which? | Red | Blue\n@tool EnterPlanMode {}\n@plan # Steps\n@text ok"
    run = bench.start("claude_code", script, permission_mode="ask")
    answers = iter(("/y 2", *["/y"] * 5))

    def is_over() -> bool:
        if len(run.events("request")) > len(run.events("request_closed")):
            run.type(next(answers))
            wait_for(lambda: len(run.events("request")) == len(run.events("request_closed")))
        return (run.folder / "outcome.json").exists()

    wait_for(is_over, 40, "the end of the run", every=0.1)
    assert run.outcome()["state"] == "succeeded"
    assert "Blue" in str(run.events("tool_result")[0]["output"])
    assert "plan" in {event["request_kind"] for event in run.events("request")}
    assert {event["by"] for event in run.events("request_closed")} == {"keyboard"}


@BACKENDS
def test_the_keyboard_allows_for_the_whole_run_changes_settings_and_stops(bench: Bench, backend: str) -> None:
    script = "@bash touch a.txt\n@bash touch a.txt\n@stream 300 0.1"
    run = bench.start(backend, script, permission_mode="ask")
    run.wait_event("request")
    run.type("/a")
    run.wait_event("request_closed", decision="allow_for_run", by="keyboard")
    wait_for(lambda: len(run.events("tool_result")) == 2, 30, "the second command")
    for line in ("/model another-model", "/effort low", "/mode edits"):
        run.type(line)
    wait_for(lambda: len(run.events("settings")) == 3, 30, "the settings")
    said = {name: value for event in run.events("settings") for name, value in event.items()}
    assert (said["model"], said["reasoning_effort"], said["permission_mode"]) == (
        *("another-model", "low"),
        "edits",
    )
    run.type("/stop")
    outcome = run.outcome()
    assert (outcome["state"], outcome["reason"]) == ("cancelled", "Stopped at the terminal.")
    assert len(run.events("request")) == 1


SPAWN = "(env -i /usr/bin/setsid sleep {0} &); setsid sleep {0} & nohup sleep {0} & sleep {0}"


@BACKENDS
def test_an_interrupt_leaves_nothing_running_though_the_run_goes_on(bench: Bench, backend: str) -> None:
    mark = f"{os.getpid()}.4734"
    run = bench.start(backend, f"@bash {SPAWN.format(mark)}\n@text ok")
    wait_for(lambda: len(alive_with(mark)) >= 4, 30)
    run.control("message", id="m1", text="@bash sleep 4\n@text on", when="after_turn")
    run.control("interrupt")
    run.wait_event("message", id="m1")
    wait_for(lambda: not alive_with(mark), 5, "the end of what the first turn started")
    assert not (run.folder / "outcome.json").exists()
    assert run.outcome()["state"] == "succeeded"


@BACKENDS
def test_a_cancel_leaves_nothing_of_what_the_agent_started(bench: Bench, backend: str) -> None:
    mark = f"{os.getpid()}.4732"
    run = bench.start(backend, f"@bash {SPAWN.format(mark)}\n@text ok")
    wait_for(lambda: len(alive_with(mark)) >= 4, 30)
    outcome = run.cancel()["outcome"]
    assert (outcome["state"], outcome["reason"]) == ("cancelled", "No longer wanted")
    assert alive_with(mark) == []


@BACKENDS
def test_a_closed_session_cancels_the_run_and_leaves_nothing(bench: Bench, backend: str) -> None:
    mark = f"{os.getpid()}.4733"
    run = bench.start(backend, f"@bash setsid sleep {mark} & sleep {mark}\n@text ok")
    wait_for(lambda: len(alive_with(mark)) >= 2, 30)
    bench.tmux("kill-session", "-t", f"={run.session}")
    outcome = run.outcome()
    assert (outcome["state"], outcome["reason_code"]) == ("cancelled", "hangup")
    assert alive_with(mark) == []


@BACKENDS
def test_a_cli_killed_in_mid_turn_is_told(bench: Bench, backend: str) -> None:
    run = bench.start(backend, "@bash env sleep 4734\n@text ok")
    wait_for(lambda: alive_with("4734"), 30)
    os.kill(run.wait_event("started")["pid"], signal.SIGKILL)
    outcome = run.outcome()
    assert outcome["reason_code"] == "cli_died"
    assert "signal 9" in outcome["reason"]
    assert alive_with("4734") == []


@oldest
def test_the_clis_are_probed(bench: Bench) -> None:
    found = bench.serve.call("probe", environment=bench.environment)
    for backend in ("claude_code", "codex"):
        assert found[backend]["version"].count(".") >= 2
        assert found[backend]["logged_in"] is True


def test_the_doctor_tells_what_is_there(bench: Bench) -> None:
    facts = bench.serve.call("doctor", repo_path=str(bench.repo))
    assert facts["git"]["version"]
    assert float(facts["tmux"]["version"].rstrip("abc")) >= 3.2
    assert facts["disk"]["free_bytes"] > 0


@BACKENDS
def test_a_command_that_comes_twice_is_carried_out_once(bench: Bench, backend: str) -> None:
    run = bench.start(backend, "@bash sleep 2\n@text ok")
    run.wait_event("tool")
    for _ in range(2):
        assert run.control("message", id="m1", text="a word", when="after_turn")["ok"]
    run.outcome()
    assert [event["id"] for event in run.events("message")] == ["prompt", "m1"]


@BACKENDS
def test_what_holds_from_the_next_turn_on_is_an_event(bench: Bench, backend: str) -> None:
    run = bench.start(backend, "@bash sleep 1\n@text ok")
    run.wait_event("tool")
    assert run.control("set_mode", permission_mode="edits")["ok"]
    assert run.wait_event("settings")["permission_mode"] == "edits"
    assert run.outcome()["state"] == "succeeded"


def answer_all(run: Run, **first: str) -> list[str]:
    """Answer the first request with these words, allow the others once; the titles of all of them."""
    answered: list[str] = []

    def is_over() -> bool:
        for request in run.events("request")[len(answered) :]:
            run.control("approve", request=request["id"], **({} if answered else first))
            answered.append(request["title"])
        return (run.folder / "outcome.json").exists()

    wait_for(is_over, 60, "the end of the run", every=0.1)
    assert run.outcome()["state"] == "succeeded", run.outcome()
    return answered


@BACKENDS
def test_allowed_for_the_run_is_the_same_call_alone(bench: Bench, backend: str) -> None:
    script = "@bash touch a.txt\n@bash touch a.txt\n@bash touch a.txt b.txt\n@bash touch c.txt\n@text ok"
    run = bench.start(backend, script, permission_mode="ask")
    assert answer_all(run, scope="run") == ["touch a.txt", "touch a.txt b.txt", "touch c.txt"]
    notices = [event["text"] for event in run.events("notice")]
    assert [text for text in notices if text.startswith("Allowed by your rule for this run: ")] != []


def test_a_file_outside_that_is_allowed_for_the_run_opens_no_other_way(bench: Bench) -> None:
    outside = bench.folder / "outside.txt"
    write = f'@tool Write {{"file_path": "{outside}", "content": "x"}}'
    other = f'@tool Write {{"file_path": "{outside}.2", "content": "x"}}'
    run = bench.start("claude_code", f"{write}\n@write in.txt x\n{other}\n@text ok", permission_mode="ask")
    titles = answer_all(run, scope="run")
    assert titles == [str(outside), "in.txt", f"{outside}.2"]
    assert not run.events("settings")


def test_a_wider_permission_is_the_one_that_was_picked_and_leaves_no_file(bench: Bench) -> None:
    script = "@bash npm run one\n@bash npm run two\n@bash touch c.txt\n@write in.txt x\n@text ok"
    run = bench.start("claude_code", script, permission_mode="ask")
    grants = run.wait_event("request")["grants"]
    wide = [grant for grant in grants if "every command that begins with `npm run`" in grant["text"]]
    assert len(wide) == 1, grants
    assert answer_all(run, grant=wide[0]["id"]) == ["npm run one", "touch c.txt", "in.txt"]
    assert not (run.worktree / ".claude").exists()


def test_what_a_terminal_would_hide_is_in_the_request_and_on_the_screen(bench: Bench) -> None:
    command = "echo hello \x1b]; touch hidden.txt \x07"
    run = bench.start("codex", f"@bash {command}\n@text ok", permission_mode="ask")
    request = run.wait_event("request")
    assert request["input"] == {"command": command, "shell": request["input"]["shell"]}
    assert request["digest"] == digest_of(request)
    wait_for(lambda: "echo hello \\x1b]; touch hidden.txt \\x07" in run.screen())
    assert "not the request" in run.control("approve", request=request["id"], digest="0" * 64)["error"]
    assert run.control("deny", request=request["id"]) == {"ok": True}
    assert run.outcome()["state"] == "succeeded"


@BACKENDS
def test_what_changes_outside_the_worktree_is_said_while_the_run_goes_on(bench: Bench, backend: str) -> None:
    main = bench.repo
    git(main, "branch", "side", git(main, "commit-tree", "-m", "x", "HEAD^{tree}"))
    script = f"@bash cd {main} && echo >> stray.txt; git update-ref refs/heads/side HEAD\n@bash env sleep 600"
    run = bench.start(backend, script, permission_mode="full", repo=str(main))
    stray = run.wait_event("outside", change="files")
    assert (stray["name"], stray["paths"], stray["by_run"]) == (str(main), ["stray.txt"], True)
    assert run.wait_event("outside", change="branch")["name"] == "refs/heads/side"
    assert run.cancel()["outcome"]["state"] == "cancelled"
    assert len(run.events("outside")) == 2


@BACKENDS
def test_commands_of_an_agent_have_the_port_of_its_worktree(bench: Bench, backend: str) -> None:
    script = "@bash echo $AITASK_PORT >port.txt\n@text ok"
    run = bench.start(backend, script, permission_mode="full")
    assert run.outcome()["state"] == "succeeded"
    assert 20000 <= int(Path(run.worktree, "port.txt").read_text()) <= 29999
