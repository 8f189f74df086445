"""The web server as a process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from aitask.tests.installation import ROOT, Installation

pytestmark = pytest.mark.server

WAITING_FOR_EVER = """
import threading
from concurrent.futures import ThreadPoolExecutor
from aitask import web
web.EXIT_SECONDS = 0.1
ThreadPoolExecutor().submit(threading.Event().wait)
web.exit_soon()
"""

LATE_WORD = """
from aitask.web import DirectSocket
socket = DirectSocket()
socket.client_addr, socket.state = None, DirectSocket.STATE_CLOSED
socket.serverSend("late")
"""

ABRUPT_ENDS = """
import django
django.setup()
from aitask.tests import abrupt_ends
abrupt_ends.main()
"""


def test_a_word_to_a_page_that_has_just_gone_is_no_failure() -> None:
    done = subprocess.run([sys.executable, "-c", LATE_WORD], cwd=ROOT, timeout=60, check=False)
    assert done.returncode == 0


def test_nothing_outlives_a_thousand_browsers_that_leave_without_a_word(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ABRUPT_ENDS],
        cwd=ROOT,
        env=Installation(tmp_path).environment,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert json.loads(done.stdout or done.stderr) == {"connections": 0, "consumers": 0}
    assert done.stderr == ""  # nor does the log fill


def test_a_thread_that_waits_for_ever_does_not_hold_up_the_end() -> None:
    done = subprocess.run([sys.executable, "-c", WAITING_FOR_EVER], cwd=ROOT, timeout=60, check=False)
    assert done.returncode == 0
