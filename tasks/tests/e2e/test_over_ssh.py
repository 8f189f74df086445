"""The same over SSH: an alias with a jump host, ten agents at once, a link that comes and goes."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from aitask.lib.sleep import ASLEEP_SECONDS
from aitask.tests.lab import processes
from aitask.tests.lab.sshd import SshLab
from aitask.tests.lab.wait import wait_for
from tasks.tests.e2e.cloud import Cloud
from tasks.tests.e2e.page_socket import PageSocket
from tasks.tests.e2e.world import BACKENDS, assert_no_gap, tokens_of

pytestmark = [pytest.mark.cli, pytest.mark.slow]


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with SshLab(max_sessions=2, shell="noisy") as lab, Cloud(lab) as world:
        yield world


def test_ten_agents_at_once_each_end_with_their_commit_and_exact_tokens(cloud: Cloud) -> None:
    runs = [cloud.start(f"@steps 3 1\n@write {i}.txt number {i}", BACKENDS[i % 2]) for i in range(10)]
    for i, run in enumerate(runs):
        ended = cloud.api.wait_for_run(run["id"], timeout=180)
        assert ended["state"] == "succeeded", ended["reason"]
        assert cloud.task_of(ended)["status"] == "review"
        assert cloud.show(ended, f"{i}.txt") == f"number {i}"
        assert tokens_of(ended) == cloud.billed(ended)
        assert_no_gap(cloud.events(ended))


def test_the_audit_reads_the_transcripts_over_there_and_tells_other_work_apart(cloud: Cloud) -> None:
    """After the ten agents; one session more was made by somebody on that host by hand."""
    for backend in BACKENDS:
        cloud.succeed("@bash echo a\n@text over", backend)
    usage = {"input_tokens": 50, "output_tokens": 7}
    total = {"type": "token_count", "info": {"total_token_usage": usage}}
    by_hand = [
        {"type": "session_meta", "payload": {"id": "by-hand", "session_id": "by-hand", "cwd": "/"}},
        {"type": "event_msg", "payload": total},
    ]
    rollout = cloud.cli_home.folder / ".codex" / "sessions" / "rollout-by-hand.jsonl"
    rollout.write_text("".join(json.dumps(record) + "\n" for record in by_hand))
    said = cloud.app.manage("audit_usage", "--workspace", "cloud", check=False)
    assert "0 with a difference" in said
    assert "outside this app: 1 sessions, 57 tokens" in said


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_web_process_shows_the_words_of_an_agent_over_there_as_they_come(
    cloud: Cloud, backend: str
) -> None:
    gate = cloud.app.folder / f"gate-{backend}"
    ports = (cloud.app.port, cloud.app.add_web())
    run = cloud.start(f"@words 20 0.05 {gate}\n@text bye", backend)
    pages = [PageSocket(cloud.app, run["task"], each) for each in ports]
    for page in pages:
        page.until(lambda page=page: "w1 w2 w3 " in page.text and "w19 " in page.text)  # type: ignore[misc]
    gate.touch()
    for page in pages:
        page.until(lambda page=page: not page.text)  # type: ignore[misc]
        page.close()
    assert cloud.api.wait_for_run(run["id"])["state"] == "succeeded"


def test_a_restarted_sshd_loses_nothing(cloud: Cloud) -> None:
    runs = [cloud.start("@steps 8 1\n@write after.txt yes", backend) for backend in BACKENDS]
    for run in runs:
        cloud.api.wait_for_run(run["id"], {"running"}, timeout=60)
    cloud.lab.restart(pause=2)
    for run in runs:
        ended = cloud.api.wait_for_run(run["id"], timeout=120)
        assert ended["state"] == "succeeded", ended["reason"]
        assert_no_gap(cloud.events(ended))
        assert cloud.show(ended, "after.txt") == "yes"


def test_a_link_that_is_cut_shows_as_such_and_never_as_an_end(cloud: Cloud) -> None:
    run = cloud.start("@steps 6 1\n@write later.txt yes")
    cloud.api.wait_for_run(run["id"], {"running"}, timeout=60)
    cloud.lab.link.cut()
    wait_for(lambda: cloud.task_of(run)["badge"] == "link lost", 60, "the badge")
    heard = cloud.api.run(run["id"])
    assert heard["state"] == "running"
    wait_for(lambda: not cloud.api.wait_for_run(run["id"], {"running"}) or _agent_is_over(cloud, run), 60)
    cloud.lab.link.mend()
    ended = cloud.api.wait_for_run(run["id"], timeout=120)
    assert ended["state"] == "succeeded", ended["reason"]
    assert ended["last_heard_at"] > heard["last_heard_at"]
    assert_no_gap(cloud.events(ended))


@pytest.mark.long("the app sleeps for longer than any pause of a busy machine")
def test_a_machine_that_slept_takes_up_its_host_within_ten_seconds_and_says_so(cloud: Cloud) -> None:
    run = cloud.start("@steps 40 1\n@write slept.txt yes")
    cloud.api.wait_for_run(run["id"], {"running"}, timeout=60)
    commands = {pid: processes.command_of(pid) for pid in cloud.app.leftovers()}
    asleep = [pid for pid, command in commands.items() if "aitask" in command or "manage.py" in command]
    for pid in asleep:
        processes.send(pid, signal.SIGSTOP)
    cloud.lab.link.forget()
    cloud.lab.jump_link.forget()
    time.sleep(ASLEEP_SECONDS + 3)
    for pid in asleep:
        processes.send(pid, signal.SIGCONT)
    woke = datetime.now(UTC)
    wait_for(lambda: datetime.fromisoformat(cloud.api.run(run["id"])["last_heard_at"]) > woke, 10, "the host")
    board = cloud.app.login.get("/")
    assert "The machine of this app slept from" in board
    assert "1 run kept running" in board
    ended = cloud.api.wait_for_run(run["id"], timeout=120)
    assert ended["state"] == "succeeded", ended["reason"]
    assert_no_gap(cloud.events(ended))


def test_a_run_asked_for_while_the_host_is_away_waits_with_the_reason(cloud: Cloud) -> None:
    cloud.lab.link.cut()
    run = cloud.start("@text I am back")
    wait_for(lambda: "cloud" in cloud.api.run(run["id"])["reason"], 60, "the reason for waiting")
    assert cloud.api.run(run["id"])["state"] == "queued"
    cloud.lab.link.mend()
    assert cloud.api.wait_for_run(run["id"], timeout=120)["state"] == "succeeded"


def test_a_changed_host_key_is_refused_with_an_alarm(cloud: Cloud) -> None:
    cloud.lab.change_host_key()
    run = cloud.start("@text never", title="After the key changed")
    wait_for(lambda: "key" in cloud.api.run(run["id"])["reason"].lower(), 60, "the alarm")
    assert cloud.api.run(run["id"])["state"] in ("queued", "failed")
    cloud.lab.trust_host_keys()


def _agent_is_over(cloud: Cloud, run: dict[str, Any]) -> bool:
    """Whether the endpoint has seen the last step, which the app can't know while the link is cut."""
    entries = cloud.endpoint.ledger.turns(cloud.api.run(run["id"])["cli_session"])
    return any(entry.step >= 7 for entry in entries)
