"""Other git processes are waited for; other failures are told at once."""

from __future__ import annotations

import pytest

from workspaces.git.locks import is_locked, retry_while_locked
from workspaces.hosts import Completed

LOCKS = [
    "fatal: Unable to create '/r/.git/index.lock': File exists.\n\nAnother git process seems to be running",
    "error: cannot lock ref 'refs/heads/a': Unable to create '/r/.git/refs/heads/a.lock': File exists.",
    "error: could not lock config file /r/.git/config: File exists",
    "fatal: failed to read .git/worktrees/task-7/commondir: Success",
    "fatal: failed to read /srv/repo/.git/worktrees/1-x/gitdir: No such file or directory",
]
OTHERS = [
    "fatal: Unable to create '/r/.git/index.lock': No space left on device",
    "fatal: Unable to create '/r/.git/index.lock': Permission denied",
    "error: cannot lock ref 'refs/heads/a': is at 1111111 but expected 2222222",
    "fatal: 'x' is already checked out at '/r'",
]


def failed(text: str) -> Completed:
    return Completed(128, "", text)


@pytest.mark.parametrize("text", LOCKS)
def test_a_lock_of_another_git_is_waited_for(text: str) -> None:
    answers = [failed(text), failed(text), Completed(0, "", "")]
    assert retry_while_locked(lambda: answers.pop(0)).rc == 0
    assert answers == []


@pytest.mark.parametrize("text", OTHERS)
def test_another_failure_is_told_at_once(text: str) -> None:
    answers = [failed(text), Completed(0, "", "")]
    assert retry_while_locked(lambda: answers.pop(0)).err == text
    assert len(answers) == 1


def test_a_lock_that_stays_is_told_after_a_while() -> None:
    assert is_locked(retry_while_locked(lambda: failed(LOCKS[0]), patience=0.1))
