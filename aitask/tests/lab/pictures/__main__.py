"""Takes the pictures of the README: `python -m aitask.tests.lab.pictures`. Takes one or two minutes.

They show the real app with two repositories behind `ssh cloud`, Claude Code and Codex with a scripted model,
a terminal, and a merge train with a conflict and a failing check. Only the times are changed afterwards,
because all runs started within one minute.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Page, expect

from aitask.tests.lab.app import App
from aitask.tests.lab.browser import open_browser, open_page
from aitask.tests.lab.endpoint import ScriptedEndpoint
from aitask.tests.lab.pictures import project
from aitask.tests.lab.pictures import tasks as samples
from aitask.tests.lab.pictures.palette import reduced
from aitask.tests.lab.pictures.tasks import Sample
from aitask.tests.lab.repos import git, make_unborn_repo
from aitask.tests.lab.sshd import SshLab
from aitask.tests.lab.tools import PROJECT
from aitask.tests.lab.wait import wait_for

FOLDER = PROJECT / "docs" / "pictures"
WIDTH = 1440
COMMENT = "Please make this a setting."
BACKDATE = """
from datetime import timedelta
from django.db.models import F
from tasks.models import MergeTrain, Run
for run, minutes in {minutes}.items():
    earlier = timedelta(minutes=minutes, seconds=run * 7 % 60)
    Run.objects.filter(pk=run).update(
        queued_at=F("queued_at") - earlier, started_at=F("started_at") - earlier,
        finished_at=F("finished_at") - earlier)
