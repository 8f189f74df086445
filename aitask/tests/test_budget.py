"""The budget of a test run: what is run again, what takes long, and when that makes the run fail."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from aitask.tests.budget import MAX_RERUNS, RUN_SECONDS, Entry, problems, summary
from aitask.tests.installation import ROOT

pytestmark = pytest.mark.server

SHAKY = """
import pathlib, pytest

@pytest.mark.{marker}
@pytest.mark.parametrize("number", range({count}))
def test_shaky(number):
    tried = pathlib.Path(f"tried-{{number}}")
    if not tried.exists():
        tried.touch()
        pytest.fail("the first try of " + tried.name)
"""


@pytest.fixture
def budget(tmp_path: Path) -> Path:
    file = tmp_path / "budget"
    file.write_text(f"{time.time()}\n")
    return file


def run_shaky_tests(budget: Path, marker: str, count: int) -> subprocess.CompletedProcess[str]:
    (budget.parent / "test_it.py").write_text(SHAKY.format(marker=marker, count=count))
    plugins = ["-p", "aitask.tests.budget", "-p", "no:django", "-p", "no:cacheprovider"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *plugins, f"--budget={budget}", "test_it.py"],
        cwd=budget.parent,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_browser_test_is_run_again_and_the_reason_is_printed(budget: Path) -> None:
    done = run_shaky_tests(budget, "browser", 1)
    assert done.returncode == 0, done.stdout
    assert "run again: test_it.py::test_shaky[0]: Failed: the first try of tried-0" in done.stdout
    assert f"1 of {MAX_RERUNS} re-runs" in done.stdout


def test_other_tests_are_not_run_again(budget: Path) -> None:
    assert run_shaky_tests(budget, "slow", 1).returncode == 1


def test_more_re_runs_than_allowed_fail_a_run_whose_tests_all_passed_in_the_end(budget: Path) -> None:
    done = run_shaky_tests(budget, "cli", MAX_RERUNS + 1)
    assert f"{MAX_RERUNS + 1} passed" in done.stdout
    assert f"{MAX_RERUNS + 1} tests had to be run again" in done.stdout
    assert done.returncode == 1


def test_re_runs_of_earlier_parts_of_the_run_count(budget: Path) -> None:
    assert run_shaky_tests(budget, "cli", MAX_RERUNS).returncode == 0
    for tried in budget.parent.glob("tried-*"):
        tried.unlink()
    assert run_shaky_tests(budget, "browser", 1).returncode == 1


def test_a_test_far_over_its_time_is_a_problem_unless_a_reason_is_given() -> None:
    quick, slow = Entry("quick", 1.0), Entry("slow", 500.0)
    assert problems([quick, slow], 600) == [
        "over budget: slow took 500 s; make it faster, or mark it long and say why"
    ]
    assert problems([quick, Entry("slow", 500.0, long="fifty kills")], 600) == []


def test_a_run_far_over_its_time_is_a_problem() -> None:
    assert problems([], RUN_SECONDS * 3) != []


def test_the_slowest_tests_stand_first_with_their_reasons() -> None:
    entries = [Entry("quick", 1.0), Entry("slow", 50.0), Entry("slower", 90.0, long="fifty kills")]
    lines = summary(entries, 600)
    assert lines[0] == "  90.0 s  slower (long: fifty kills)"
    assert lines[1] == "  50.0 s  slow (over 40 s)"
    assert lines[-1] == f"so far 600 s of {RUN_SECONDS:.0f} s; 0 of {MAX_RERUNS} re-runs"
