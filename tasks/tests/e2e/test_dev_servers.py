"""Dev servers that both CLIs start on a host, all at once, as a person sees them in the browser."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import django
import pytest
from playwright.sync_api import Page, expect

from aitask.tests.lab.browser import Chromium, open_page
from aitask.tests.lab.repos import git
from aitask.tests.lab.sshd import SshLab
from aitask.tests.lab.tools import require_tool
from aitask.tests.lab.wait import wait_for
from tasks.tests.e2e.cloud import Cloud

pytestmark = [pytest.mark.cli, pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]
SECONDS = 60_000
WORDS = {
    "index.html": '<h1 id="words"></h1><script type="module" src="/main.js"></script>\n',
    "main.js": "document.querySelector('#words').textContent = 'Before';\n",
    "site.py": """\
import sys
from django.conf import settings
from django.core.management import execute_from_command_line
from django.http import HttpResponse
from django.urls import path
settings.configure(DEBUG=True, ROOT_URLCONF=__name__, SECRET_KEY='x', ALLOWED_HOSTS=['localhost'])
urlpatterns = [path('', lambda request: HttpResponse('<h1 id="words">Before</h1>'))]
if __name__ == '__main__':
    execute_from_command_line(sys.argv)
""",
}
IN_BACKGROUND = {
    "claude_code": lambda command: (
        f"@tool Bash {json.dumps({'command': command, 'run_in_background': True})}"
    ),
    "codex": lambda command: f"@tool exec_command {json.dumps({'cmd': command, 'yield_time_ms': 300})}",
}
PAGES = {"vite": "main.js", "django": "site.py"}
WORK = "@bash for i in $(seq 100); do sleep 1; done"
"""As long as Claude Code lets a command run. Codex goes on sooner, and then waits for its server."""


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    require_tool("vite")
    with SshLab(max_sessions=2) as lab, Cloud(lab) as world:
        for name, text in WORDS.items():
            (world.far_repo / name).write_text(text)
        git(world.far_repo, "add", "--all")
        git(world.far_repo, "commit", "--quiet", "--message", "Two sites")
        lab.account.own(world.far_repo)
        world.api.patch(f"/api/workspaces/{world.workspace}", {"permission_mode": "full"})
        yield world


def command_of(server: str) -> str:
    if server == "vite":
        return f"{require_tool('vite')} --host 127.0.0.1 --port $AITASK_PORT --strictPort"
    packages = Path(django.__file__).parents[1]
    return f"PYTHONPATH={packages} python3 site.py runserver 127.0.0.1:$AITASK_PORT"


def started(cloud: Cloud, server: str, backend: str) -> dict[str, Any]:
    """Run an agent that starts a dev server, and works longer than the test."""
    script = (IN_BACKGROUND[backend](command_of(server)), WORK, WORK, "@text ok")
    run = cloud.start("\n".join(script), backend)
    cloud.api.wait_for_run(run["id"], {"running"}, timeout=120)
    return run


def opened(page: Page, cloud: Cloud, run: dict[str, Any]) -> Page:
    """Open the preview by a click on the task's page."""
    cloud.app.show(page, f"/tasks/{run['task']}")
    port = page.locator("#ports [data-port]")
    expect(port).to_have_count(1, timeout=SECONDS)
    with page.context.expect_page() as found:
        port.click()
    found.value.wait_for_url(re.compile(r"preview\.localhost:\d+/$"), timeout=SECONDS)
    return found.value


@pytest.mark.long("four agents with their dev servers, and a browser that sees each of them reload")
def test_vite_and_django_of_both_agents_are_seen_and_follow_their_edits(
    cloud: Cloud, chromium: Chromium
) -> None:
    servers = [(server, backend) for server in PAGES for backend in IN_BACKGROUND]
    runs = [started(cloud, *each) for each in servers]
    worktrees = [Path(cloud.task_of(run)["worktree_path"]) for run in runs]
    with open_page(chromium, cloud.app.site) as page:
        previews = [opened(page, cloud, run) for run in runs]
        assert len({preview.url for preview in previews}) == len(servers)
        for preview in previews:
            expect(preview.locator("#words")).to_have_text("Before", timeout=SECONDS)
        for (server, _), worktree in zip(servers, worktrees, strict=True):
            edited = worktree / PAGES[server]
            edited.write_text(edited.read_text().replace("Before", "After"))
        for (server, _), preview in zip(servers, previews, strict=True):
            if server == "django":  # restarts, but does not tell the browser
                wait_for(partial(shows_after_reload, preview), 60, "the restarted server")
            expect(preview.locator("#words")).to_have_text("After", timeout=SECONDS)
    for run in runs:
        cloud.api.post(f"/api/tasks/{run['task']}/cancel")
    assert {cloud.api.wait_for_run(run["id"], timeout=120)["state"] for run in runs} == {"cancelled"}


def shows_after_reload(preview: Page) -> bool:
    preview.reload()
    return preview.locator("body").inner_text() == "After"
