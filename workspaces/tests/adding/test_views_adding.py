"""The page that adds a workspace: who may use it, and what it shows of a host."""

from __future__ import annotations

import json
import os
import socket
from html import unescape
from pathlib import Path

import pytest
from django.test import Client
from pytest_django import Settings

from aitask.tests.lab.repos import commit_file, git, make_repo, make_unborn_repo
from aitask.tests.lab.sshd import SshLab
from aitask.tests.lab.wait import wait_for
from tasks.tests.people import People, browser_of, send
from workspaces import doctor, hosts
from workspaces.models import Host, Workspace

pytestmark = pytest.mark.django_db

HERE = {"place": "local"}
ROUTES = (
    *("host", "trust", "checks/programs", "repositories", "folder", "repository"),
    *("clone", "clone/state", "create"),
)
FAKE_SSH = """\
#!/bin/sh
for last; do :; done
case "$*" in *unknown.invalid*) echo "Host key verification failed." >&2; exit 255;; esac
exec sh -c "$last"
"""


@pytest.fixture
def people() -> People:
    return People()


@pytest.fixture
def client(people: People, local: hosts.HostConnection) -> Client:
    """The browser of a user who may add workspaces, on a machine of the test's own."""
    people.allow("owner", "use_terminal")
    return people.browser("owner")


@pytest.fixture
def ssh(tmp_path: Path, home: Path) -> None:
    """git's ssh does on this machine what it is told to do on a server."""
    program = tmp_path / "fake-ssh"
    program.write_text(FAKE_SSH)
    program.chmod(0o755)
    (home / ".gitconfig").write_text(f"[core]\n\tsshCommand = {program}\n[ssh]\n\tvariant = ssh\n")


def post(client: Client, route: str, **data: str) -> str:
    response = send(client, f"/workspaces/new/{route}", **{**HERE, **data})
    assert response.status_code == 200, response.content
    return unescape(response.content.decode())


def event(client: Client, route: str, name: str, **data: str) -> dict[str, str]:
    """The values that a response hands to the page."""
    response = send(client, f"/workspaces/new/{route}", **{**HERE, **data})
    found: dict[str, str] = json.loads(response.headers["HX-Trigger"])[name]
    return found


@pytest.mark.parametrize("route", ROUTES)
def test_only_those_who_may_add_hosts_look_at_them(people: People, route: str) -> None:
    path = f"/workspaces/new/{route}"
    for who in ("member", "stranger"):
        assert send(people.browser(who), path, place="local", repo_path="/", folder="/").status_code == 403
    assert browser_of(None).post(path, HERE).headers["Location"].startswith("/login")
    assert people.browser("owner").get(path).status_code == 405


@pytest.mark.parametrize("route", ROUTES)
def test_nothing_happens_before_a_host_is_chosen(people: People, route: str) -> None:
    html = send(people.browser("owner"), f"/workspaces/new/{route}", repo_path="/x", new_path="/x")
    assert "Choose a host first" in html.content.decode()
    assert not Host.objects.exclude(pk=people.workspace.host.pk).exists()


def test_a_host_that_ssh_would_take_for_an_option_is_refused(client: Client) -> None:
    assert "start with a dash" in post(client, "host", place="ssh:-oProxyCommand=x")


def test_this_machine_answers_at_once_and_is_checked_line_by_line(client: Client) -> None:
    reached = post(client, "host")
    assert "this machine: " in reached
    assert "/workspaces/new/checks/programs" in reached
    programs = post(client, "checks/programs")
    assert all(name in programs for name in ("Python", "git", "tmux", "Disk"))
    assert send(client, "/workspaces/new/checks/other", **HERE).status_code == 404


def test_a_cli_that_is_not_logged_in_has_a_link_that_types_the_command(client: Client) -> None:
    post(client, "host")
    html = post(client, "checks/clis")
    terminal = f"/hosts/{Host.objects.get(key='local').pk}/terminal?type="
    link = terminal + html.partition(f'href="{terminal}')[2].partition('"')[0]
    assert 'data-typed="' in client.get(link).content.decode()
    assert not Workspace.objects.exclude(name="web shop").exists()


