"""What follows from looking at programs, from trial turns, and from runs. The host is a stand-in."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from unittest.mock import Mock

import pytest
from django.utils import timezone
from django_q.brokers import get_broker

from aitask.lib import leases
from aitask.lib.errors import Refused
from tasks.models import Run
from tasks.runs import cli_holds, dispatch, endings, launch
from tasks.runs import jobs as run_jobs
from tasks.tests.factories import make_run, make_task, make_workspace
from workspaces import hosts
from workspaces.hosts import HostError
from workspaces.models import InstalledCli, Workspace
from workspaces.trials import changes, jobs, queries, services
from workspaces.trials.verdicts import says_too_old, verdict_of

pytestmark = pytest.mark.django_db
State = InstalledCli.State


class HostInRows:
    """A host with one program per CLI, which a trial turn finds to be as the test says."""

    def __init__(self) -> None:
        self.version = "1.0.0"
        self.program = "first"
        self.answer: dict[str, Any] = {"code": "ok"}
        self.asked: list[dict[str, Any]] = []
        self.looks = 0
        self.error: HostError | None = None

    def install(self, version: str) -> None:
        self.version, self.program = version, f"program {version}"

    def call(self, verb: str, params: dict[str, Any], *, timeout: float = 0) -> Any:
        if self.error:
            raise self.error
        if verb == "programs":
            self.looks += 1
            return {name: self._seen() for name in params["backends"]}
        assert verb == "try_turn"
        self.asked.append(params)
        empty = {"reason": "", "failure": "", "version": None, "seconds": 1.0, "earlier": None}
        return {**empty, "fingerprint": self.program, **self.answer}

    def _seen(self) -> dict[str, Any]:
        path = "/bin/claude" if self.program else None
        return {
            **{"path": path, "real_path": f"/opt/{self.program}", "fingerprint": self.program},
            **{"version": self.version if path else None, "problem": ""},
        }


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> HostInRows:
    host = HostInRows()
    monkeypatch.setattr(hosts, "get", lambda _address: host)
    get_broker().purge_queue()
    return host


@pytest.fixture
def workspace(host: HostInRows) -> Workspace:
    return make_workspace()


def row_of(workspace: Workspace) -> InstalledCli:
    return services.row_for(workspace, "claude_code")


def look(workspace: Workspace) -> InstalledCli:
    return services.look(workspace, "claude_code")


def prove(workspace: Workspace) -> InstalledCli:
    """A run with the program that is there now has gone well."""
    row = look(workspace)
    services.note_success(workspace, "claude_code", row.version, timezone.now() + timedelta(seconds=1))
    return row_of(workspace)


def try_it(workspace: Workspace) -> InstalledCli:
    jobs.try_turn(row_of(workspace).pk)
    return row_of(workspace)


def fail_with(host: HostInRows, code: str, **more: Any) -> None:
    host.answer = {"code": code, **more}


class TestLooking:
    def test_a_program_that_is_seen_first_is_not_tried(self, host: HostInRows, workspace: Workspace) -> None:
        row = look(workspace)
        assert (row.state, row.version, row.hold_reason) == (State.UNPROVEN, "1.0.0", "")
        assert (try_it(workspace).state, host.asked) == (State.UNPROVEN, [])

    def test_a_changed_program_holds_with_both_versions(self, host: HostInRows, workspace: Workspace) -> None:
        assert prove(workspace).good_version == "1.0.0"
        host.install("2.0.0")
        row = look(workspace)
        assert row.hold_reason == (
            "Claude Code changed from 1.0.0 to 2.0.0 on this machine: trying one turn."
        )

    def test_the_good_program_is_good_again_without_a_turn(
        self, host: HostInRows, workspace: Workspace
    ) -> None:
        prove(workspace)
        before = host.program
        host.install("2.0.0")
        look(workspace)
        host.program = before
        assert (look(workspace).state, host.asked) == (State.GOOD, [])

    def test_what_is_proven_in_another_environment_is_not_tried_again(
        self, host: HostInRows, workspace: Workspace
    ) -> None:
        other = make_workspace(environment={"A": "b"})
        for each in (workspace, other):
            prove(each)
        host.install("2.0.0")
        look(workspace)
        assert try_it(workspace).state == State.GOOD
        row = look(other)
        assert (row.state, row.good_version, len(host.asked)) == (State.GOOD, "2.0.0", 1)

    def test_a_program_that_is_gone_is_held_with_the_last_good_version(
        self, host: HostInRows, workspace: Workspace
    ) -> None:
        prove(workspace)
        host.program = ""
        assert look(workspace).hold_reason == (
            "Held: Claude Code is gone from this machine: there is no /bin/claude any more; last good: 1.0.0."
        )

    def test_a_setup_command_may_install_what_was_never_there(
        self, host: HostInRows, workspace: Workspace
    ) -> None:
        host.program = ""
        assert "is not installed on this machine" in queries.hold_of(look(workspace), workspace)
        workspace.setup_command = "npm install -g"
        assert queries.hold_of(look(workspace), workspace) == ""


class TestTrying:
    @pytest.fixture(autouse=True)
    def changed(self, host: HostInRows, workspace: Workspace) -> None:
        prove(workspace)
        host.install("2.0.0")
        look(workspace)

    def test_a_good_turn_lets_runs_start(self, host: HostInRows, workspace: Workspace) -> None:
        row = try_it(workspace)
        assert (row.state, row.good_version, row.hold_reason) == (State.GOOD, "2.0.0", "")
        assert host.asked[0]["earlier"] == "/opt/first"

    def test_a_turn_that_does_not_end_is_told_in_one_sentence(
        self, host: HostInRows, workspace: Workspace
    ) -> None:
        fail_with(host, "no_end", reason="did not finish a turn within 60 s")
        assert try_it(workspace).hold_reason == (
            "Held: Claude Code 2.0.0 on this machine did not finish a turn within 60 s; last good: 1.0.0."
        )

    def test_long_and_odd_words_of_a_cli_do_not_hide_the_last_good_version(
        self, host: HostInRows, workspace: Workspace
    ) -> None:
        fail_with(host, "died", reason="\0\ud800\n" + "x" * 5000)
        row = try_it(workspace)
        assert row.reason.endswith("; last good: 1.0.0.")
        assert "\0" not in row.reason

    @pytest.mark.parametrize("failure", ["login", "limit", "connection", "server", "model", "rejected"])
    def test_what_the_service_says_is_not_the_versions_fault(
        self, host: HostInRows, workspace: Workspace, failure: str
    ) -> None:
        fail_with(host, "failed", reason="No.", failure=failure)
        row = try_it(workspace)
        assert (row.state, row.code, row.hold_reason, row.good_version) == (
            State.UNPROVEN,
            failure,
            "",
            "1.0.0",
        )

    def test_a_held_version_is_tried_a_few_times_with_growing_pauses_and_then_no_more(
        self, host: HostInRows, workspace: Workspace
    ) -> None:
        fail_with(host, "no_beginning", reason="did not begin")
        pauses = []
        for _ in range(8):
            row = try_it(workspace)
            pauses.append(row.try_at and row.try_at - timezone.now())
            try_it(workspace)  # not due: nothing happens
            InstalledCli.objects.exclude(try_at=None).update(try_at=timezone.now())
        known = [pause for pause in pauses if pause]
        assert known == sorted(known)
        assert len(host.asked) == 1 + len(changes.PAUSES)
        assert row.try_at is None

    def test_a_held_version_is_tried_at_once_when_it_changes(
        self, host: HostInRows, workspace: Workspace
    ) -> None:
        fail_with(host, "no_start", reason="can't be executed")
        row = try_it(workspace)
        host.install("3.0.0")
        jobs.look_again(row.pk)
        fail_with(host, "ok")
        assert try_it(workspace).good_version == "3.0.0"

    def test_a_program_that_is_replaced_in_the_middle_is_tried_itself(
        self, host: HostInRows, workspace: Workspace
    ) -> None:
        fail_with(host, "died", reason="ended", fingerprint="something else")
        assert (try_it(workspace).state, row_of(workspace).is_due) == (State.TRYING, True)
        fail_with(host, "ok")
        assert try_it(workspace).state == State.GOOD

    def test_only_one_worker_tries_it(self, host: HostInRows, workspace: Workspace) -> None:
        with leases.held(InstalledCli.objects.all()):
            InstalledCli.objects.update(lease_owner="elsewhere:1")
            assert (try_it(workspace).state, host.asked) == (State.TRYING, [])

    def test_a_host_that_is_away_is_asked_again_later(self, host: HostInRows, workspace: Workspace) -> None:
        host.error = HostError("No link.", code="link_lost", retryable=True)
        row = try_it(workspace)
        assert (row.state, row.is_due, row.try_at is None) == (State.TRYING, False, False)

    def test_a_good_version_is_not_tried_later_because_the_host_was_away(
        self, host: HostInRows, workspace: Workspace
    ) -> None:
        services.try_soon(try_it(workspace))
        host.error = HostError("No link.", code="link_lost", retryable=True)
        row = try_it(workspace)
        assert (row.state, row.wanted, row.try_at) == (State.GOOD, False, None)

    def test_a_trial_that_is_not_possible_holds_nothing(self, host: HostInRows, workspace: Workspace) -> None:
        host.error = HostError("Unknown verb.", code="remote_failed")
        assert try_it(workspace).hold_reason == ""


class TestUsers:
    @pytest.fixture(autouse=True)
    def held(self, host: HostInRows, workspace: Workspace) -> InstalledCli:
        prove(workspace)
        host.install("2.0.0")
        look(workspace)
        fail_with(host, "died", reason="ended")
        return try_it(workspace)

    def test_they_start_it_anyway_until_it_changes(
        self, host: HostInRows, workspace: Workspace, held: InstalledCli
    ) -> None:
        services.start_anyway(held, held.fingerprint)
        assert (row_of(workspace).hold_reason, queries.held_for([workspace])) == ("", [])
        host.install("3.0.0")
        assert "changed from 1.0.0 to 3.0.0" in look(workspace).hold_reason

    def test_they_can_not_start_another_program_than_they_have_seen(self, held: InstalledCli) -> None:
        with pytest.raises(Refused, match="changed again"):
            services.start_anyway(held, "another")

    def test_they_try_it_again(self, host: HostInRows, workspace: Workspace, held: InstalledCli) -> None:
        fail_with(host, "ok")
        services.try_soon(held)
        assert row_of(workspace).is_trying
        assert (try_it(workspace).state, row_of(workspace).is_trying) == (State.GOOD, False)

    def test_a_try_of_a_good_version_holds_nothing(self, host: HostInRows, workspace: Workspace) -> None:
        fail_with(host, "ok")
        services.try_soon(row_of(workspace))
        try_it(workspace)
        services.try_soon(row_of(workspace))
        assert row_of(workspace).hold_reason == ""
        fail_with(host, "failed", reason="Not logged in", failure="login")
        assert try_it(workspace).state == State.GOOD


class TestRuns:
    def test_a_run_waits_with_the_reason_and_its_version(
        self, host: HostInRows, workspace: Workspace
    ) -> None:
        prove(workspace)
        host.install("2.0.0")
        run = make_run(task=make_task(workspace=workspace, status="queued"))
        dispatch.start_queued(workspace.pk)
        run.refresh_from_db()
        assert run.state == Run.State.STARTING
        with pytest.raises(cli_holds.CliHeld, match="trying one turn"):
            cli_holds.require_usable_cli(run, host)  # type: ignore[arg-type]
        run.refresh_from_db()
        assert run.cli_version == "2.0.0"
        run_jobs._back_to_queue(run, "as `start_run` does")
        assert dispatch.start_queued(workspace.pk) == []
        run.refresh_from_db()
        assert "changed from 1.0.0 to 2.0.0" in run.reason
        try_it(workspace)
        assert dispatch.start_queued(workspace.pk) == [run.pk]

    def test_a_run_whose_window_was_opened_is_not_held_again(
        self, host: HostInRows, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its agent may be running: the start is only repeated because no event has come yet."""
        prove(workspace)
        host.install("2.0.0")
        looked: list[Run] = []
        monkeypatch.setattr(cli_holds, "require_usable_cli", lambda run, _host: looked.append(run))
        monkeypatch.setattr(launch, "site_of", lambda _workspace: Mock(host=host))
        monkeypatch.setattr(launch, "worktree", Mock(side_effect=Refused("No further.")))
        for attempts in (0, 1):
            run = make_run(task=make_task(workspace=workspace), state=Run.State.STARTING, attempts=attempts)
            with pytest.raises(Refused, match="No further"):
                launch.launch(run)
        assert [run.attempts for run in looked] == [0]

    def test_nothing_is_tried_while_no_run_waits(self, host: HostInRows, workspace: Workspace) -> None:
        prove(workspace)
        host.install("2.0.0")
        look(workspace)
        get_broker().purge_queue()
        leases.release(InstalledCli.objects.all())
        InstalledCli.objects.update(lease_until=None)
        cli_holds.repair()
        assert get_broker().queue_size() == 0
        make_run(task=make_task(workspace=workspace))
        assert "trying" in row_of(workspace).hold_reason

    def test_a_run_that_goes_well_proves_a_version_that_was_not_tried(
        self, host: HostInRows, workspace: Workspace
    ) -> None:
        look(workspace)
        later = timezone.now() + timedelta(seconds=1)
        run = make_run(
            task=make_task(workspace=workspace),
            state=Run.State.RUNNING,
            cli_version="1.0.0",
            started_at=later,
        )
        endings.note_outcome(run.pk, {"state": "succeeded", "reason_code": "", "reason": ""})
        assert (row_of(workspace).state, row_of(workspace).good_version) == (State.GOOD, "1.0.0")

    def test_a_run_of_before_the_change_proves_nothing(self, host: HostInRows, workspace: Workspace) -> None:
        prove(workspace)
        host.install("2.0.0")
        look(workspace)
        services.note_success(workspace, "claude_code", "2.0.0", timezone.now() - timedelta(hours=1))
        assert row_of(workspace).state == State.TRYING

    def test_a_run_that_says_that_the_version_is_too_old_has_it_tried_once_in_an_hour(
        self, host: HostInRows, workspace: Workspace
    ) -> None:
        prove(workspace)
        words = "Your version of Claude Code (1.0.0) needs an update."
        for _ in range(3):
            services.note_failure(workspace, "claude_code", words, died_at_start=False)
            try_it(workspace)
        assert (len(host.asked), row_of(workspace).state) == (1, State.GOOD)

    def test_other_failures_put_nothing_in_doubt(self, host: HostInRows, workspace: Workspace) -> None:
        prove(workspace)
        services.note_failure(workspace, "claude_code", "It does not compile.", died_at_start=False)
        services.note_failure(workspace, "claude_code", "killed", died_at_start=True)  # it is proven
        assert row_of(workspace).state == State.GOOD


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("It looks like your version of Claude Code (1.0.0) needs an update.", True),
        ("Claude Code 2.1.0 is older than the minimum version required by your organization (2.2.0).", True),
        ("The 'gpt-9' model requires a newer version of Codex. Please upgrade to the latest app.", True),
        ("This CLI version is too old", True),
        ("Upgrade required", True),
        ("429 rate limited", False),
        ("Not logged in · Please run /login", False),
        ("Please update the tests", False),
    ],
)
def test_the_words_about_old_versions_are_known(words: str, expected: bool) -> None:
    assert says_too_old(words) is expected


@pytest.mark.parametrize(
    ("code", "earlier", "is_good"),
    [
        ("no_end", None, False),
        ("no_end", "ok", False),
        ("no_end", "no_end", None),
        ("no_end", "failed", None),
    ],
)
def test_a_hang_is_the_services_if_the_last_good_version_hangs_now_too(
    code: Any, earlier: str | None, is_good: bool | None
) -> None:
    answer: Any = {"code": code, "reason": "did not finish", "failure": "", "earlier": earlier}
    assert verdict_of(answer).is_good is is_good
