"""A busy agent that says nothing is marked; one that was cut off goes on with one click."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from tasks.models import Run
from tasks.runs.follower.store import save_events
from tasks.runs.reducer import parse_time
from tasks.tests.people import People, send
from workspaces.models import Host

pytestmark = pytest.mark.django_db


class TestSilence:
    """A busy agent that says nothing is marked; nothing is done about it."""

    LONG_AGO = "2026-11-22T08:00:00Z"

    def page(self, run: Run, people: People, path: str = "/", **fields: Any) -> str:
        given = {"state": "running", "last_event_at": parse_time(self.LONG_AGO), **fields}
        Run.objects.filter(pk=run.pk).update(**given)
        return people.browser("owner").get(path).content.decode()

    @pytest.mark.parametrize("path", ["/", "/tasks/{}"])
    def test_card_and_page_know_since_when(
        self, run: Run, people: People, settings: Settings, path: str
    ) -> None:
        settings.SILENT_MINUTES = 3
        page = self.page(run, people, path.format(run.task_id))
        assert 'data-silent="2026-11-22T08:00:00+00:00" data-after="180"' in page

    @pytest.mark.parametrize(
        "fields",
        [{"state": "waiting"}, {"cancel_requested_at": timezone.now()}, {"last_event_at": None}],
        ids=["it waits for a person", "it is being cancelled", "it has not spoken yet"],
    )
    def test_one_that_owes_no_word_is_not_silent(self, run: Run, people: People, fields: Any) -> None:
        assert "data-silent" not in self.page(run, people, **fields)

    def test_where_the_link_is_lost_nobody_knows(self, run: Run, people: People) -> None:
        key = people.workspace.address.key
        Host.objects.update_or_create(key=key, defaults={"link": Host.Link.DOWN})
        assert "data-silent" not in self.page(run, people)
        assert "data-silent" not in self.page(run, people, f"/tasks/{run.task_id}")

    def test_every_event_breaks_it(self, run: Run) -> None:
        Run.objects.filter(pk=run.pk).update(last_event_at=parse_time(self.LONG_AGO))
        before = timezone.now()
        event = {"v": 1, "seq": 1, "at": self.LONG_AGO, "kind": "thinking", "text": "Hm."}
        save_events(run.pk, [event], start=0, end=9)
        run.refresh_from_db()
        assert run.last_event_at is not None
        assert run.last_event_at >= before


class TestResuming:
    @pytest.mark.parametrize("state", ["failed", "lost", "cancelled"])
    def test_one_click_goes_on_with_the_session_of_a_run_that_was_cut_off(
        self, run: Run, people: People, state: str
    ) -> None:
        Run.objects.filter(pk=run.pk).update(
            state=state, cli_session="s-1", reason="claude ended unexpectedly."
        )
        browser, path = people.browser("owner"), f"/tasks/{run.task_id}"
        assert 'id="resume"' in browser.get(path).content.decode()
        assert send(browser, f"{path}/go-on").status_code == 204
        newest = run.task.runs.order_by("-number").first()
        assert newest is not None
        assert (newest.number, newest.resumes) == (2, "s-1")

    @pytest.mark.parametrize("fields", [{"state": "succeeded", "cli_session": "s-1"}, {"state": "failed"}])
    def test_without_a_session_or_a_reason_there_is_no_such_button(
        self, run: Run, people: People, fields: Any
    ) -> None:
        Run.objects.filter(pk=run.pk).update(**fields)
        page = people.browser("owner").get(f"/tasks/{run.task_id}").content.decode()
        assert 'id="resume"' not in page
