"""Where a conversation can be forked."""

from __future__ import annotations

import pytest

from aitask.lib.errors import Refused
from tasks import rendering
from tasks.models import Event, Run, Task
from tasks.runs import services
from tasks.runs.forks import ForkPlace, place_of
from tasks.runs.launch import _counted_before
from tasks.tests.factories import make_event, make_run
from tasks.tests.people import HTMX, People

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(people: People) -> Run:
    return make_run(task=people.task, state="succeeded", cli_session="s1", backend=people.task.backend)


def text(run: Run, anchor: str | None, **fields: object) -> Event:
    return make_event(run, "text", text="An answer.", anchor=anchor, **fields)


def message(run: Run, **fields: object) -> Event:
    return make_event(run, "message", text="A message.", **{"by": "web", **fields})


def test_after_an_answer_its_own_place_counts(run: Run) -> None:
    assert place_of(text(run, "u1")) == ForkPlace("s1", "u1")


def test_before_a_message_the_answer_before_it_counts(run: Run) -> None:
    text(run, "u1"), text(run, "sub", parent="t"), text(run, None)
    assert place_of(message(run)) == ForkPlace("s1", "u1")


def test_a_message_with_a_turn_of_its_own_is_left_out_by_it(run: Run) -> None:
    text(run, "turn-1")
    assert place_of(message(run, anchor="turn-2")) == ForkPlace("s1", "turn-2", before=True)


def test_the_first_message_of_a_resumed_run_follows_the_run_before(run: Run, people: People) -> None:
    text(run, "u1")
    resumed = make_run(task=people.task, number=2, state="failed", resumes="s1", backend=run.backend)
    assert place_of(message(resumed, by="prompt")) == ForkPlace("s1", "u1")


def test_the_first_message_of_a_fork_can_be_forked_where_it_was(run: Run, people: People) -> None:
    place = {"resumes": "s1", "fork_at": "u7", "fork_before": True}
    fork = make_run(
        task=people.task, number=2, state="succeeded", cli_session="s2", backend=run.backend, **place
    )
    assert place_of(message(fork, by="prompt")) == ForkPlace("s1", "u7", before=True)


def test_there_is_nothing_before_the_first_message(run: Run) -> None:
    with pytest.raises(Refused, match="nothing before"):
        place_of(message(run, by="prompt", anchor="turn-1"))


@pytest.mark.parametrize("anchor", [None, "", "-x", "a b", "x" * 200, 5, ["u"], "u\n"])
def test_a_place_that_no_cli_has_named_is_refused(run: Run, anchor: object) -> None:
    with pytest.raises(Refused, match="can't be forked here"):
        place_of(make_event(run, "text", text="x", anchor=anchor))


@pytest.mark.parametrize("is_of_a_later_run", [False, True])
def test_claude_code_goes_back_to_no_place_before_a_compaction(
    run: Run, people: People, is_of_a_later_run: bool
) -> None:
    Run.objects.update(backend="claude_code")
    Task.objects.update(backend="claude_code")
    before, asked = text(run, "u1"), message(run)
    make_event(run, "compaction", phase="failed")
    assert place_of(fresh(before)) == place_of(fresh(asked)) == ForkPlace("s1", "u1")
    later = make_run(task=people.task, number=2, state="succeeded", resumes="s1", cli_session="s1")
    make_event(later if is_of_a_later_run else run, "compaction", phase="finished")
    after = text(later, "u2")
    for event in (before, asked):
        with pytest.raises(Refused, match="has compacted the conversation since"):
            place_of(fresh(event))
    Run.objects.filter(pk=later.pk).update(backend="claude_code")
    assert place_of(fresh(after)) == ForkPlace("s1", "u2")


def test_codex_goes_back_to_before_a_compaction(run: Run) -> None:
    Run.objects.update(backend="codex")
    Task.objects.update(backend="codex")
    before = text(run, "t1")
    make_event(run, "compaction", phase="finished")
    assert place_of(fresh(before)) == ForkPlace("s1", "t1")


def fresh(event: Event) -> Event:
    """The event as the view reads it."""
    return Event.objects.select_related("run__task").get(pk=event.pk)


def test_another_cli_can_not_fork_it(run: Run, people: People) -> None:
    event = text(run, "u1")
    people.task.backend = "codex" if run.backend == "claude_code" else "claude_code"
    people.task.save()
    event.refresh_from_db()
    with pytest.raises(Refused, match="no longer uses"):
        place_of(Event.objects.get(pk=event.pk))


def test_the_form_queues_a_run_with_the_place(run: Run, people: People) -> None:
    answer = text(run, "u1")
    browser = people.browser("member")
    path = f"/tasks/{people.task.pk}/fork/1.{answer.seq}"
    assert "Files stay as they are." in browser.get(path, headers=HTMX).content.decode()
    assert browser.post(path, {"prompt": "Differently."}, headers=HTMX).status_code == 204
    fork = people.task.runs.get(number=2)
    assert (fork.prompt, fork.resumes, fork.fork_at) == ("Differently.", "s1", "u1")
    page = browser.get(path, headers=HTMX).content.decode()
    assert "queued" in page
    assert "disabled" in page
    assert browser.post(path, {"prompt": "Again."}, headers=HTMX).status_code == 422


def test_the_form_of_a_message_begins_with_its_words(run: Run, people: People) -> None:
    text(run, "u1")
    path = f"/tasks/{people.task.pk}/fork/1.{message(run).seq}"
    assert "A message.</textarea>" in people.browser("owner").get(path).content.decode()
    assert people.browser("owner").get(f"/tasks/{people.task.pk}/fork/1.999").status_code == 404


def test_the_button_is_where_a_fork_is_possible(run: Run, people: People) -> None:
    shown = [rendering.render_event(run, event) for event in (text(run, "u1"), message(run))]
    assert all("data-fork" in html for html in shown)
    hidden = [text(run, "u2", parent="t"), text(run, None), message(run, by="prompt")]
    assert not any("data-fork" in rendering.render_event(run, event) for event in hidden)


def test_nothing_was_counted_of_the_session_of_a_fork(run: Run, people: People) -> None:
    Run.objects.filter(pk=run.pk).update(thread_total={"inputTokens": 5})
    fork = services.queue_run(people.task, user=None, prompt="x", resume=ForkPlace("s1", "u1"))
    assert _counted_before(fork) is None
