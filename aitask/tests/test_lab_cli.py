"""Each directive of the scripted endpoint with both real CLIs; the ledger agrees with their own counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from aitask.tests.lab.cli_home import CliHome, make_cli_home
from aitask.tests.lab.endpoint import ScriptedEndpoint
from aitask.tests.lab.headless import Outcome, RunCli, run_claude, run_codex
from aitask.tests.lab.repos import make_repo

pytestmark = [pytest.mark.cli, pytest.mark.nightly]
CODE_MODE = "gpt-6.1-sol"


def run_code_mode(home: CliHome, cwd: Path, prompt: str, *options: str) -> Outcome:
    return run_codex(home, cwd, prompt, "-m", CODE_MODE, *options)


both = pytest.mark.parametrize("run", [run_claude, run_codex], ids=["claude", "codex"])
every_mode = pytest.mark.parametrize(
    "run", [run_claude, run_codex, run_code_mode], ids=["claude", "codex", "codex-code-mode"]
)


@pytest.fixture
def home(endpoint: ScriptedEndpoint, tmp_path: Path) -> CliHome:
    return make_cli_home(tmp_path / "home", endpoint.url)


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return make_repo(tmp_path / "repo")


@every_mode
def test_a_whole_script_runs_and_the_ledger_equals_the_cli_count(
    run: RunCli, endpoint: ScriptedEndpoint, home: CliHome, repo: Path
) -> None:
    script = (
        "Please\n@think hm\n@text I begin\n@write new.txt one\\ntwo\n"
        "@bash wc -l < new.txt > count.txt\n@text bye"
    )
    outcome = run(home, repo, script)
    assert outcome.returncode == 0
    assert outcome.text == "bye"
    assert "I begin" in outcome.all_text()
    assert (repo / "new.txt").read_text() == "one\ntwo\n"
    assert (repo / "count.txt").read_text() == "2\n"
    turns = endpoint.ledger.turns(outcome.session)
    assert [entry.step for entry in turns] == [0, 1, 2]
    assert {entry.prompt for entry in turns} == {script}
    assert outcome.tokens == endpoint.ledger.total(outcome.session)


@both
def test_a_prompt_without_directives_gets_a_plain_answer(run: RunCli, home: CliHome, repo: Path) -> None:
    assert run(home, repo, "What do you think of @README.md?").text == "Done."


@both
def test_an_unknown_directive_fails_with_its_name(run: RunCli, home: CliHome, repo: Path) -> None:
    outcome = run(home, repo, "@bsh true")
    assert outcome.returncode == 1
    assert "unknown directive @bsh" in outcome.all_text()


@every_mode
def test_files_are_read_and_edited(run: RunCli, home: CliHome, repo: Path) -> None:
    run(home, repo, """@read src/main.py\n@edit src/main.py 'print("hello")' 'print("bye")'""")
    assert (repo / "src/main.py").read_text() == 'print("bye")\n'


@every_mode
def test_lines_come_from_one_command(run: RunCli, home: CliHome, repo: Path) -> None:
    outcome = run(home, repo, "@lines 5 0.05")
    assert "line 1\\nline 2\\nline 3\\nline 4\\nline 5" in outcome.all_text()


@every_mode
def test_steps_are_one_response_each(
    run: RunCli, endpoint: ScriptedEndpoint, home: CliHome, repo: Path
) -> None:
    outcome = run(home, repo, "@steps 4 0\n@text all four")
    assert outcome.text == "all four"
    assert [entry.step for entry in endpoint.ledger.turns()] == [0, 1, 2, 3, 4]
    assert all(f"step {number}" in outcome.all_text() for number in range(1, 5))
    assert outcome.tokens == endpoint.ledger.total()


@both
def test_text_streams_with_pauses(run: RunCli, endpoint: ScriptedEndpoint, home: CliHome, repo: Path) -> None:
    assert run(home, repo, "@stream 5 0.1").text.splitlines() == [f"line {n}" for n in range(1, 6)]
    [entry] = endpoint.ledger.turns()
    assert entry.ended_at - entry.started_at >= 0.5


@both
def test_a_delay_comes_before_the_answer(
    run: RunCli, endpoint: ScriptedEndpoint, home: CliHome, repo: Path
) -> None:
    run(home, repo, "@delay 0.4\n@text late")
    [entry] = endpoint.ledger.turns()
    assert entry.ended_at - entry.started_at >= 0.4


@both
def test_two_calls_come_in_one_response(
    run: RunCli, endpoint: ScriptedEndpoint, home: CliHome, repo: Path
) -> None:
    run(home, repo, "@write a.txt a\n@and write b.txt b\n@text both")
    assert (repo / "a.txt").exists()
    assert (repo / "b.txt").exists()
    assert [entry.step for entry in endpoint.ledger.turns()] == [0, 1]


@both
@pytest.mark.parametrize("status", [400, 401, 429, 500])
def test_an_error_ends_the_run(
    run: RunCli, status: int, endpoint: ScriptedEndpoint, home: CliHome, repo: Path
) -> None:
    outcome = run(home, repo, f"@error {status}")
    assert outcome.returncode == 1
    assert {entry.status for entry in endpoint.ledger.turns()} == {status}
    assert outcome.tokens == endpoint.ledger.total()


@both
def test_an_error_that_passes_is_retried(
    run: RunCli, endpoint: ScriptedEndpoint, home: CliHome, repo: Path
) -> None:
    outcome = run(home, repo, "@error 500 2\n@text at last")
    assert outcome.text == "at last"
    assert [entry.status for entry in endpoint.ledger.turns()] == [500, 500, 200]


@both
def test_a_cut_stream_is_asked_for_again(
    run: RunCli, endpoint: ScriptedEndpoint, home: CliHome, repo: Path
) -> None:
    outcome = run(home, repo, "@bash true\n@cut\n@text a text that is cut once")
    assert outcome.text == "a text that is cut once"
    assert [entry.complete for entry in endpoint.ledger.turns()] == [True, False, True]


def test_a_stream_that_is_always_cut_fails_codex(home: CliHome, repo: Path) -> None:
    assert run_codex(home, repo, "@cut 99").returncode == 1


@both
def test_a_refused_login_is_named(run: RunCli, home: CliHome, repo: Path) -> None:
    outcome = run(home, repo, "@login")
    assert outcome.returncode == 1
    assert "API key" in outcome.all_text()


def test_claude_knows_the_limit_of_a_plan(endpoint: ScriptedEndpoint, tmp_path: Path, repo: Path) -> None:
    home = make_cli_home(tmp_path / "subscriber", endpoint.url, login="oauth")
    outcome = run_claude(home, repo, "@limit 30")
    [limit] = [line for line in outcome.lines if line["type"] == "rate_limit_event"]
    assert limit["rate_limit_info"]["status"] == "rejected"
    assert outcome.text.startswith("You've hit your")
    assert len(endpoint.ledger.turns()) == 1


def test_codex_knows_the_limit_of_a_plan(endpoint: ScriptedEndpoint, home: CliHome, repo: Path) -> None:
    outcome = run_codex(home, repo, "@limit 30")
    assert "hit your usage limit" in outcome.all_text()
    assert len(endpoint.ledger.turns()) == 1


def test_claude_tells_how_much_of_a_plan_is_used(
    endpoint: ScriptedEndpoint, tmp_path: Path, repo: Path
) -> None:
    home = make_cli_home(tmp_path / "subscriber", endpoint.url, login="oauth")
    outcome = run_claude(home, repo, "@quota 91")
    [limit] = [line for line in outcome.lines if line["type"] == "rate_limit_event"]
    assert limit["rate_limit_info"]["utilization"] == 0.91


def test_codex_keeps_how_much_of_a_plan_is_used(home: CliHome, repo: Path) -> None:
    run_codex(home, repo, "@quota 91")
    [rollout] = (home.folder / ".codex" / "sessions").rglob("*.jsonl")
    assert '"used_percent":91.0' in rollout.read_text()


def test_a_subagent_has_a_script_of_its_own(endpoint: ScriptedEndpoint, home: CliHome, repo: Path) -> None:
    call = (
        '{"description": "dig", "subagent_type": "general-purpose", "run_in_background": false, '
        '"prompt": "@write deep.txt dug"}'
    )
    outcome = run_claude(home, repo, f"@tool Agent {call}\n@text back")
    assert outcome.text == "back"
    assert (repo / "deep.txt").read_text() == "dug\n"
    assert outcome.tokens == endpoint.ledger.total(outcome.session)


def test_a_resumed_claude_session_follows_the_new_script(
    endpoint: ScriptedEndpoint, home: CliHome, repo: Path
) -> None:
    first = run_claude(home, repo, "@bash true\n@text one")
    second = run_claude(home, repo, "@text two", "--resume", first.session)
    assert second.text == "two"
    assert second.session == first.session
    assert first.tokens + second.tokens == endpoint.ledger.total(first.session)


def test_a_resumed_codex_thread_follows_the_new_script_and_counts_on(
    endpoint: ScriptedEndpoint, home: CliHome, repo: Path
) -> None:
    first = run_codex(home, repo, "@bash true\n@text one")
    second = run_codex(home, repo, "@text two", "resume", first.session)
    assert second.text == "two"
    assert second.tokens == endpoint.ledger.total(first.session)


@both
def test_odd_prompts_arrive_unchanged(
    run: RunCli, endpoint: ScriptedEndpoint, home: CliHome, repo: Path
) -> None:
    prompt = (
        "-x \"double\" 'single' $(touch no) `touch no` \\ Grüße 🎉\n\tsecond line\n" + "long " * 20_000 + "."
    )
    run(home, repo, prompt)
    assert [entry.prompt for entry in endpoint.ledger.turns()] == [prompt]


@both
def test_model_and_effort_are_in_the_ledger(
    run: RunCli, endpoint: ScriptedEndpoint, home: CliHome, repo: Path
) -> None:
    options = ["--effort", "low"] if run is run_claude else ["-c", "model_reasoning_effort=low"]
    run(home, repo, "@text hi", *options)
    [entry] = endpoint.ledger.turns()
    assert entry.effort == "low"
    assert entry.model in ("claude-sonnet-5-5", "gpt-5.5")
