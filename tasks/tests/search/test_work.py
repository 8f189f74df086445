"""A search finds what runs have changed, whatever they changed it with."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.test import Client

from aitask.tests.lab.repos import git
from tasks.models import Run, SearchEntry, Task, UnindexedWork
from tasks.runs import endings
from tasks.search import queries, work
from tasks.tests.factories import make_run
from tasks.tests.review.branches import small_repo, task_with, workspace_of
from tasks.tests.search.test_search import change, hits, save
from workspaces.git.diffs import key_of
from workspaces.hosts import HostError
from workspaces.tests.merging.conftest import environment as environment
from workspaces.tests.merging.conftest import home as home
from workspaces.tests.merging.repos import History

pytestmark = pytest.mark.django_db
ODD = 'odd\t"<b>\udcff\n.txt'


@pytest.fixture
def history(home: Path, tmp_path: Path) -> History:
    return small_repo(tmp_path / "shop", files=3)


def ended(history: History, files: dict[str, str | bytes | None], *, branch: str = "one") -> Run:
    """A run that has left a branch with these files, whose diff is indexed."""
    history.commit(branch, files, parent="main").write()
    task = task_with(workspace_of(history.repo), history.repo, branch, title="Plain", prompt="")
    return end(task)


def end(task: Task) -> Run:
    """End another run of the task, and let a worker do what is due."""
    commit = git(Path(task.workspace.repo_path), "rev-parse", f"refs/heads/{task.branch}")
    run = make_run(task=task, state="running")
    endings.note_outcome(run.pk, {"v": 1, "state": "succeeded", "commit": commit})
    for pk in list(UnindexedWork.objects.values_list("pk", flat=True)):
        work.index(pk)
    run.refresh_from_db()
    return run


def test_what_a_shell_command_wrote_is_found_and_opened_at_its_file(history: History) -> None:
    run = ended(history, {"src/sea_cow.py": "def swim():\n    return 'manatee'\n"})
    (diff,) = hits(run, "manatee")
    (file,) = hits(run, "sea_cow.py")
    assert (diff.kind, diff.text) == ("diff", "+def swim(): + return 'manatee'")
    assert (file.kind, file.text) == ("file", "src/sea_cow.py")
    assert diff.url == file.url == f"/tasks/{run.task_id}/changes#file-{key_of('src/sea_cow.py')}"
    assert not UnindexedWork.objects.exists()


def test_a_change_that_an_event_shows_is_found_once_at_its_place(history: History) -> None:
    run = ended(history, {"src/sea_cow.py": "manatee\n"})
    later = make_run(task=run.task, state="running")
    save(later, change("src/sea_cow.py", "+manatee"))
    (diff,) = hits(run, "manatee")
    assert (diff.run, diff.kind) == (later, "diff")


def test_only_what_the_branch_has_now_is_found(history: History) -> None:
    run = ended(history, {"first.txt": "manatee\n"})
    history.commit("one", {"first.txt": None, "second.txt": "walrus\n"}, parent="one").write()
    end(run.task)
    assert hits(run, "manatee") == []
    assert [hit.path for hit in hits(run, "walrus")] == ["second.txt"]


def test_of_generated_and_binary_files_only_the_names_are_found(history: History) -> None:
    run = ended(history, {"package-lock.json": "manatee\n", "data.bin": b"\0manatee\n"})
    assert hits(run, "manatee") == []
    assert [hit.kind for hit in hits(run, "package-lock.json")] == ["file"]
    assert [hit.kind for hit in hits(run, "data.bin")] == ["file"]


def test_moved_files_and_odd_names_have_their_lines(history: History) -> None:
    moved = "".join(f"line {number}\n" for number in range(30))
    history.commit("main", {"old.txt": moved}, parent="main").write()
    run = ended(
        history, {"old.txt": None, "new.txt": f"{moved}manatee\n", ODD: "diff --git a/x b/x\nwalrus\n"}
    )
    assert [hit.path for hit in hits(run, "manatee")] == ["new.txt"]
    assert [hit.text for hit in hits(run, "walrus")] == ["+diff --git a/x b/x +walrus"]
    client = Client()
    client.force_login(run.task.workspace.owner)
    assert client.get("/search/results", {"q": "walrus"}).status_code == 200


def test_what_is_indexed_of_a_diff_is_bounded(history: History) -> None:
    run = ended(history, {"a.txt": "manatee\n" * 100_000, **{f"m/{n}.txt": "walrus\n" for n in range(300)}})
    entries = SearchEntry.objects.filter(task=run.task, pk__lt=0)
    assert entries.count() <= 500
    assert sum(map(len, entries.values_list("text", flat=True))) < 2 * work.MOST_CHARACTERS


def test_a_host_that_is_away_is_asked_again_and_a_lost_job_is_enqueued_again(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = HostError("away", code="lost", retryable=True)

    def refuse(_task: Task) -> None:
        raise away

    with monkeypatch.context() as patched:
        patched.setattr(work, "view_of", refuse)
        run = ended(history, {"a.txt": "manatee\n"})
    row = UnindexedWork.objects.get()
    enqueued: list[int] = []
    monkeypatch.setattr("aitask.lib.leases.enqueue", lambda _job, pk: enqueued.append(pk))
    work.repair()
    assert enqueued == []
    UnindexedWork.objects.update(lease_until=None)
    work.repair()
    assert enqueued == [row.pk]
    work.index(row.pk)
    assert len(hits(run, "manatee")) == 1


def test_a_branch_that_is_gone_leaves_nothing_to_do(history: History) -> None:
    run = ended(history, {"a.txt": "manatee\n"})
    git(history.repo, "update-ref", "-d", "refs/heads/one")
    UnindexedWork.objects.create(task=run.task, commit=run.commit)
    work.index(UnindexedWork.objects.get().pk)
    assert not UnindexedWork.objects.exists()
    assert queries.search(run.task.workspace.owner, "manatee").count == 1
