"""Files that nobody writes by hand: which they are, and that a review only folds them."""

from __future__ import annotations

import time

import pytest

from tasks.models import ViewedFile
from tasks.review.services import MOST_MARKS, mark_viewed
from tasks.review.views import file_out
from tasks.tests.factories import make_task, make_user
from workspaces.git.diffs import FileChange
from workspaces.git.generated import HandMade


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("uv.lock", "lock file"),
        ("web/package-lock.json", "lock file"),
        ("go.sum", "lock file"),
        ("vendor/github.com/a/b.go", "vendored"),
        ("web/node_modules/left-pad/index.js", "vendored"),
        ("src/__pycache__/a.cpython-312.pyc", "cache"),
        ("static/app.min.js", "generated"),
        ("api/service_pb2.py", "generated"),
        ("src/vendors.py", ""),
        ("distance.py", ""),
        ("lock.py", ""),
        ("", ""),
    ],
)
def test_names_tell_what_nobody_writes_by_hand(path: str, kind: str) -> None:
    assert HandMade().why_not(path) == kind


@pytest.mark.parametrize(
    ("attributes", "path", "kind"),
    [
        ("*.gen linguist-generated", "deep/a.gen", "generated"),
        ("gen/** linguist-generated=true", "gen/a/b.py", "generated"),
        ("gen/** linguist-generated", "other/gen/b.py", ""),
        ("**/gen/*.py linguist-generated", "other/gen/b.py", "generated"),
        ("lib/* linguist-vendored", "lib/a.c", "vendored"),
        ("*.lock -linguist-generated", "uv.lock", ""),
        ("*.py linguist-generated\nmine.py linguist-generated=false", "mine.py", ""),
        ("# *.py linguist-generated", "a.py", ""),
        ("*.py text diff=python", "a.py", ""),
        ("[ linguist-generated\n*.x linguist-generated", "a.x", "generated"),
    ],
)
def test_the_repository_can_say_what_is_generated(attributes: str, path: str, kind: str) -> None:
    assert HandMade(attributes).why_not(path) == kind


def test_hostile_attributes_take_no_time() -> None:
    kinds = ("*a*a*a{}", "*a" * 40 + "{}", "[" * 90 + "{}", "?" * 90 + "*{}")
    lines = [f"{kind.format(number)} linguist-generated" for number in range(1000) for kind in kinds]
    began = time.process_time()
    hand_made = HandMade("\n".join(lines))
    for _ in range(200):
        hand_made.why_not("a" * 4000 + "b")
    assert time.process_time() - began < 10


def change(path: str, old: str = "1" * 40, new: str = "2" * 40) -> FileChange:
    return FileChange(path, path, "M", 7, 3, old, new, "100644", "100644")


def test_a_folded_file_still_counts_and_what_tools_run_is_never_folded() -> None:
    hand_made = HandMade("* linguist-generated")
    folded = file_out(change("src/a.py"), {}, hand_made)
    assert (folded["folded"], folded["additions"], folded["deletions"]) == ("generated", 7, 3)
    assert file_out(change("conftest.py"), {}, hand_made)["folded"] == ""
    assert file_out(change("check.sh"), {}, hand_made, ["sh check.sh"])["folded"] == ""


def test_a_mark_is_for_a_version_and_says_when_it_is_out_of_date() -> None:
    before, after = change("a.py"), change("a.py", new="3" * 40)
    elsewhere = change("a.py", old="9" * 40)

    def seen(file: FileChange, *viewed: FileChange) -> tuple[bool, bool]:
        out = file_out(file, {file.key: {each.version for each in viewed}}, HandMade())
        return out["viewed"], out["changed_since"]

    assert seen(before) == (False, False)
    assert seen(before, before) == (True, False)
    assert seen(after, before) == (False, True)
    assert seen(before, before, after) == (True, False)
    assert seen(before, elsewhere) == (False, False), "the same content, compared with something else"


@pytest.mark.django_db
def test_marks_of_several_versions_are_kept_but_not_for_ever() -> None:
    task, user = make_task(), make_user()
    other = make_user("other")
    mark_viewed(task, "a", "0", is_viewed=True, user=other)
    for number in range(MOST_MARKS + 2):
        mark_viewed(task, "a", str(number), is_viewed=True, user=user)
    mark_viewed(task, "a", "5", is_viewed=False, user=user)
    versions = ViewedFile.objects.filter(user=user).order_by("pk").values_list("version", flat=True)
    assert list(versions) == [str(number) for number in range(2, MOST_MARKS + 2) if number != 5]
    assert ViewedFile.objects.filter(user=other).count() == 1
