"""Addresses that can be cloned."""

from __future__ import annotations

import pytest

from workspaces.adding import sources
from workspaces.git import GitError


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://example.org/team/shop.git", "shop"),
        ("http://git.lan:3000/shop", "shop"),
        ("ssh://git@example.org:2222/team/shop.git/", "shop"),
        ("git@example.org:team/shop.git", "shop"),
        ("cloud:shop", "shop"),
        ("https://[2001:db8::1]/shop.git", "shop"),
        ("  https://example.org/a..b  ", "a..b"),
    ],
)
def test_addresses_of_servers_are_accepted(url: str, name: str) -> None:
    assert sources.checked(url) == url.strip()
    assert sources.name_of(url.strip()) == name


@pytest.mark.parametrize(
    "url",
    [
        "",
        "--upload-pack=touch /tmp/x",
        "-u",
        "ext::sh -c touch% /tmp/x",
        "ext::sh",
        "fd::17/foo",
        "file:///etc",
        "git://example.org/shop",
        "ftp://example.org/shop",
        "/srv/shop",
        "../shop",
        "shop",
        "ssh://-oProxyCommand=touch/x",
        "ssh://-oProxyCommand=touch@example.org/x",
        "-oProxyCommand=x:shop",
        "https://-example/shop",
        "https:///shop",
        "https://example.org:port/shop",
        "https://example.org/a\nb",
        "https://example.org/a b",
        "https://example.org/\u202eshop",
        "https://example.org/" + "a" * 3000,
    ],
)
def test_everything_else_is_refused(url: str) -> None:
    with pytest.raises(GitError):
        sources.checked(url)


@pytest.mark.parametrize("url", ["https://ada:secret@example.org/shop", "https://ghp_token@example.org/shop"])
def test_an_address_with_a_password_is_refused(url: str) -> None:
    with pytest.raises(GitError, match="agents can read it") as refused:
        sources.checked(url)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("git@example.org:a/b", "git@example.org"),
        ("ssh://git@example.org:22/b", "git@example.org"),
        ("https://x/b", ""),
    ],
)
def test_the_login_that_reaches_the_server_is_known(url: str, name: str) -> None:
    assert sources.ssh_name(url) == name
