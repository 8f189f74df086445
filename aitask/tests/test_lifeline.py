"""The start of a child of `up`."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from aitask.supervisor.lifeline import INTERRUPTED

STARTING = """
import time
print("imports", flush=True)
time.sleep(600)
"""


def test_a_child_that_is_stopped_while_it_imports_ends_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "starting.py").write_text(STARTING)
    with subprocess.Popen(
        [sys.executable, "-m", "aitask.supervisor.lifeline", "starting"],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{Path(__file__).resolve().parents[2]}:{tmp_path}"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as child:
        assert child.stdout
        while b"imports" not in child.stdout.readline():
            pass
        child.send_signal(signal.SIGINT)
        assert child.stderr
        assert (child.wait(60), child.stderr.read()) == (INTERRUPTED, b"")
