"""What programs that agents control inherit: an allow-list, never the keys of the login."""

from __future__ import annotations

import pytest

from workspaces.hostkit import agents, environment

SECRETS = [
    *("SSH_AUTH_SOCK", "SSH_AGENT_PID", "DJANGO_SUPERUSER_PASSWORD", "PGPASSWORD", "AWS_SECRET_ACCESS_KEY"),
    *("GITHUB_TOKEN", "GH_TOKEN", "NPM_TOKEN", "npm_config__authToken", "HOMEBREW_GITHUB_API_TOKEN"),
    *("GOOGLE_APPLICATION_CREDENTIALS", "KUBECONFIG", "VAULT_TOKEN", "MYHOME", "PATH_SECRET", "HOME2"),
    *("SECRET_KEY", "DATABASE_URL", "REDIS_URL", "GIT_ASKPASS", "DBUS_SESSION_BUS_ADDRESS", "LC", "path"),
]
KEPT = ["HOME", "LANG", "LC_ALL", "TERM", "TZ", "TMPDIR", "XDG_CONFIG_HOME", "SSL_CERT_FILE", "https_proxy"]


@pytest.fixture(autouse=True)
def full_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A login whose environment holds all of them."""
    for name in [*SECRETS, *KEPT]:
        monkeypatch.setenv(name, f"value-of-{name}")


def test_secrets_of_the_login_are_not_inherited() -> None:
    found = environment.variables({}, "/bin")
    assert not set(SECRETS) & set(found)
    assert set(KEPT) <= set(found)


@pytest.mark.parametrize("name", agents.names())
def test_a_cli_inherits_no_secrets_either(name: str) -> None:
    found = environment.variables({}, "/bin", also=agents.get(name).variables)
    assert not set(SECRETS) & set(found)


def test_a_cli_gets_its_own_variables_and_not_those_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", "/there")
    monkeypatch.setenv("CODEX_HOME", "/here")
    monkeypatch.setenv("CLAUDECODE", "1")
    found = environment.variables({}, "/bin", also=agents.get("claude_code").variables)
    assert (found.get("CLAUDE_CONFIG_DIR"), found.get("CODEX_HOME"), found.get("CLAUDECODE")) == (
        "/there",
        None,
        None,
    )


def test_the_variables_of_the_workspace_are_always_given() -> None:
    found = environment.variables({"NPM_TOKEN": "given", "MY_OWN": "1"}, "/bin")
    assert (found["NPM_TOKEN"], found["MY_OWN"]) == ("given", "1")


@pytest.mark.parametrize(("lent", "expected"), [(True, "value-of-SSH_AUTH_SOCK"), (False, None)])
def test_the_ssh_agent_is_lent_only_if_the_workspace_says_so(lent: bool, expected: str | None) -> None:
    found = environment.of_spec({"environment": {}, "path": "/bin", "ssh_agent": lent})
    assert found.get("SSH_AUTH_SOCK") == expected


def test_commands_of_the_app_keep_the_ssh_agent_for_a_push() -> None:
    assert environment.own_variables({})["SSH_AUTH_SOCK"] == "value-of-SSH_AUTH_SOCK"
