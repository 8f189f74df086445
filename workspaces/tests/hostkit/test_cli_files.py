"""Both real CLIs get every kind of file: in a first prompt, in a message to a busy agent, and on resume."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aitask.tests.lab.endpoint import ScriptedEndpoint
from aitask.tests.lab.given_files import PDF, TEXT, archive, digest, picture
from workspaces.hostkit.wire import AttachedFile

from .client import Bench, Run

pytestmark = pytest.mark.cli
BACKENDS = pytest.mark.parametrize("backend", ["claude_code", "codex"])
oldest = pytest.mark.oldest_cli
FOLDER = "aaaa0000-7-abcdefghij"


class Given:
    """The files of a task on the bench's host."""

    def __init__(self, bench: Bench) -> None:
        self.folder = Path(bench.serve.hello["state_dir"]) / "attachments" / FOLDER
        self.folder.mkdir(parents=True, mode=0o700)
        self._count = 0

    def add(self, name: str, kind: Any, media_type: str, content: bytes) -> AttachedFile:
        self._count += 1
        path = self.folder / str(self._count) / name
        path.parent.mkdir()
        path.write_bytes(content)
        return {
            "id": self._count,
            "path": str(path),
            "name": name,
            "media_type": media_type,
            "kind": kind,
            "size": len(content),
        }

    def picture(self, red: int) -> AttachedFile:
        return self.add(f"shot-{red}.png", "picture", "image/png", picture(red))

    def one_of_each(self) -> list[AttachedFile]:
        return [
            self.picture(1),
            self.add("plan.pdf", "pdf", "application/pdf", PDF),
            self.add("trace.log", "text", "text/plain", TEXT),
            self.add("all.tar.gz", "file", "application/gzip", archive()),
        ]


@pytest.fixture
def given(bench: Bench) -> Given:
    return Given(bench)


def waits_for(name: str) -> str:
    return f"@bash until [ -e {name} ]; do sleep 0.1; done"


@oldest
@BACKENDS
def test_every_kind_of_file_reaches_the_agent_whole(
    bench: Bench, endpoint: ScriptedEndpoint, given: Given, backend: str
) -> None:
    files = given.one_of_each()
    folder = {"attachments_folder": str(given.folder)}
    sums = "; ".join(f"sha256sum {file['path']} >> sums.txt" for file in files)
    prompt = f"@bash {sums}\n{waits_for('go')}\n@text fine"
    run = bench.start(backend, prompt, attachments=files, **folder)
    run.wait_event("tool", title="until [ -e go ]; do sleep 0.1; done")
    later = given.picture(2)
    answer = run.control(
        "message", text="and this", id="11111111-1111-4111-8111-111111111111", attachments=[later]
    )
    assert answer["ok"], answer
    (run.worktree / "go").touch()
    outcome = run.outcome()
    assert outcome["state"] == "succeeded", outcome
    contents = [picture(1), PDF, TEXT, archive()]
    written = (run.worktree / "sums.txt").read_text().splitlines()
    assert [line.split()[0] for line in written] == [digest(content) for content in contents]
    assert [event.get("attachments") for event in run.events("message")] == [[1, 2, 3, 4], [5]]
    first, *_, last = endpoint.ledger.turns(outcome["cli_session"])
    blocks = contents[:3] if backend == "claude_code" else contents[:1]
    assert list(first.files) == [digest(content) for content in blocks]
    assert digest(picture(2)) in last.files
    assert_resumed_with_a_picture(bench, endpoint, given, run, backend)


def assert_resumed_with_a_picture(
    bench: Bench, endpoint: ScriptedEndpoint, given: Given, run: Run, backend: str
) -> None:
    before = run.outcome()
    again = {"resume": before["cli_session"], "thread_total": before["thread_total"]}
    place = {"worktree": run.spec["worktree"], "branch": run.spec["branch"], "git_dir": run.spec["git_dir"]}
    files = [given.picture(3)]
    second = bench.start(
        backend, "", attachments=files, attachments_folder=str(given.folder), **again, **place
    )
    assert second.outcome()["state"] == "succeeded", second.outcome()
    last = endpoint.ledger.turns(before["cli_session"])[-1]
    assert {digest(picture(red)) for red in (1, 2, 3)} <= set(last.files)


@pytest.mark.parametrize("mode", ["plan", "ask", "edits"])
def test_claude_code_reads_the_files_of_the_task_without_asking_and_no_others(
    bench: Bench, given: Given, mode: str, tmp_path: Path
) -> None:
    log = given.add("trace.log", "file", "text/plain", TEXT)
    (tmp_path / "other.txt").write_text("not given")
    prompt = f"@read {log['path']}\n@bash head -1 {log['path']}\n@read {tmp_path}/other.txt\n@text fine"
    settings = {"permission_mode": mode, "attachments": [log], "attachments_folder": str(given.folder)}
    run = bench.start("claude_code", prompt, **settings)
    request = run.wait_event("request")
    assert request["title"].endswith("other.txt")
    results = run.events("tool_result")
    assert ["Traceback" in result["output"] for result in results] == [True, True]
    run.cancel()


@BACKENDS
def test_nothing_of_a_file_stays_in_the_folder_of_its_run(bench: Bench, given: Given, backend: str) -> None:
    run = bench.start(
        backend, "@text fine", attachments=given.one_of_each(), attachments_folder=str(given.folder)
    )
    assert run.outcome()["state"] == "succeeded"
    bench.serve.call("remove_folders", names=[f"attachments/{FOLDER}", f"runs/{run.folder.name}/tmp"])
    assert not given.folder.exists()
    home = Path(bench.environment["HOME"])
    left = [path for path in run.folder.rglob("*") if path.is_file() and has_content(path)]
    copies = [path for path in home.rglob("images/*") if path.is_file()]
    assert left == copies == []


def has_content(path: Path) -> bool:
    """Whether a file has the text that was given, or a large part of a picture or PDF."""
    data = path.read_bytes()
    return b"zweite Zeile" in data or b"iVBORw0KGgo" in data or b"JVBERi0" in data
