"""Attached files: on their way to an SSH host, against `scp`, and in the memory of the web process."""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from aitask.tests.benchmark.rows import Row
from aitask.tests.lab.app import App
from aitask.tests.lab.given_files import picture
from aitask.tests.lab.sshd import SshLab
from aitask.tests.lab.tools import require_tool
from tasks.tests.attachments.uploads import SIZE, memory, post

ALIAS = "cloud-direct"
ROUNDS, AT_ONCE = 9, 10
SEND = """
import hashlib, json, os, subprocess, time
from pathlib import Path
from workspaces import hosts
from workspaces.hosts.address import Address
from workspaces.hosts.upload import FileToSend, send_file

host = hosts.get(Address(kind="ssh", alias={alias!r}))
host.hello()
ways = {{"app": [], "scp": []}}
folder = Path({folder!r})
for number in range({rounds} + 1):
    data = os.urandom({size})
    (folder / "file").write_bytes(data)
    facts = {{"id": number, "name": "file", "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}}
    began = time.perf_counter()
    pieces = (data[at : at + 65536] for at in range(0, len(data), 65536))
    send_file(host, FileToSend({{"folder": "aaaa0000-1", **facts}}, pieces))
    sent = time.perf_counter()
    subprocess.run([{scp!r}, "-qO", "-F", {config!r}, folder / "file", "{alias}:copied"], check=True)
    if number:  # the first of each loads what is needed
        ways["app"].append(sent - began)
        ways["scp"].append(time.perf_counter() - sent)
print(json.dumps(ways))
"""


def measure() -> Iterator[Row]:
    with SshLab() as lab, App({"SSH_CONFIG": str(lab.config)}) as app:
        app.start_role("web")
        app.wait_until_it_answers()
        yield sending(app, lab)
        yield growth(app)


def sending(app: App, lab: SshLab) -> Row:
    """The median of rounds in which both ways take a file of 20 MB, one after the other.

    The app has its link already; `scp` makes a connection for each file, as a user's does.
    """
    places = {
        "alias": ALIAS,
        "scp": require_tool("scp"),
        "config": str(lab.config),
        "folder": str(app.folder),
    }
    found = app.manage("shell", "-c", SEND.format(**places, rounds=ROUNDS, size=SIZE))
    ways = json.loads(found.strip().splitlines()[-1])
    seconds, floor = (statistics.median(ways[way]) for way in ("app", "scp"))
    return Row("files", "20 MB to an SSH host, against scp", seconds, "s", floor, most=1.5)


def growth(app: App) -> Row:
    """Megabytes that the web process needs more, at most, while ten files of 20 MB arrive at once."""
    assert post(app, picture())[0] == 201  # loads all that is needed
    before = memory(app)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(lambda _: post(app, os.urandom(SIZE)), range(AT_ONCE)))
    assert [status for status, _ in answers] == [201] * AT_ONCE, answers
    return Row("files", f"memory of {AT_ONCE} uploads of 20 MB", memory(app) - before, "MB", most=30)
