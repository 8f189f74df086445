"""The files of a restored backup come into place together, wherever the process is killed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aitask.backup import switch

MOVED = ("db", "secret_key", "attachments/1")


class Killed(BaseException):
    pass


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    for name in (*MOVED, "db-wal"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("old")
        staged = tmp_path / ".restore-1" / name
        staged.parent.mkdir(parents=True, exist_ok=True)
        staged.write_text("new")
    return tmp_path


def decide(data_dir: Path) -> None:
    staging = data_dir / ".restore-1"
    switch.decide(
        data_dir, staging, [(staging / name, data_dir / name) for name in MOVED], [data_dir / "db-wal"]
    )


def state(data_dir: Path) -> set[str]:
    return {(data_dir / name).read_text() for name in MOVED}


def test_a_decided_restore_is_completed_once(data_dir: Path) -> None:
    decide(data_dir)
    assert state(data_dir) == {"old"}
    assert switch.finish(data_dir)
    assert state(data_dir) == {"new"}
    assert not (data_dir / "db-wal").exists()
    assert not (data_dir / ".restore-1").exists()
    assert not switch.finish(data_dir)


def test_without_a_decision_nothing_changes(data_dir: Path) -> None:
    assert not switch.finish(data_dir)
    assert state(data_dir) == {"old"}
    assert (data_dir / "db-wal").exists()


@pytest.mark.parametrize("steps", range(7))
def test_it_is_old_or_new_wherever_it_is_killed(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    left = steps

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            nonlocal left
            if left == 0:
                raise Killed
            left -= 1
            return real(*args, **options)

        return call

    with monkeypatch.context() as patched:
        for name in ("replace", "unlink"):
            patched.setattr(Path, name, counted(getattr(Path, name)))
        try:
            decide(data_dir)
            switch.finish(data_dir)
        except Killed:
            pass
    decided = (data_dir / switch.PLAN).exists()
    switch.finish(data_dir)  # as the next start does
    assert state(data_dir) == ({"new"} if decided or steps > 5 else {"old"})
