"""Terminals behind a real sshd: one channel for all, a link that fails, a host that is not there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aitask.tests.lab.sshd import SshLab
from terminal.tests.site import Site, start_site
from terminal.tests.socket_client import SocketClosed

pytestmark = pytest.mark.server


@pytest.fixture
def far(tmp_path: Path) -> Iterator[Site]:
    """A web server whose tasks are on a host that allows two sessions on a connection."""
    with SshLab(max_sessions=2, max_startups="10:30:100") as lab:
        repo = lab.make_repo()
        made = start_site(tmp_path / "data", lab, tasks=12, repo=str(repo))
        yield made
        made.installation.end()


def test_many_terminals_need_one_channel_and_survive_a_lost_link(far: Site) -> None:
    browsers = []
    for task in far.tasks:
        far.make_session(task)
        browsers.append(far.open(task))
        browsers[-1].until_message("snapshot", 60)
    for number, browser in enumerate(browsers):
        browser.type(b"echo his''own %d\r" % number)
    for number, browser in enumerate(browsers):
        browser.until_text(f"hisown {number}")
    assert isinstance(far.host, SshLab)
    far.host.restart()
    browsers[0].until_message("link", 30)
    browsers[0].until(lambda client: client.messages("link")[-1]["state"] == "up", 60)
    browsers[0].type(b"echo ba''ck\r")
    browsers[0].until_text("back")
    for browser in browsers:
        browser.close()


def test_a_session_is_made_on_the_far_host_and_an_unreachable_one_is_told(far: Site) -> None:
    browser = far.open(far.tasks[0])
    browser.until_message("snapshot", 90)
    browser.type(b"pwd\r")
    browser.until_text("repo.worktrees/")
    browser.close()
    assert isinstance(far.host, SshLab)
    far.host.sshd.stop()
    late = far.open(far.tasks[1])
    message = late.until_message("error", 60)
    assert message["retry"]
    assert message["kind"] in ("refused", "reset", "link_lost", "unreachable")
    with pytest.raises(SocketClosed) as closed:
        late.until(lambda client: False, 10)
    assert closed.value.code == 4411
