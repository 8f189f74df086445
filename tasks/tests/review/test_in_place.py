"""The review on the page of its task: what is in the middle, what comes next, and what a verdict is about."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from django.test import Client
from django.utils import timezone

from aitask.tests.lab.repos import commit_file, git
from tasks.models import Comment, Event, Run, Task, Verdict
from tasks.review import comments
from tasks.review.queries import MOST_COUNTED, review_queue
from tasks.tests.factories import make_run, make_task, make_user, make_workspace
from tasks.tests.review.branches import small_repo, task_with, workspace_of
from workspaces.git.diffs import key_of
from workspaces.tests.merging.repos import changed

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]


@pytest.fixture
def work(home: Path, tmp_path: Path) -> tuple[Client, Task]:
    """A task in review whose branch and worktree exist."""
    history = small_repo(tmp_path / "shop")
    user = make_user()
    history.commit("one", changed(1, 2, "better"), parent="main").write()
    tree = tmp_path / "tree"
    git(history.repo, "worktree", "add", "-q", str(tree), "one")
    workspace = workspace_of(history.repo, owner=user)
    task = task_with(workspace, history.repo, "one", worktree_path=str(tree))
    client = Client()
    client.force_login(user)
    return client, task


def bar(client: Client, task: Task, query: str = "") -> str:
    return " ".join(client.get(f"/tasks/{task.pk}/review{query}").content.decode().split())


def say(task: Task, *texts: tuple[str, str | None]) -> None:
    """Let the agent write texts; each has the tool call that started its sub-agent, if any."""
    run = task.runs.get()
    for seq, (text, parent) in enumerate(texts, 1):
        data = {"text": text, "parent": parent}
        Event.objects.create(run=run, seq=seq, at=timezone.now(), kind="text", data=data)
    Run.objects.filter(pk=run.pk).update(last_seq=len(texts))


def test_the_diff_is_in_the_middle_while_a_task_is_in_review(work: tuple[Client, Task]) -> None:
    client, task = work
    say(task, ("First.", None), ("## All\n  is `<done>`.", None), ("A helper's.", "call-1"))
    page = client.get(f"/tasks/{task.pk}").content.decode()
    assert 'data-layout="review"' in page
    folded = page[page.index('id="lastwords"') :]
    assert "All is &lt;done&gt;." in folded[: folded.index("</button>")]
    Task.objects.filter(pk=task.pk).update(status="running")
    assert 'data-layout="talk"' in client.get(f"/tasks/{task.pk}").content.decode()


def test_a_verdict_is_about_the_commit_that_was_shown(work: tuple[Client, Task]) -> None:
    client, task = work
    seen = client.get(f"/tasks/{task.pk}/diff").json()["tip"]
    commit_file(Path(task.worktree_path), "late.txt", "nobody has seen this\n")
    answer = client.post(f"/tasks/{task.pk}/accept", {"seen": seen}, headers={"HX-Request": "true"})
    assert answer.status_code == 409
    assert "has changed since" in answer.headers["HX-Trigger"]
    assert not Verdict.objects.exists()
    seen = client.get(f"/tasks/{task.pk}/diff").json()["tip"]
    assert client.post(f"/tasks/{task.pk}/accept", {"seen": seen}).status_code == 302
    assert Verdict.objects.get().commit == seen


def test_a_comment_on_a_whole_file_goes_to_the_agent_and_is_never_outdated(work: tuple[Client, Task]) -> None:
    client, task = work
    place = {"key": key_of("part000/file00001.txt"), "side": "new", "line": 0, "end_line": 0}
    body = json.dumps({**place, "commit": "", "quote": "", "text": "Is this file needed?"})
    written = client.post(f"/tasks/{task.pk}/comments", body, content_type="application/json").json()
    assert (written["line"], written["outdated"]) == (0, False)
    git(Path(task.worktree_path), "rm", "-q", "part000/file00001.txt")
    git(Path(task.worktree_path), "commit", "-qm", "Gone")
    assert not client.get(f"/tasks/{task.pk}/diff").json()["comments"][0]["outdated"]
    assert "`part000/file00001.txt`:\nIs this file" in comments.follow_up_text([Comment.objects.get()])


@pytest.mark.parametrize("lines", [(0, 1), (1, 0), (-1, -1), (2, 1)])
def test_a_comment_on_lines_that_do_not_exist_is_refused(
    work: tuple[Client, Task], lines: tuple[int, int]
) -> None:
    client, task = work
    place = {"key": key_of("code.py"), "side": "new", "line": lines[0], "end_line": lines[1]}
    body = json.dumps({**place, "commit": "", "quote": "", "text": "Here."})
    assert client.post(f"/tasks/{task.pk}/comments", body, content_type="application/json").status_code == 409


def test_requesting_changes_sends_the_comments_of_this_user_only(work: tuple[Client, Task]) -> None:
    client, task = work
    other = make_user("other")
    for author, text in ((task.workspace.owner, "Mine."), (other, "Theirs.")):
        values = {"path_key": key_of("a.py"), "line": 1, "end_line": 1, "text": text}
        Comment.objects.create(task=task, author=author, **values)
    assert client.post(f"/tasks/{task.pk}/send-back", {"message": ""}).status_code == 302
    prompt = task.runs.get(state="queued").prompt
    assert "Mine." in prompt
    assert "Theirs." not in prompt
    assert list(Comment.objects.filter(sent_at=None).values_list("text", flat=True)) == ["Theirs."]


def test_requesting_changes_without_words_or_comments_is_refused(work: tuple[Client, Task]) -> None:
    client, task = work
    answer = client.post(f"/tasks/{task.pk}/send-back", {"message": " "}, headers={"HX-Request": "true"})
    assert answer.status_code == 409
    assert not task.runs.filter(state="queued").exists()


def test_the_way_leads_through_what_waits_for_a_review_and_round() -> None:
    user = make_user()
    workspace = make_workspace(owner=user)

    def waiting(rank: float, **fields: object) -> Task:
        given = {"status": "review", "branch": f"b{rank}", "rank": rank, **fields}
        return make_task(workspace=workspace, **given)

    first, second, third = waiting(1), waiting(2), waiting(3)
    Verdict.objects.create(task=waiting(2.5), kind=Verdict.Kind.ACCEPTED)
    waiting(2.6, status="running")
    waiting(2.7, branch="")
    stranger = make_workspace(owner=make_user("stranger"), name="strange")
    make_task(workspace=stranger, status="review", branch="b", rank=2.8)

    queue = review_queue(second, user)
    assert (queue.count, queue.previous, queue.next) == (2, first.pk, third.pk)
    assert review_queue(third, user).next == first.pk
    assert review_queue(first, user).previous == third.pk
    Task.objects.filter(pk__in=(first.pk, third.pk)).delete()
    assert review_queue(second, user).next is None


def test_a_long_way_is_not_counted_to_its_end() -> None:
    user = make_user()
    workspace = make_workspace(owner=user)
    here = make_task(workspace=workspace, status="review", branch="here")
    for number in range(MOST_COUNTED + 3):
        make_task(workspace=workspace, status="review", branch=f"b{number}")
    assert review_queue(here, user).words == f"{MOST_COUNTED}+ more"


def test_after_a_verdict_the_next_review_is_the_loudest(work: tuple[Client, Task]) -> None:
    client, task = work
    other = make_task(workspace=task.workspace, status="review", branch="other")
    make_run(task=other, state="succeeded")

    def loud(html: str) -> list[str]:
        return re.findall(r'class="button[^"]*primary[^"]*" id="([\w-]+)"', html)

    assert loud(bar(client, task)) == ["accept"]
    client.post(f"/tasks/{task.pk}/accept")
    assert loud(bar(client, task)) == ["review-next"]
    assert f'href="/tasks/{other.pk}"' in bar(client, task)
    assert f'href="/tasks/{other.pk}/changes"' in bar(client, task, "?page=changes")
