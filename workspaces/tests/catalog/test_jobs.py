"""What an answer, or none, makes of the list that is kept."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from django_q.models import OrmQ
from pytest_django import DjangoCaptureOnCommitCallbacks

from tasks.tests.factories import make_workspace
from workspaces.catalog import jobs, services
from workspaces.hosts import HostError
from workspaces.links import note_down, note_up
from workspaces.models import Host, ModelList
from workspaces.models.model_list import digest_of

from .conftest import Door, keep, model, offers

pytestmark = pytest.mark.django_db


def claude() -> ModelList:
    return ModelList.objects.get(backend="claude_code", environment="")


def ids(row: ModelList) -> list[str]:
    return [each["id"] for each in row.models]


def ask(host: Host, *, force: bool = False) -> ModelList:
    ModelList.make_rows(host, "")
    jobs.ask(host.pk, "", force)
    return claude()


def test_an_answer_is_kept_with_version_account_and_time(door: Door, host: Host) -> None:
    door.answers["claude_code"] = offers(model("opus", "low"))
    row = ask(host)
    assert (ids(row), row.cli_version, row.account, row.stale, row.error) == (
        ["opus"],
        "1.0",
        "max",
        False,
        "",
    )
    assert row.fetched_at is not None


@pytest.mark.parametrize(
    "why", ["claude is not installed.", "claude did not answer in time.", "claude ended"]
)
def test_a_failure_leaves_the_last_list_marked_as_old(door: Door, host: Host, why: str) -> None:
    keep(host, "claude_code", model("opus"), fetched_at=timezone.now() - timedelta(hours=1))
    door.answers["claude_code"] = offers(path=None, error=why)
    row = ask(host)
    assert (ids(row), row.stale, row.error) == (["opus"], True, why)


def test_without_a_list_ever_a_failure_leaves_none(door: Door, host: Host) -> None:
    row = ask(host)
    assert (row.models, row.stale, row.fetched_at, row.present) == ([], True, None, False)


def test_a_list_after_a_failure_is_fresh_again(door: Door, host: Host) -> None:
    ask(host)
    door.answers["claude_code"] = offers(model("opus"))
    assert not ask(host).stale


def test_what_is_listed_without_a_login_does_not_replace_the_accounts_list(door: Door, host: Host) -> None:
    keep(host, "claude_code", model("for-subscribers"))
    door.answers["claude_code"] = offers(model("for-all"), logged_in=False)
    row = ask(host)
    assert (ids(row), row.stale) == (["for-subscribers"], True)
    assert "logged in" in row.error


def test_without_a_list_ever_the_one_of_nobody_is_taken(door: Door, host: Host) -> None:
    door.answers["claude_code"] = offers(model("for-all"), logged_in=False)
    row = ask(host)
    assert (ids(row), row.stale, row.logged_in) == (["for-all"], False, False)


def test_a_host_that_is_away_is_tried_again_later(door: Door, host: Host) -> None:
    keep(host, "claude_code", model("opus"))
    door.error = HostError("No way there.", code="unreachable", retryable=True)
    row = ask(host)
    assert (ids(row), row.stale, row.error) == (["opus"], True, "No way there.")
    assert row.due_at is not None
    assert row.due_at > timezone.now() + timedelta(seconds=50)
    host.refresh_from_db()
    assert host.link == Host.Link.DOWN


def test_a_host_that_must_be_mended_first_is_not_tried_again_by_itself(door: Door, host: Host) -> None:
    door.error = HostError("Who are you?", code="auth")
    assert ask(host).due_at is None


def test_a_young_list_is_shown_to_the_host_which_need_not_ask_again(door: Door, host: Host) -> None:
    keep(host, "claude_code", model("opus"), fingerprint="f0")
    door.answers["claude_code"] = {**offers(), "unchanged": True}
    row = ask(host)
    assert door.calls[0]["known"] == {"claude_code": "f0"}
    assert (ids(row), row.stale) == (["opus"], False)


@pytest.mark.parametrize("fields", [{"stale": True}, {"fetched_at": timezone.now() - timedelta(minutes=11)}])
def test_a_list_that_is_old_or_stale_is_asked_for_again(
    door: Door, host: Host, fields: dict[str, Any]
) -> None:
    keep(host, "claude_code", model("opus"), **fields)
    ask(host)
    assert door.calls[0]["known"] == {}


def test_by_force_a_young_list_is_asked_for_again(door: Door, host: Host) -> None:
    keep(host, "claude_code", model("opus"))
    ask(host, force=True)
    assert door.calls[0]["known"] == {}


def test_who_comes_second_leaves_quietly(door: Door, host: Host) -> None:
    ModelList.make_rows(host, "")
    ModelList.objects.update(lease_owner="another", lease_until=timezone.now() + timedelta(seconds=30))
    jobs.ask(host.pk, "")
    assert door.calls == []


def test_a_workspace_with_variables_is_asked_with_them(door: Door, host: Host) -> None:
    workspace = make_workspace(environment={"CODEX_HOME": "/elsewhere"})
    digest = digest_of(workspace.environment)
    ModelList.make_rows(host, digest)
    jobs.ask(host.pk, digest)
    assert door.calls[0]["environment"] == {"CODEX_HOME": "/elsewhere"}


def test_lists_of_variables_that_nobody_has_any_more_go_away(door: Door, host: Host) -> None:
    ModelList.make_rows(host, "an old digest")
    jobs.ask(host.pk, "an old digest")
    assert not ModelList.objects.exists()
    assert door.calls == []


@pytest.mark.skipif("REDIS_URL" in os.environ, reason="counts rows of the database's own queue")
class TestWanting:
    def jobs(self) -> int:
        return int(OrmQ.objects.count())

    def test_many_processes_that_start_ask_once(
        self, host: Host, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
    ) -> None:
        with django_capture_on_commit_callbacks(execute=True):
            for _ in range(3):
                services.request_at_start()
        assert self.jobs() == 1

    def test_what_a_lost_nudge_left_is_asked_for_once_it_is_overdue(
        self, host: Host, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
    ) -> None:
        services.request_lists(host)
        OrmQ.objects.all().delete()
        with django_capture_on_commit_callbacks(execute=True):
            services.enqueue_due()
        assert self.jobs() == 0
        ModelList.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
        with django_capture_on_commit_callbacks(execute=True):
            services.enqueue_due()
        assert self.jobs() == 1

    def test_a_host_that_answers_again_is_asked(
        self, host: Host, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
    ) -> None:
        make_workspace()
        note_down(host, HostError("Away.", code="unreachable"))
        with django_capture_on_commit_callbacks(execute=True):
            note_up(host)
            note_up(host)
        assert self.jobs() == 1

    def test_a_new_workspace_is_asked_for_with_and_without_its_variables(
        self, host: Host, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
    ) -> None:
        workspace = make_workspace(environment={"A": "1"})
        with django_capture_on_commit_callbacks(execute=True):
            services.request_for_workspace(workspace)
            services.request_for_workspace(workspace)
        assert self.jobs() == 2

    def test_a_wish_that_comes_while_the_cli_is_asked_stays(self, door: Door, host: Host) -> None:
        door.answers["claude_code"] = offers(model("opus"))
        note_up(host)
        ModelList.make_rows(host, "")
        soon = timezone.now() + timedelta(seconds=2)
        ModelList.objects.update(due_at=soon)
        jobs.ask(host.pk, "")
        assert claude().due_at == soon