def test_a_dead_host_says_so_and_leaves_no_row(client: Client, settings: Settings, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = tmp_path / "config"
    config.write_text(f"Host dead\n  HostName 127.0.0.1\n  Port {port}\n")
    settings.SSH_CONFIG = str(config)
    html = post(client, "host", place="ssh:dead")
    assert "refused the connection" in html
    assert "Try again" in html
    assert not Host.objects.filter(key="ssh:dead").exists()


def test_a_host_that_never_answers_is_waited_for_a_limited_time(
    client: Client, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "REACH_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        config = tmp_path / "config"
        config.write_text(f"Host slow\n  HostName 127.0.0.1\n  Port {silent.getsockname()[1]}\n")
        settings.SSH_CONFIG = str(config)
        html = post(client, "host", place="ssh:slow")
        monkeypatch.setattr(doctor, "REACH_SECONDS", 30.0)
        assert "this machine: " in post(client, "host")  # while the other attempt goes on
    assert "could not be reached within 0.5 s" in html
    assert "Try again" in html


def test_an_unknown_host_is_trusted_after_its_fingerprint_was_compared(
    client: Client, lab: SshLab, people: People
) -> None:
    lab.forget_host_keys()
    asked = post(client, "host", place="ssh:cloud-direct")
    assert "It matches, trust this host" in asked
    fingerprint = "SHA256:" + asked.partition('value="SHA256:')[2].partition('"')[0]

    other = post(client, "trust", place="ssh:cloud-direct", fingerprint="SHA256:other")
    assert "different host key" in other

    reached = post(client, "trust", place="ssh:cloud-direct", fingerprint=fingerprint)
    assert "cloud-direct: " in reached
    assert Host.objects.get(key="ssh:cloud-direct").accepted_keys


def test_repositories_are_found_but_links_and_worktrees_are_not_followed(
    client: Client, home: Path, tmp_path: Path
) -> None:
    shop = make_repo(home / "code/shop")
    make_repo(tmp_path / "elsewhere/secret")
    make_repo(home / "a/b/c/d/deep")
    make_repo(home / "code/node_modules/package")
    (home / "link").symlink_to(tmp_path / "elsewhere")
    git(shop, "worktree", "add", "-q", str(home / "code/shop.worktrees/1-x"))
    html = post(client, "repositories")
    assert 'data-pick="~/code/shop"' in html
    assert all(name not in html for name in ("secret", "deep", "package", "1-x"))


def test_what_an_agent_names_is_shown_as_text(client: Client, home: Path) -> None:
    make_repo(home / "<b>bold")
    make_repo(home / "turn\u202earound")
    os.mkdir(os.fsencode(home) + b"/\xff")  # noqa: PTH102 - a name that is no text
    (home / "<b>bold/.git/HEAD").write_text("ref: refs/heads/<img src=x>\x1b[2J\n")
    response = send(client, "/workspaces/new/repositories", **HERE).content.decode()
    assert "&lt;b&gt;bold" in response
    assert "<img" not in response
    assert "\x1b" not in response
    assert "around" not in response
    (home / 'it\'s "quoted"').mkdir()
    assert "it\\u0027s \\u0022quoted\\u0022" in post(client, "folder", folder="~")
    assert "2 more can't be listed" in post(client, "folder", folder="~")


def test_folders_are_browsed(client: Client, home: Path) -> None:
    make_repo(home / "code/shop")
    (home / "code/.hidden").mkdir()
    html = post(client, "folder", folder="~/code")
    assert 'data-pick="~/code/shop"' in html
    assert ".hidden" not in html
    assert """hx-vals='{"folder": "~"}'""" in html
    assert "There is no folder" in post(client, "folder", folder="~/missing")


def test_a_repository_offers_its_branches_a_name_and_commands(client: Client, home: Path) -> None:
    repo = make_repo(home / "web shop")
    git(repo, "branch", "release")
    git(repo, "branch", "aitask/7-old")
    commit_file(repo, "package-lock.json", "{}")
    (repo / ".env").write_text("KEY=secret")
    html = post(client, "repository", repo_path="~/web shop/src")
    assert '<option value="main" selected>' in html
    assert '<option value="release"' in html
    assert "aitask/7-old" not in html
    assert 'value="npm ci"' in html
    assert 'value=".env"' in html
    assert "secret" not in html
    assert "is a folder inside this repository" in html
    found = event(client, "repository", "picked", repo_path=str(repo))
    assert found == {"path": "~/web shop", "name": "web shop 2"}


def test_what_is_wrong_with_a_path_is_said_before_saving(client: Client, home: Path) -> None:
    make_unborn_repo(home / "unborn")
    (home / "plain").mkdir()
    assert "is not a git repository" in post(client, "repository", repo_path="~/plain")
    assert "There is no folder" in post(client, "repository", repo_path="~/missing")
    assert "not an absolute path" in post(client, "repository", repo_path="plain")
    post(client, "host")
    unborn = post(client, "repository", repo_path="~/unborn")
    assert "has no commits yet" in unborn
    assert "Fix in a terminal" in unborn


def test_a_repository_is_created_with_a_commit_and_nothing_is_overwritten(client: Client, home: Path) -> None:
    (home / "kept").mkdir()
    assert "exists already" in post(client, "create", new_path="~/kept")
    assert "cannot create directory" in post(client, "create", new_path="~/no/parent")
    assert event(client, "create", "found", new_path="~/fresh") == {"path": str(home / "fresh")}
    assert git(home / "fresh", "log", "--format=%s") == "First commit"
    assert '<option value="main" selected>' in post(client, "repository", repo_path="~/fresh")
    assert list((home / "kept").iterdir()) == []


def state_of(client: Client, html: str, url: str) -> str:
    """Ask for the state of the clone until it has ended."""
    number = html.partition('name="clone" value="')[2].partition('"')[0]
    assert number, html
    last = ""

    def ended() -> bool:
        nonlocal last
        last = post(client, "clone/state", clone=number, cloned_url=url)
        return 'name="clone"' not in last

    wait_for(ended, 60, "the end of the clone", every=0.2)
    return last


def test_a_repository_is_cloned(ssh: None, client: Client, home: Path, repo: Path) -> None:
    url = f"git@example.invalid:{repo}"
    html = post(client, "clone", clone_url=url, clone_target="~/mine")
    assert "Cloned into" in state_of(client, html, url)
    assert git(home / "mine", "log", "--format=%s").endswith("Add README.md")
    assert [path.name for path in home.iterdir() if "aitask-clone" in path.name] == []


def test_a_clone_that_fails_says_why_and_leaves_nothing(ssh: None, client: Client, home: Path) -> None:
    url = "git@unknown.invalid:team/shop.git"
    said = state_of(client, post(client, "clone", clone_url=url), url)
    assert "does not know the key of the repository's server" in said
    assert "ssh -T git@unknown.invalid" in said
    assert not (home / "shop").exists()
    assert [path.name for path in home.iterdir() if "aitask-clone" in path.name] == []


@pytest.mark.parametrize("url", ["ext::sh -c touch% pwned", "--upload-pack=touch pwned", "file:///srv/x"])
def test_other_transports_are_refused_before_anything_starts(client: Client, home: Path, url: str) -> None:
    html = post(client, "clone", clone_url=url, clone_target="~/mine")
    assert "Use an address such as" in html
    assert not (home / "mine").exists()


def test_nothing_is_cloned_over_what_exists(client: Client, home: Path) -> None:
    (home / "shop").write_text("mine")
    html = post(client, "clone", clone_url="https://example.invalid/shop.git")
    assert "exists already" in html
    assert (home / "shop").read_text() == "mine"


def test_the_state_of_a_clone_is_only_asked_by_its_id(client: Client) -> None:
    assert "not a clone's id" in post(client, "clone/state", clone="../runs")


def test_the_form_adds_the_host_that_was_chosen(client: Client, people: People) -> None:
    entry = {
        "name": "garden",
        "place": "ssh:cloud",
        "kind": "local",
        "repo_path": "~/garden",
        "base_branch": "main",
        "default_backend": "codex",
        "permission_mode": "ask",
        "max_parallel_runs": 2,
    }
    assert client.post("/workspaces/new", entry).status_code == 302
    made = Workspace.objects.get(name="garden")
    assert (made.kind, made.ssh_host) == ("ssh", "cloud")
