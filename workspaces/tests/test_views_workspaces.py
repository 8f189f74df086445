"""Workspaces: who sees and changes them, what the form accepts, what is never shown again."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from tasks.models import MergeTrain, Task
from tasks.tests.factories import make_run
from tasks.tests.people import People, browser_of, send
from workspaces import doctor, services
from workspaces.doctor import Finding
from workspaces.hosts import HostError
from workspaces.models import Workspace

pytestmark = pytest.mark.django_db

ENTRY: dict[str, Any] = {
    "name": "garden",
    "kind": "local",
    "repo_path": "/srv/garden",
    "base_branch": "main",
    "default_backend": "codex",
    "permission_mode": "ask",
    "max_parallel_runs": 2,
}


@pytest.fixture
def people() -> People:
    made = People()
    made.workspace.environment = {"API_KEY": "very-secret", "MODE": "test"}
    made.workspace.save()
    return made


@pytest.fixture
def client(people: People) -> Client:
    return people.browser("owner")


@pytest.mark.parametrize(
    ("who", "seen", "edits"), [("owner", 200, 200), ("member", 200, 403), ("stranger", 404, 404)]
)
def test_only_the_owner_edits_and_only_its_people_see(
    people: People, who: str, seen: int, edits: int
) -> None:
    browser, pk = people.browser(who), people.workspace.pk
    assert browser.get(f"/workspaces/{pk}").status_code == seen
    assert browser.get(f"/workspaces/{pk}/edit").status_code == edits
    assert browser.post(f"/workspaces/{pk}/edit", ENTRY).status_code == (302 if edits == 200 else edits)
    assert send(browser, f"/workspaces/{pk}/trust", fingerprint="x").status_code in (403, 404)


@pytest.mark.parametrize("who", ["member", "stranger"])
def test_nobody_but_the_owner_deletes_a_workspace(people: People, who: str) -> None:
    assert people.browser(who).post(f"/workspaces/{people.workspace.pk}/delete").status_code in (403, 404)
    assert Workspace.objects.exists()


@pytest.mark.parametrize("path", ["/workspaces", "/workspaces/new", "/workspaces/1"])
def test_workspaces_need_a_login(path: str) -> None:
    assert browser_of(None).get(path).headers["Location"].startswith("/login")


@pytest.mark.parametrize("verb", ["check", "trust"])
def test_verbs_are_not_done_by_following_a_link(people: People, client: Client, verb: str) -> None:
    assert client.get(f"/workspaces/{people.workspace.pk}/{verb}").status_code == 405


def test_the_list_shows_own_and_shared_ones(people: People) -> None:
    assert "web shop" in people.browser("member").get("/workspaces").content.decode()
    empty = people.browser("stranger").get("/workspaces").content.decode()
    assert "web shop" not in empty
    assert "No workspaces yet" in empty


def test_who_adds_a_workspace_owns_it(people: People) -> None:
    people.allow("stranger", "add_workspace")
    response = people.browser("stranger").post("/workspaces/new", ENTRY)
    made = Workspace.objects.get(name="garden")
    assert made.owner == people.stranger
    assert response.headers["Location"] == f"/workspaces/{made.pk}#doctor"


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("name", "web shop", "already exists"),
        ("repo_path", "srv/garden", "absolute path"),
        ("kind", "ssh", "Enter the alias"),
        ("ssh_host", "-oProxyCommand=x", "start with a dash"),
        ("copy_files", "../secrets", "relative to the repository"),
        ("max_parallel_runs", "0", "at least 1"),
        ("variables", "NOT A NAME=1", "not a valid variable name"),
        ("variables", "no-sign", "NAME=value"),
        ("member_names", "nobody-here", "No such user: nobody-here"),
    ],
)
def test_a_wrong_entry_is_explained_and_kept(client: Client, field: str, value: str, said: str) -> None:
    response = client.post("/workspaces/new", {**ENTRY, "git_name": "Kept Name", field: value})
    html = response.content.decode()
    assert response.status_code == 422
    assert said in html
    assert "Kept Name" in html


def test_this_machine_is_not_offered_where_agents_can_not_run(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workspaces.hosts.local.supported", lambda: False)
    html = client.get("/workspaces/new").content.decode()
    assert 'value="local"' not in html
    assert 'value="other"' in html
    response = client.post("/workspaces/new", {**ENTRY, "name": "another"})
    assert response.status_code == 422
    assert not Workspace.objects.filter(name="another").exists()


def test_the_aliases_of_the_ssh_configuration_are_offered(
    people: People, client: Client, settings: Settings, tmp_path: Any
) -> None:
    config = tmp_path / "config"
    config.write_text("Host cloud backup-*\n  HostName 192.0.2.1\n")
    settings.SSH_CONFIG = str(config)
    new = client.get("/workspaces/new").content.decode()
    edit = client.get(f"/workspaces/{people.workspace.pk}/edit").content.decode()
    assert 'value="ssh:cloud"' in new
    assert '<option value="cloud">' in edit
    assert "backup-" not in new + edit


@pytest.mark.parametrize("path", ["", "/edit"])
def test_values_of_variables_are_never_shown(people: People, client: Client, path: str) -> None:
    html = client.get(f"/workspaces/{people.workspace.pk}{path}").content.decode()
    assert "API_KEY" in html
    assert "very-secret" not in html


def test_variables_are_added_replaced_and_removed_by_name(people: People, client: Client) -> None:
    data = {**ENTRY, "variables": "export MODE=live\n\nNEW=a=b c", "unset": ["API_KEY"]}
    client.post(f"/workspaces/{people.workspace.pk}/edit", data)
    people.workspace.refresh_from_db()
    assert people.workspace.environment == {"MODE": "live", "NEW": "a=b c"}


def test_saving_without_touching_variables_keeps_them(people: People, client: Client) -> None:
    client.post(f"/workspaces/{people.workspace.pk}/edit", ENTRY)
    people.workspace.refresh_from_db()
    assert people.workspace.environment == {"API_KEY": "very-secret", "MODE": "test"}


def test_members_are_named_and_can_be_taken_away(people: People, client: Client) -> None:
    pk = people.workspace.pk
    assert 'value="member"' in client.get(f"/workspaces/{pk}/edit").content.decode()
    client.post(f"/workspaces/{pk}/edit", {**ENTRY, "member_names": "stranger"})
    assert list(people.workspace.members.all()) == [people.stranger]
    assert people.browser("member").get(f"/workspaces/{pk}").status_code == 404


def test_a_workspace_with_a_run_going_is_not_deleted(people: People, client: Client) -> None:
    people.task.status = "running"
    people.task.save()
    make_run(task=people.task, state="running")
    path = f"/workspaces/{people.workspace.pk}/delete"
    assert "Cancel them first." in client.get(path).content.decode()
    html = client.post(path, {"name": people.workspace.name}).content.decode()
    assert "Cancel them first." in html
    assert Workspace.objects.exists()


def test_deleting_leads_to_the_list(people: People, client: Client) -> None:
    response = client.post(f"/workspaces/{people.workspace.pk}/delete", {"name": people.workspace.name})
    assert response.headers["Location"] == "/workspaces"
    assert not Workspace.objects.exists()


@pytest.mark.parametrize("name", ["", "Web shop", "web shop 2", "y"])
def test_a_workspace_is_deleted_only_if_its_name_is_typed(people: People, client: Client, name: str) -> None:
    response = client.post(f"/workspaces/{people.workspace.pk}/delete", {"name": name})
    assert response.status_code == 409
    assert "Type exactly this name." in response.content.decode()
    assert Workspace.objects.exists()


def test_the_page_says_what_is_deleted_and_what_is_left_on_the_host(people: People, client: Client) -> None:
    for number in range(2):
        make_run(task=people.task, state="succeeded", number=number + 1)
    Task.objects.update(branch="aitask/1-x", worktree_path="/srv/x.worktrees/1-x")
    html = " ".join(client.get(f"/workspaces/{people.workspace.pk}/delete").content.decode().split())
    for text in ("1 task,", "2 runs,", "0 merge trains,", "1 branch and 1 worktree of tasks."):
        assert text in html


def test_a_workspace_is_not_deleted_while_a_merge_train_runs(people: People, client: Client) -> None:
    MergeTrain.objects.create(workspace=people.workspace, state="running", branch="main")
    response = client.post(f"/workspaces/{people.workspace.pk}/delete", {"name": people.workspace.name})
    assert "A merge train is running" in response.content.decode()
    assert Workspace.objects.exists()


def diagnose(monkeypatch: pytest.MonkeyPatch, *findings: Finding) -> None:
    monkeypatch.setattr(doctor, "check", lambda workspace: list(findings))


def test_the_doctor_says_what_to_do(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    diagnose(
        monkeypatch, Finding("git", True, "2.39"), Finding("tmux", False, "not <installed>", "Install it.")
    )
    html = send(people.browser("member"), f"/workspaces/{people.workspace.pk}/check").content.decode()
    assert "<html" not in html
    assert "not &lt;installed&gt;" in html
    assert "Install it." in html


def test_an_unknown_host_key_is_a_question_to_the_owner_alone(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = HostError(
        "Unknown key.", "Compare it.", code="host_key_unknown", data={"fingerprint": "SHA256:abc"}
    )
    diagnose(monkeypatch, Finding("Host", False, error.reason, error.hint, error))
    path = f"/workspaces/{people.workspace.pk}/check"
    asked = send(people.browser("owner"), path).content.decode()
    assert "SHA256:abc" in asked
    assert "It matches, trust this host" in asked
    assert "It matches, trust this host" not in send(people.browser("member"), path).content.decode()


def test_a_changed_host_key_is_an_alarm_without_a_button(
    people: People, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = HostError("It changed.", "Ask.", code="host_key_changed", data={"fingerprint": "SHA256:new"})
    diagnose(monkeypatch, Finding("Host", False, error.reason, error.hint, error))
    html = send(client, f"/workspaces/{people.workspace.pk}/check").content.decode()
    assert "key has changed" in html
    assert "<button" not in html.replace('data-copy="', "")


def test_trusting_hands_on_the_fingerprint_that_was_compared(
    people: People, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    Workspace.objects.update(kind="ssh", ssh_host="cloud")
    accepted: list[tuple[str, str]] = []
    monkeypatch.setattr(
        services, "accept_host_key", lambda host, fingerprint: accepted.append((host.key, fingerprint))
    )
    response = send(client, f"/workspaces/{people.workspace.pk}/trust", fingerprint="SHA256:abc")
    assert accepted == [("ssh:cloud", "SHA256:abc")]
    assert "trusted" in response.headers["HX-Trigger"]  # the page checks the host again
    plain = client.post(f"/workspaces/{people.workspace.pk}/trust", {"fingerprint": "SHA256:abc"})
    assert plain.headers["Location"].endswith("#doctor")


def test_a_key_that_changed_meanwhile_is_not_trusted(
    people: People, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    Workspace.objects.update(kind="ssh", ssh_host="cloud")

    def refuse(*_: object) -> None:
        raise HostError("ALARM: another key.", "Ask.", code="host_key_changed")

    monkeypatch.setattr(services, "accept_host_key", refuse)
    response = send(client, f"/workspaces/{people.workspace.pk}/trust", fingerprint="SHA256:abc")
    assert response.status_code == 409
    assert "ALARM" in response.headers["HX-Trigger"]