MergeTrain.objects.update(created_at=F("created_at") - timedelta(minutes=20))
"""


class SampleShop:
    """An installation with tasks, agents and a merge train."""

    def __init__(self, lab: SshLab, app: App, endpoint: ScriptedEndpoint) -> None:
        self.lab, self.app, self.endpoint = lab, app, endpoint
        self.tasks: dict[str, int] = {}
        self.runs: dict[int, int] = {}
        "Maps each run to the minutes since its start."

    def build(self) -> int:
        """Fill the board; return the number of the merge train."""
        self.storefront = self._workspace("storefront", project.STOREFRONT, check_command="make test")
        self.billing = self._workspace("billing-api", project.BILLING, default_backend="codex")
        self._merge(self._succeed(samples.DONE))
        train = self._merge(self._succeed([samples.REVIEWED, *samples.MERGED])[1:])
        self._ended(self._start(samples.BILLING_DONE, self.billing), "failed")
        self._limit(self.storefront, len(samples.RUNNING))
        self._limit(self.billing, 1)
        self._at_work()
        for sample in samples.QUEUED:
            self._start(sample, self.storefront)
        for sample in samples.BACKLOG:
            self._add(sample, self.storefront)
        self.app.manage("shell", "--no-imports", "-c", BACKDATE.format(minutes=self.runs))
        return train

    def _workspace(self, name: str, files: Mapping[str, str], **fields: Any) -> int:
        repo = make_unborn_repo(self.lab.account.home / name)
        git(repo, "config", "user.name", "Ada")
        git(repo, "config", "user.email", "ada@shop.example")
        for path, content in files.items():
            (repo / path).parent.mkdir(parents=True, exist_ok=True)
            (repo / path).write_text(content)
        git(repo, "add", "--all")
        git(repo, "commit", "-q", "-m", "The shop as it is")
        self.lab.account.own(repo)
        home = self.lab.make_cli_home(self.endpoint.url, name=f".clis-{name}")
        environment = {**home.environment, "HOME": str(self.lab.account.home)}
        far = {"kind": "ssh", "ssh_host": "cloud", "environment": environment, "max_parallel_runs": 2}
        workspace: int = self.app.api.add_workspace(name, str(repo), **far, **fields)["id"]
        return workspace

    def _limit(self, workspace: int, runs: int) -> None:
        self.app.api.patch(f"/api/workspaces/{workspace}", {"max_parallel_runs": runs})

    def _add(self, sample: Sample, workspace: int) -> int:
        model = samples.CODEX_MODEL if sample.backend == samples.CODEX else samples.CLAUDE_MODEL
        effort = {"model": model, "reasoning_effort": "high"}
        task = self.app.api.add_task(workspace, sample.prompt, sample.backend, title=sample.title, **effort)
        self.tasks[sample.title] = task["id"]
        return int(task["id"])

    def _start(self, sample: Sample, workspace: int) -> int:
        run: int = self.app.api.run_task(self._add(sample, workspace))["id"]
        if sample.minutes:
            self.runs[run] = sample.minutes
        return run

    def _ended(self, run: int, state: str = "succeeded") -> dict[str, Any]:
        ended: dict[str, Any] = self.app.api.wait_for_run(run, timeout=240)
        assert ended["state"] == state, f"{ended['state']}: {ended['reason']}"
        return ended

    def _succeed(self, chosen: Iterable[Sample]) -> list[int]:
        """Run these tasks until they succeed; return their numbers."""
        return [self._ended(run)["task"] for run in [self._start(each, self.storefront) for each in chosen]]

    def _merge(self, tasks: list[int]) -> int:
        api = self.app.api
        for task in tasks:
            api.post(f"/api/tasks/{task}/accept")
        train: int = api.post(f"/api/workspaces/{self.storefront}/merge", {"tasks": tasks})["id"]
        ended = ("finished", "stopped", "cancelled")
        wait_for(
            lambda: api.get(f"/api/merge-trains/{train}")["state"] in ended, 120, f"the end of train {train}"
        )
        return train

    def _at_work(self) -> None:
        """Start agents that are running, waiting for an answer, or starting."""
        runs = [self._start(sample, self.storefront) for sample in samples.RUNNING]
        other = self._start(samples.BILLING_RUNNING, self.billing)
        for run in runs[1:]:
            self.app.api.wait_for_run(run, {"waiting"}, timeout=120)
        for run, kind in ((runs[0], "file_change"), (other, "file_change")):
            self._wait_for_event(run, kind)

    def _wait_for_event(self, run: int, kind: str) -> None:
        def came() -> bool:
            return any(event["kind"] == kind for event in self.app.api.events(run))

        wait_for(came, 120, f"a {kind} of run {run}")


def board(shop: SampleShop, page: Page, _train: int) -> None:
    shop.app.show(page)
    expect(page.locator("html[data-ready]")).to_be_attached()


def diff(shop: SampleShop, page: Page, _train: int) -> None:
    """Show a diff with a comment that has not been sent."""
    shop.app.show(page, f"/tasks/{shop.tasks[samples.REVIEWED.title]}/changes")
    code = page.locator(".file", has_text="shop/database.py")
    expect(code.locator(".h-k", has_text="return").first).to_be_visible()
    if not code.locator(".comment").count():
        code.locator("tr", has_text="SLOW_SECONDS = 0.2").locator("button[data-side=new]").click()
        page.get_by_label(re.compile("On line")).fill(COMMENT)
        page.get_by_role("button", name="Add comment").click()
    expect(code.locator(".comment")).to_contain_text(COMMENT)


def terminal(shop: SampleShop, page: Page, _train: int) -> None:
    shop.app.show(page, f"/tasks/{shop.tasks[samples.RUNNING[1].title]}/terminal")
    expect(page.locator("#term-state")).to_contain_text("connected")
    expect(page.locator("#sessions a").first).to_be_visible()


def merge(shop: SampleShop, page: Page, train: int) -> None:
    shop.app.show(page, f"/merge-trains/{train}")
    expect(page.locator(".step").first).to_be_visible()


SUBJECTS = {"board": (board, 800), "diff": (diff, 800), "terminal": (terminal, 640), "merge": (merge, 860)}
"""What to show, and the height of the picture."""


def take(shop: SampleShop, train: int, folder: Path) -> None:
    """Take the picture of each subject in both themes."""
    themes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    with open_browser() as browser:
        for theme in themes:
            for name, (show, height) in SUBJECTS.items():
                with open_page(
                    browser, shop.app.site, width=WIDTH, height=height, color_scheme=theme
                ) as page:
                    show(shop, page, train)
                    page.mouse.move(0, 0)
                    picture = page.screenshot(animations="disabled")
                (folder / f"{name}-{theme}.png").write_bytes(reduced(picture))


def main() -> None:
    parser = argparse.ArgumentParser(description="Take the pictures of the README.")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the pictures go")
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    with (
        ScriptedEndpoint(scripts=samples.SCRIPTS) as endpoint,
        SshLab() as lab,
        App({"SSH_CONFIG": str(lab.config)}) as app,
    ):
        app.up()
        shop = SampleShop(lab, app, endpoint)
        take(shop, shop.build(), folder)


if __name__ == "__main__":
    main()
