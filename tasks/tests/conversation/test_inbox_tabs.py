"""The inbox's lists of what has finished and what has failed, and how a user clears them."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tasks.conversation.ended import Tab
from tasks.conversation.inbox import MOST_SHOWN, context_of
from tasks.conversation.last_words import last_sentence
from tasks.models import Run, SeenRun, Verdict
from tasks.tests.factories import make_event, make_run, make_task
from tasks.tests.people import People, send

pytestmark = pytest.mark.django_db


def ended(people: People, state: str = "succeeded", **fields: Any) -> Run:
    status = fields.pop("status", "review")
    task = make_task(workspace=people.workspace, status=status, branch="aitask/1-x", files_changed=2)
    return make_run(task=task, state=state, finished_at=timezone.now(), **fields)


def page(people: People, tab: str, who: str = "owner") -> str:
    return people.browser(who).get(f"/inbox/{tab}").content.decode()


def counts(people: People, who: str = "owner") -> tuple[int, int]:
    found = context_of(getattr(people, who), Tab.NEEDS_YOU)["counts"]
    return found["finished"], found["failed"]


def test_a_finished_run_is_shown_with_its_agents_last_sentence_and_what_can_be_done(people: People) -> None:
    run = ended(people)
    make_event(run, "text", text="I looked around.\n\nAll **tests** pass. The `shelves` are sorted.")
    make_event(run, "text", text="A sub-agent's word.", parent="tool-1")
    html = page(people, "finished")
    assert run.task.title in html
    assert "The shelves are sorted." in html
    assert "sub-agent" not in html
    assert f"/tasks/{run.task_id}/accept" in html
    assert f"/tasks/{run.task_id}/changes" in html
    assert "Merge…" in html
    assert run.task.title not in page(people, "failed")


@pytest.mark.parametrize("state", ["failed", "lost"])
def test_a_failed_run_is_shown_with_its_reason_and_the_ways_on(people: People, state: str) -> None:
    run = ended(people, state, reason="The disk <b>is full</b>.", cli_session="s1", output_tokens=5)
    html = page(people, "failed")
    assert "The disk &lt;b&gt;is full&lt;/b&gt;." in html
    assert f"/tasks/{run.task_id}/go-on" in html
    assert f"/tasks/{run.task_id}/run" in html
    assert counts(people) == (0, 1)


def test_a_run_that_failed_without_a_session_can_only_be_run_again(people: People) -> None:
    run = ended(people, "failed", reason="There is no folder /srv/x.")
    html = page(people, "failed")
    assert f"/tasks/{run.task_id}/go-on" not in html
    assert f"/tasks/{run.task_id}/run" in html


def test_what_a_user_cancelled_and_what_has_left_review_is_in_no_list(people: People) -> None:
    ended(people, "cancelled")
    ended(people, status="done")
    make_run(task=ended(people, "failed").task, state="running")
    assert counts(people) == (0, 0)


def test_an_accepted_task_stays_until_it_is_merged_or_seen(people: People) -> None:
    run = ended(people)
    Verdict.objects.create(task=run.task, kind=Verdict.Kind.ACCEPTED)
    html = page(people, "finished")
    assert "Accepted" in html
    assert f"/tasks/{run.task_id}/accept" not in html


def test_a_run_that_is_marked_as_seen_is_gone_for_this_user_only_until_that_is_undone(people: People) -> None:
    run = ended(people)
    assert send(people.browser("owner"), "/inbox/seen", run=run.pk).status_code == 200
    assert counts(people) == (0, 0)
    assert counts(people, "member") == (1, 0)
    send(people.browser("owner"), "/inbox/unseen", run=run.pk)
    assert counts(people) == (1, 0)


def test_the_next_run_of_a_seen_task_is_new_again(people: People) -> None:
    run = ended(people)
    send(people.browser("owner"), "/inbox/seen", run=run.pk)
    make_run(task=run.task, state="failed", finished_at=timezone.now())
    assert counts(people) == (0, 1)


def test_all_of_a_tab_are_marked_at_once_and_the_answer_names_them_for_the_undo(people: People) -> None:
    runs = [ended(people) for _ in range(MOST_SHOWN + 2)]
    failed = ended(people, "failed")
    answer = send(people.browser("owner"), "/inbox/seen", tab="finished")
    assert sorted(answer.json()["runs"]) == [run.pk for run in runs]  # type: ignore[attr-defined]
    assert counts(people) == (0, 1)
    assert not SeenRun.objects.filter(run=failed).exists()


def test_a_stranger_sees_and_marks_nothing(people: People) -> None:
    run = ended(people)
    assert run.task.title not in page(people, "finished", "stranger")
    send(people.browser("stranger"), "/inbox/seen", run=run.pk)
    assert not SeenRun.objects.exists()
    assert people.browser("nobody").get("/inbox/failed").status_code == 302


@pytest.mark.parametrize("state", ["succeeded", "failed"])
def test_the_statements_do_not_grow_with_the_runs(people: People, state: str) -> None:
    tab = Tab.FINISHED if state == "succeeded" else Tab.FAILED

    def statements() -> int:
        with CaptureQueriesContext(connection) as made:
            context_of(people.owner, tab)
        return len(made)

    resumed = {"resumes": "s1", "reason_code": "rejected", "cli_session": "s1"}
    ended(people, state, **resumed)
    few = statements()
    for _ in range(9):
        make_event(ended(people, state, **resumed), "text", text="Done.")
    assert statements() == few


def test_a_row_of_requests_leads_with_the_task_and_its_agents_last_sentence(people: People) -> None:
    request = {"id": "r1", "kind": "approval", "tool": "Bash", "input": {"command": "sudo rm -rf /var/x"}}
    run = make_run(task=people.task, state="waiting", open_requests=[request])
    make_event(run, "text", text="Now I clean up.")
    html = people.browser("owner").get("/inbox").content.decode()
    places = [html.index(text) for text in ("Sort the shelves", "Now I clean up.", "Wants to run a command")]
    assert places == sorted(places)
    assert "Another user" in html  # rights: the risks stand there in words
    assert "Deletes or overwrites" in html


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", ""),
        ("One.", "One."),
        ("First. Second!", "Second!"),
        ("Summary:\n\n- a\n- **b is done**\n\n```\n", "- b is done"),
        ("See `x.py`. It has 2.5 kB", "It has 2.5 kB"),
        ("a\u202eb.", "a\\u202eb."),
    ],
)
def test_the_last_sentence_of_a_text_is_plain(text: str, sentence: str) -> None:
    assert last_sentence(text) == sentence


def test_the_last_sentence_is_short_however_long_the_text(people: People) -> None:
    assert len(last_sentence("word " * 100_000)) < 320
