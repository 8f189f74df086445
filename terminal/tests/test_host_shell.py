"""The shell of a host without a workspace, and links that type a command into a terminal."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import User
from django.template import Context, Template
from django.test import RequestFactory

from aitask.lib import typed_commands
from tasks.tests.factories import make_user
from tasks.tests.people import People, browser_of
from terminal import queries, services
from terminal.models import Visit
from terminal.places import Place
from terminal.tests.test_sidebar import row
from workspaces.models import Host

pytestmark = pytest.mark.django_db


@pytest.fixture
def people() -> People:
    made = People()
    made.allow("owner", "use_terminal")
    return made


@pytest.fixture
def host() -> Host:
    return Host.objects.create(key="ssh:cloud", kind="ssh", alias="cloud")


def typed_by(link: str, user: User, path: str = "") -> str:
    """What the page at the link types; at another page, if `path` is given."""
    place, _, query = link.partition("?")
    html = browser_of(user).get(f"{path or place}?{query}").content.decode()
    return html.partition('data-typed="')[2].partition('"')[0]


def test_the_shell_of_a_host_needs_both_rights(people: People, host: Host) -> None:
    path = f"/hosts/{host.pk}/terminal"
    people.allow("member", "use_terminal")
    people.allow("stranger", "add_workspace")
    assert people.browser("owner").get(path).status_code == 200
    for who in ("member", "stranger"):
        assert people.browser(who).get(path).status_code == 403
        assert people.browser(who).post(f"{path}/close").status_code == 403
    assert people.browser("owner").get("/hosts/99999/terminal").status_code == 404
    assert people.browser("nobody").get(path).status_code == 302


def test_a_link_types_its_command_for_one_user_at_one_terminal(people: People, host: Host) -> None:
    people.allow("stranger", "add_workspace")
    people.allow("stranger", "use_terminal")
    link = typed_commands.link(f"/hosts/{host.pk}/terminal", "codex login", people.owner)
    assert typed_by(link, people.owner) == "codex login"
    assert typed_by(link, people.stranger) == ""
    assert typed_by(link, people.owner, f"/workspaces/{people.workspace.pk}/terminal") == ""
    assert typed_by(f"/hosts/{host.pk}/terminal?type=codex+login", people.owner) == ""


@pytest.mark.parametrize("command", ["rm -rf ~\n", "a\rb", "\x1b[2J", "safe \u202e", "x" * 2000])
def test_what_would_be_sent_or_is_not_as_it_looks_is_never_typed(people: People, command: str) -> None:
    assert typed_commands.link("/hosts/1/terminal", command, people.owner) == ""


def test_without_a_terminal_the_command_is_copied(people: People) -> None:
    request = RequestFactory().get("/")
    request.user = people.owner
    template = Template("{% load ui %}{% fix_link '' command %}")
    html = template.render(Context({"request": request, "command": 'echo "<b>"'}))
    assert 'data-copy="echo &quot;&lt;b&gt;&quot;"' in html
    assert "href=" not in html.replace("<use href=", "")


def test_an_open_shell_of_a_host_is_listed_for_who_opened_it(people: People, host: Host) -> None:
    place = Place.of_host(host)
    services.log(place, people.owner, Visit.Kind.OPEN)
    listings = {host.key: [row(f"h{host.pk}")]}
    (group,) = queries.groups(people.owner, listings)
    assert (group.workspace.name, group.sessions[0].url) == ("cloud", f"/hosts/{host.pk}/terminal")
    assert host.key in queries.addresses(people.owner)
    assert queries.groups(people.owner, {host.key: []}) == []
    assert queries.groups(make_user(), listings) == []


def test_the_link_survives_its_address() -> None:
    user = make_user()
    link = typed_commands.link("/hosts/1/terminal", "git -C '/a b/ü' init", user)
    signed = parse_qs(urlsplit(link).query)[typed_commands.PARAMETER][0]
    assert typed_commands.command_in(signed, "/hosts/1/terminal", user) == "git -C '/a b/ü' init"
