"""Fixtures and markers that every app's tests share."""

from __future__ import annotations

import gc
import re
import signal
from collections import defaultdict
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.test import TransactionTestCase

from aitask.tests.lab import shared

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from aitask.tests.lab.app import App
    from aitask.tests.lab.browser import Chromium
    from aitask.tests.lab.endpoint import ScriptedEndpoint

pytest_plugins = ["aitask.tests.budget"]
USES_DATABASE = {"db", "transactional_db", "django_db_serialized_rollback", "app", "world"}
USES_SERVER = {
    "app",
    "world",
    "site",
    "installation",
    "lasting_installation",
    "home",
    "hub",
    "shared_lab",
    "serve",
    "endpoint",
}
FAILED = pytest.StashKey[bool]()
SECONDS = {"slow": 5.0, "cli": 3.0, "browser": 1.5, "server": 0.5}
"""About how long a test with this mark takes."""
QUICK_SECONDS = 0.02


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--cli-turn",
        type=int,
        choices=(0, 1),
        help="use only one of the CLIs in each test, alternately; 1 swaps them",
    )


def pytest_configure() -> None:
    """Handle SIGINT and SIGHUP if they are ignored, as after a shell's `&` and nohup: child processes inherit
    ignored signals, but get the default for handled ones.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: None)
    shared.folder()  # before pytest starts processes that use it, too


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect without looking for garbage, and leave what is collected out of later looks: it stays."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests without a database, which need not run on each of them, and tests that start a server or try
    generated input, which a quick run omits. Sort the longest modules first.
    """
    for item in items:
        if not _uses_database(item):
            item.add_marker("any_database")
        if not USES_SERVER.isdisjoint(getattr(item, "fixturenames", ())):
            item.add_marker("server")
        if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker("fuzz")
    _sort_longest_first(items)


def _sort_longest_first(items: list[pytest.Item]) -> None:
    """Let several processes finish at the same time: a long module must not begin when others have ended.

    A folder's modules stay together, because they share fixtures, such as the app of `tasks/tests/e2e`.
    """
    of_folder, of_module = defaultdict[Path, float](float), defaultdict[Path, float](float)
    for item in items:
        seconds = max((SECONDS.get(mark.name, 0) for mark in item.iter_markers()), default=0) or QUICK_SECONDS
        of_module[item.path] += seconds
        of_folder[item.path.parent] += seconds
    items.sort(key=lambda item: (-of_folder[item.path.parent], -of_module[item.path], item.path))


def _uses_database(item: pytest.Item) -> bool:
    owner = getattr(item, "cls", None)
    return (
        item.get_closest_marker("django_db") is not None
        or (owner is not None and issubclass(owner, TransactionTestCase))
        or not USES_DATABASE.isdisjoint(getattr(item, "fixturenames", ()))
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Record for fixtures whether their test has failed, and show what the application printed then."""
    report = yield
    earlier = report.when != "setup" and item.stash.get(FAILED, False)
    item.stash[FAILED] = earlier or report.failed
    app = getattr(item, "funcargs", {}).get("app")
    if report.failed and app is not None:
        report.sections.append(("log of the application", app.log[-10_000:]))
    return report


@pytest.fixture
def endpoint() -> Iterator[ScriptedEndpoint]:
    """A scripted model endpoint on a free port of loopback."""
    from aitask.tests.lab.endpoint import ScriptedEndpoint

    with ScriptedEndpoint() as server:
        yield server


@pytest.fixture(scope="session")
def app() -> Iterator[App]:
    """The whole application, started by `manage.py up`; one per test process, because a start takes seconds.

    Tests have workspaces of their own in it. One that stops it or changes what others rely on starts another.
    """
    from aitask.tests.lab.app import App

    with App() as application:
        application.up()
        yield application


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    """One browser per module. While it is open, tests can't run an event loop in this thread."""
    from aitask.tests.lab.browser import open_browser

    with open_browser() as browser:
        yield browser


@pytest.fixture
def page(request: pytest.FixtureRequest, app: App, chromium: Chromium) -> Iterator[Page]:
    """A browser page, logged in to `app`. A failed test saves a screenshot in `test-artifacts/`."""
    from aitask.tests.lab.browser import open_page, screenshot

    with open_page(chromium, app.site) as opened:
        app.show(opened)
        yield opened
        if request.node.stash.get(FAILED, False):
            screenshot(opened, re.sub(r"[^\w-]+", "-", request.node.name))
