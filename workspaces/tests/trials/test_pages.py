"""What pages, commands and scripts show of held CLIs, and who may decide about them."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from tasks.models import Run
from tasks.tests.api_client import Script
from tasks.tests.factories import make_run, make_task
from tasks.tests.people import People, send
from workspaces import doctor
from workspaces.clis import find
from workspaces.models import InstalledCli
from workspaces.trials import services

pytestmark = pytest.mark.django_db
WHY = "Claude Code 2.0.0 on this machine did not finish a turn within 60 s; last good: 1.0.0."


@pytest.fixture
def people() -> People:
    return People()


@pytest.fixture
def held(people: People) -> InstalledCli:
    row = services.row_for(people.workspace, "claude_code")
    values = {
        **{"state": "held", "reason": WHY, "path": "/bin/claude", "fingerprint": "abc"},
        **{"version": "2.0.0", "good_version": "1.0.0"},
    }
    InstalledCli.objects.filter(pk=row.pk).update(**values)
    row.refresh_from_db()
    return row


@pytest.mark.parametrize("path", ["/", "/inbox", "/workspaces/{}", "/workspaces/{}/clis"])
def test_a_held_cli_is_shown_with_its_verbs(people: People, held: InstalledCli, path: str) -> None:
    page = people.browser("member").get(path.format(people.workspace.pk)).content.decode()
    assert WHY in page
    assert f"/workspaces/{people.workspace.pk}/clis/claude_code/try" in page
    assert f"/workspaces/{people.workspace.pk}/clis/claude_code/start-anyway" in page


@pytest.mark.parametrize("path", ["/", "/inbox"])
def test_a_stranger_and_a_workspace_that_does_not_hold_see_nothing_of_it(
    people: People, held: InstalledCli, path: str
) -> None:
    assert WHY not in people.browser("stranger").get(path).content.decode()
    people.workspace.try_changed_clis = False
    people.workspace.save()
    assert WHY not in people.browser("owner").get(path).content.decode()


def test_a_cli_that_was_never_there_is_only_told_to_a_run_that_waits(
    people: People, held: InstalledCli
) -> None:
    InstalledCli.objects.update(path="", fingerprint="", code="missing")
    assert WHY not in people.browser("owner").get("/").content.decode()
    make_run(task=make_task(workspace=people.workspace, status="queued"), reason=f"Held: {WHY}")
    assert WHY in people.browser("owner").get("/").content.decode()


@pytest.mark.parametrize("verb", ["try", "start-anyway", "hold"])
@pytest.mark.parametrize(
    ("who", "status"), [("owner", 204), ("member", 204), ("stranger", 404), ("nobody", 401)]
)
def test_those_of_the_workspace_decide(
    people: People, held: InstalledCli, verb: str, who: str, status: int
) -> None:
    path = f"/workspaces/{people.workspace.pk}/clis/claude_code/{verb}"
    answer = send(people.browser(who), path, program="abc")
    assert answer.status_code in ((302, 401, 403) if who == "nobody" else (status,))
    held.refresh_from_db()
    assert (held.wanted or held.is_allowed) is (who in ("owner", "member") and verb != "hold")


@pytest.mark.parametrize("verb", ["try", "start-anyway", "hold"])
def test_an_unknown_cli_and_a_link_do_nothing(people: People, held: InstalledCli, verb: str) -> None:
    base = f"/workspaces/{people.workspace.pk}/clis"
    assert send(people.browser("owner"), f"{base}/nothing/{verb}").status_code == 404
    assert people.browser("owner").get(f"{base}/claude_code/{verb}").status_code == 405
    assert InstalledCli.objects.count() == 1


def test_another_program_than_the_one_that_was_seen_is_refused(people: People, held: InstalledCli) -> None:
    path = f"/workspaces/{people.workspace.pk}/clis/claude_code/start-anyway"
    assert send(people.browser("owner"), path, program="xyz").status_code == 409
    held.refresh_from_db()
    assert not held.is_allowed


def test_scripts_read_try_and_allow(people: People, held: InstalledCli) -> None:
    script, path = Script(people.workspace.owner), f"/workspaces/{people.workspace.pk}/clis"
    (found,) = script.get(path)
    assert (found["held"], found["reason"], found["good_version"]) == (True, WHY, "1.0.0")
    assert script.post(f"{path}/claude_code/try")["trying"]
    answer = script.post(f"{path}/claude_code/start-anyway", {"program": found["program"]})
    assert (answer["held"], answer["allowed"]) == (False, True)
    script.post(f"{path}/claude_code/start-anyway", {"program": "x"})
    assert script.status == 409
    script.post(f"{path}/nothing/try")
    assert script.status == 422
    stranger = Script(people.stranger)
    for verb in ("/claude_code/try", "/claude_code/start-anyway"):
        stranger.post(f"{path}{verb}", {"program": "abc"} if "start" in verb else None)
        assert stranger.status == 404
    stranger.get(path)
    assert stranger.status == 404


def test_the_version_stands_on_each_run(people: People) -> None:
    make_run(task=people.task, state=Run.State.FAILED, cli_version="2.1.332")
    assert "2.1.332" in people.browser("owner").get(f"/tasks/{people.task.pk}/side").content.decode()


def inspection(people: People) -> Any:
    return doctor.Inspection(people.workspace, None, None, None, 0.0)  # type: ignore[arg-type]


def test_the_health_check_names_version_last_good_one_and_trial(
    people: People, held: InstalledCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "look", lambda *_: held)
    cli, found = find("claude_code"), {"path": "/bin/claude", "version": "2.0.0"}
    assert cli
    finding = doctor._with_turns(
        doctor.Finding("Claude Code", True, "2.0.0, logged in"),
        cli,
        inspection(people),
        found,  # type: ignore[arg-type]
    )
    assert finding.ok is False
    assert WHY in finding.detail
    assert "No trial turn yet." in finding.detail
    assert "start anyway" in finding.hint
    (old,) = doctor._supported(cli, found)  # type: ignore[arg-type]
    assert (old.ok, cli.oldest in old.detail) == (None, True)


def test_the_command_tries_turns_only_if_it_is_asked_to(
    people: People, held: InstalledCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []
    monkeypatch.setattr(services, "look", lambda *_: held)
    monkeypatch.setattr(services, "try_here", lambda row: tried.append(row.backend))
    monkeypatch.setattr(doctor, "check", lambda _: [])
    call_command("check_workspace", people.workspace.name, stdout=StringIO())
    assert tried == []
    out = StringIO()
    call_command("check_workspace", people.workspace.name, "--try-clis", stdout=out)
    assert tried == ["claude_code"] * 2
    assert "Trying one turn of Claude Code 2.0.0 on this machine" in out.getvalue()
