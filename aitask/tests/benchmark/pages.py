"""Pages with many tasks and runs, measured against the server's cheapest answer, `/healthz`."""

from __future__ import annotations

import gzip
import http.client
import statistics
import subprocess
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

from aitask.tests.benchmark.rows import Row
from aitask.tests.lab.app import App

FEW, MANY = 50, 2000
RUNS_OF_EACH, REQUESTS = 50, 200
ROUNDS = 15


def measure() -> Iterator[Row]:
    with App() as app:
        app.start_role("web")
        app.wait_until_it_answers()
        fill(app, FEW, RUNS_OF_EACH)
        few = {path: answer(app, path)[0] for path in task_pages(app)}
        fill(app, MANY - FEW, RUNS_OF_EACH)
        yield from board(app, MANY)
        for path in task_pages(app):
            figure, _, _ = answer(app, path)
            name = "a task's page" if path.count("/") == 2 else "its side pane"
            yield Row("pages", f"{name}, {MANY:,} against {FEW} tasks", figure, "ms", few[path], most=1.2)
        seconds, floor, _ = answer(app, "/api/tasks?limit=100")
        yield Row("pages", f"/api/tasks, a page of {MANY:,}", seconds, "ms", floor, most=5)
        ask_for(app, REQUESTS)
        seconds, floor, _ = answer(app, "/inbox")
        yield Row("pages", f"the inbox of {REQUESTS} requests", seconds, "ms", floor, most=5)
        fill(app, 10 * MANY - MANY)
        yield from board(app, 10 * MANY)


def board(app: App, tasks: int) -> Iterator[Row]:
    seconds, floor, size = answer(app, "/")
    yield Row("pages", f"the board of {tasks:,} tasks", seconds, "ms", floor, most=6)
    yield Row("pages", f"the same on the wire, {tasks:,}", size / 1000, "kB", most=40)


def task_pages(app: App) -> tuple[str, str]:
    newest = app.api.get("/api/tasks?status=review&limit=1")["items"][0]["id"]
    return f"/tasks/{newest}", f"/tasks/{newest}/side"


def ask_for(app: App, requests: int) -> None:
    """Let so many agents wait for an answer."""
    fill(app, requests, 0, "waiting")


def fill(app: App, tasks: int, runs: int = 1, *more: str) -> None:
    command = [*app.python, "-m", "aitask.tests.benchmark.fill", str(tasks), str(runs), *more]
    subprocess.run(
        command,
        cwd=app.project,
        env=app.environment | {"DJANGO_SETTINGS_MODULE": "aitask.settings"},
        check=True,
    )


def answer(app: App, path: str) -> tuple[float, float, int]:
    """Median milliseconds of a page and of `/healthz`, asked in turn, and the page's bytes on the wire."""
    times: dict[str, list[float]] = {path: [], "/healthz": []}
    size = 0
    for _ in range(ROUNDS):
        for asked, found in times.items():
            seconds, received = ask(app, asked)
            found.append(seconds * 1000)
            size = received if asked == path else size
    return statistics.median(times[path]), statistics.median(times["/healthz"]), size


def ask(app: App, path: str) -> tuple[float, int]:
    """Seconds and bytes of one answer."""
    site = urlsplit(app.site)
    headers = {"Host": site.netloc, "Cookie": app.login.cookie_header, "Accept-Encoding": "gzip"}
    if path.startswith("/api/"):
        headers |= {"Authorization": f"Bearer {app.api.token}"}
    connection = http.client.HTTPConnection("127.0.0.1", app.port, timeout=60)
    started = time.perf_counter()
    connection.request("GET", path, headers=headers)
    response = connection.getresponse()
    body = response.read()
    seconds = time.perf_counter() - started
    connection.close()
    assert response.status == 200, (path, response.status)
    if response.headers.get("Content-Encoding") == "gzip":
        assert gzip.decompress(body)
    return seconds, len(body)
