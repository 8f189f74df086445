"""Files from a laptop to an agent behind SSH, with both real CLIs, until the task is removed."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aitask.tests.lab.given_files import PDF, TEXT, archive, digest, picture, traces_in
from aitask.tests.lab.repos import commit_file
from aitask.tests.lab.sshd import SshLab
from aitask.tests.lab.wait import wait_for
from tasks.tests.e2e.cloud import Cloud
from tasks.tests.e2e.web_session import WebSession
from workspaces.git.diffs import key_of

pytestmark = [pytest.mark.cli, pytest.mark.slow]


LOGO, SKETCH = picture(8), picture(9)
SEES_AND_MAKES = {
    "claude_code": "@read logo.png\n@bash cp sketch.png made.png",
    "codex": '@tool view_image {"path": "logo.png"}\n@bash cp sketch.png made.png',
}
"""The agent looks at one picture of the repository, and makes another one with a command."""
RESUME = {
    "claude_code": ("claude", "--print", "--resume"),
    "codex": ("codex", "exec", "resume"),
}


class CloudWithFiles(Cloud):
    """A cloud that is searched for what is left of files, with pictures in its repository."""

    def __init__(self, lab: SshLab) -> None:
        super().__init__(lab)
        commit_file(self.far_repo, "logo.png", LOGO)
        commit_file(self.far_repo, "sketch.png", SKETCH)
        lab.account.own(self.far_repo)

    @property
    def state(self) -> Path:
        return self.lab.account.home / ".local/state/aitask"

    def traces_of(self, content: bytes) -> list[Path]:
        """The files of the host's account that have something of this content."""
        account = self.lab.account
        shared = [Path(f"/tmp/claude-{account.uid}")] if account.made else []  # else that of a developer
        return traces_in(content, account.home, *shared)

    def resume_by_hand(self, run: Any, worktree: Path) -> None:
        """Go on with the run's session as a person does in a shell of the host."""
        variables = [f"{name}={value}" for name, value in self.cli_home.environment.items()]
        command = [*RESUME[run["backend"]], run["cli_session"], "By hand.\n@text fine"]
        line = shlex.join(["env", "-C", str(worktree), *variables, *command])
        done = self.lab.ssh("cloud", line, timeout=60)
        assert (done.returncode, "fine" in done.stdout) == (0, True), done

    def given_to(self, run: Any) -> list[str]:
        """The digests of the files in the last request of the run's conversation."""
        return list(self.endpoint.ledger.turns(run["cli_session"])[-1].files)


@pytest.fixture(scope="module")
def cloud() -> Iterator[CloudWithFiles]:
    with SshLab() as lab, CloudWithFiles(lab) as world:
        yield world


def test_files_of_every_kind_go_with_the_prompt_a_message_and_a_follow_up_and_leave_with_the_task(
    cloud: CloudWithFiles, backend: str
) -> None:
    api = cloud.api
    contents = {"shot.png": picture(1), "plan.pdf": PDF, "trace.log": TEXT, "all.tar.gz": archive()}
    ids = [api.attach(name, content)["id"] for name, content in contents.items()]
    prompt = f"{SEES_AND_MAKES[backend]}\n@bash until [ -e go ]; do sleep 0.1; done\n@text fine"
    run = cloud.start(prompt, backend, attachments=ids)
    busy = wait_for(
        lambda: [e for e in cloud.events(run, "tool") if "until" in e["title"]], 60, "a busy agent"
    )
    assert busy
    (folder,) = (cloud.state / "attachments").glob(f"*-{run['task']}-*")
    put = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert put == contents
    later = api.attach("more.png", picture(2))["id"]
    api.post(f"/api/runs/{run['id']}/message", {"text": "", "attachments": [later]})
    (cloud.worktree(run) / "go").touch()
    ended = api.wait_for_run(run["id"])
    assert ended["state"] == "succeeded", ended["reason"]
    shows_pictures_of_the_agent(cloud, run)
    seen = [contents["shot.png"], *([PDF, TEXT] if backend == "claude_code" else []), picture(2), LOGO]
    assert set(cloud.given_to(ended)) == {digest(content) for content in seen}
    third = api.attach("third.png", picture(3))["id"]
    follow_up = api.post(f"/api/runs/{run['id']}/message", {"text": "and now", "attachments": [third]})
    again = api.wait_for_run(follow_up["run"])
    assert again["state"] == "succeeded", again["reason"]
    assert digest(picture(3)) in cloud.given_to(again)
    given = {**contents, "more.png": picture(2), "third.png": picture(3)}
    assert all(cloud.traces_of(content) for content in given.values())
    worktree, files = cloud.worktree(run), len(cloud.given_to(again))
    api.delete(f"/api/tasks/{run['task']}")
    wait_for(lambda: not folder.exists(), 60, "the folder to be removed")
    left = {}

    def nothing_is_left() -> bool:
        left.update({name: cloud.traces_of(content) for name, content in given.items()})
        return not any(left.values()) and not list((cloud.state / "runs").glob(f"*-{run['id']}-*"))

    wait_for(nothing_is_left, 60, lambda: f"nothing to be left but {left}")
    cloud.resume_by_hand(again, worktree)
    empty = cloud.given_to(again)
    assert (len(empty), set(empty) & set(map(digest, given.values()))) == (files, set())


def shows_pictures_of_the_agent(cloud: CloudWithFiles, run: Any) -> None:
    """One that it has looked at, and one that a command has made, which is in the diff, too."""
    (looked,) = [event["pictures"] for event in cloud.events(run, "tool_result") if "pictures" in event]
    (made,) = [event["pictures"] for event in cloud.events(run, "notice") if "pictures" in event]
    assert [looked[0]["sha256"], made[0]["sha256"]] == [digest(LOGO), digest(SKETCH)]
    session = WebSession(cloud.app)
    conversation = session.get(f"/tasks/{run['task']}")
    assert all(f"/pictures/{row['sha256']}/thumbnail" in conversation for row in (*looked, *made))
    for row in (*looked, *made):
        address = f"{cloud.app.site}/runs/{run['id']}/pictures/{row['sha256']}"
        with cloud.app.login.opener.open(address) as answer:
            assert answer.headers["Content-Type"] == "image/png"
    changes = session.get(f"/tasks/{run['task']}/diff/file?key={key_of('made.png')}")
    assert changes.count("data:image/png;base64,") == 1


@pytest.mark.long("the app waits before it tries a lost host again")
def test_a_lost_link_in_the_middle_of_a_file_delays_the_start_and_nothing_is_half_there(
    cloud: CloudWithFiles,
) -> None:
    large = b"\0" + os.urandom(19 << 20)
    name = "large.bin"
    task = cloud.api.add_task(
        cloud.workspace, "@text fine", "codex", attachments=[cloud.api.attach(name, large)["id"]]
    )
    run = cloud.api.run_task(task["id"])
    attachments = cloud.state / "attachments"
    begun = f"*-{task['id']}-*/*/.*.part"
    wait_for(lambda: list(attachments.glob(begun)), 60, "the upload", at_most_every=0.02)
    cloud.lab.link.cut()
    assert not list(attachments.glob(f"*-{task['id']}-*/*/{name}"))
    cloud.lab.link.mend()
    ended = cloud.api.wait_for_run(run["id"], timeout=120)
    assert ended["state"] == "succeeded", ended["reason"]
    (whole,) = attachments.glob(f"*-{task['id']}-*/*/*")
    assert (whole.name, digest(whole.read_bytes())) == (name, digest(large))
