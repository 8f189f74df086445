"""From a change to its card, on a board of many tasks with several boards open, and what that costs."""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

from aitask.tests.benchmark.pages import fill
from aitask.tests.benchmark.rows import Row
from aitask.tests.lab.app import App
from aitask.tests.lab.processes import cpu_seconds
from terminal.tests.socket_client import TEXT, RawSocket, SocketClosed

MANY, BOARDS, CHANGES = 2000, 5, 30
SETTLE = 3.0
"Seconds after which all boards are open and quiet."
CHANGED = re.compile(r"changed at ([\d.]+)")
HAND = """
import sys, time, django
django.setup()
from aitask.lib import doorbell
from tasks.models import Task
pks = list(Task.objects.filter(status="review").order_by("rank").values_list("pk", flat=True)[:10])
for number in range(int(sys.argv[1])):
    pk = pks[number % len(pks)]
    Task.objects.filter(pk=pk).update(title=f"changed at {time.time()}")
    doorbell.ring(f"task:{pk}")
    time.sleep(1)
"""


def measure() -> Iterator[Row]:
    with App() as app:
        app.start_role("web")
        app.wait_until_it_answers()
        fill(app, MANY)
        delays: list[float] = []
        for _ in range(BOARDS):
            threading.Thread(target=listen, args=(open_board(app), delays), daemon=True).start()
        time.sleep(SETTLE)
        pid, command = app.pid("web"), [sys.executable, "-c", HAND, str(CHANGES)]
        environment = app.environment | {"DJANGO_SETTINGS_MODULE": "aitask.settings"}
        before, started = cpu_seconds(pid), time.monotonic()
        subprocess.run(command, cwd=app.project, env=environment, check=True)
        share = 100 * (cpu_seconds(pid) - before) / (time.monotonic() - started)
        assert len(delays) >= BOARDS * (CHANGES - 1), f"only {len(delays)} cards came"
        what = f"to the card, {MANY:,} tasks, {BOARDS} boards"
        yield Row("changes", f"{what}, p50", statistics.median(delays), "ms")
        yield Row("changes", f"{what}, p95", statistics.quantiles(delays, n=20)[-1], "ms", most=150)
        yield Row("changes", "web, at one change a second", share, "%", most=10)


def open_board(app: App) -> RawSocket:
    headers = {"Cookie": app.login.cookie_header, "Host": urlsplit(app.site).netloc, "Origin": app.site}
    socket = RawSocket(app.port, "/ws/board", headers)
    assert socket.status == 101
    socket.send(TEXT, json.dumps({"t": "show", "view": 1}).encode())
    return socket


def listen(socket: RawSocket, delays: list[float]) -> None:
    """Note the milliseconds from each change until its card is here."""
    while True:
        try:
            message = json.loads(socket.receive(None)[1])
        except (OSError, SocketClosed):
            return
        socket.send(TEXT, json.dumps({"ack": message["n"]}).encode())
        for card in message.get("cards", ()):
            if found := CHANGED.search(card["html"]):
                delays.append((time.time() - float(found[1])) * 1000)
