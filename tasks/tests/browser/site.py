"""A web process of its own with the sample board, and a hand that changes its rows from another process."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from functools import cached_property
from types import TracebackType
from typing import Any

from playwright.sync_api import Page

from aitask.tests.lab.app import App
from aitask.tests.lab.login import WebLogin, log_in
from aitask.tests.lab.ready import empty_tables
from aitask.tests.lab.tools import PROJECT

HAND = """
import contextlib, json, sys, traceback, django
django.setup()
from django.db import transaction
from django.contrib.auth.models import User
from aitask.lib import doorbell
from tasks import services
from tasks.models import Event, Run, Task
from tasks.tests import factories, sample_board
from workspaces.models import BackendHold, Host, Workspace
answers, sys.stdout = sys.stdout, sys.stderr
for line in sys.stdin:
    try:
        names = dict(globals(), result=None)
        exec(json.loads(line), names)
        told = {"result": names["result"]}
    except Exception:
        told = {"error": traceback.format_exc()}
    print(json.dumps(told), file=answers, flush=True)
"""


class Site:
    """`do` runs lines of Python against the site's database; what they put into `result` comes back."""

    def __init__(self) -> None:
        self.app = App({"DJANGO_SETTINGS_MODULE": "aitask.settings"}, empty=True)
        shutil.copy(empty_tables(), self.app.data)
        self._hand = subprocess.Popen(
            [sys.executable, "-c", HAND],
            cwd=PROJECT,
            env=self.app.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.app.start_role("web")
        self.do("sample_board.build(); Workspace.objects.update(max_parallel_runs=50)")
        self.app.wait_until_it_answers()

    @property
    def url(self) -> str:
        return self.app.site

    def do(self, code: str) -> Any:
        assert self._hand.stdin is not None
        assert self._hand.stdout is not None
        self._hand.stdin.write(json.dumps(code) + "\n")
        self._hand.stdin.flush()
        answer = json.loads(self._hand.stdout.readline())
        assert "error" not in answer, answer["error"]
        return answer["result"]

    def pk_of(self, title: str) -> int:
        return int(self.do(f"result = Task.objects.get(title={title!r}).pk"))

    @cached_property
    def login(self) -> WebLogin:
        return log_in(self.url, "ada", "correct horse")

    def show(self, page: Page, path: str = "/") -> None:
        """Open a page as somebody who has logged in."""
        self.login.give_to(page.context)
        page.goto(path)

    def close(self) -> None:
        self._hand.kill()
        self._hand.communicate()
        self.app.close()

    def __enter__(self) -> Site:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
