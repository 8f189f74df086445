"""What `ssh -G` prints is understood as ssh means it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from aitask.tests.lab.tools import PROJECT
from workspaces.hosts import HostError, ssh_config_fallback, ssh_options, ssh_target
from workspaces.hosts.ssh_config import parse
from workspaces.hosts.ssh_host_keys import known_name
from workspaces.hosts.ssh_options import ciphers, proxy_argv
from workspaces.hosts.ssh_target import (
    Name,
    SshTarget,
    check_name,
    existing_files,
    from_home,
    parse_jump,
    target_of,
)

PRINTED = """\
host cloud
user ada
hostname cloud.example.org
port 2222
identityfile ~/.ssh/first
identityfile %d/.ssh/of_%r_at_%h
proxyjump ada@edge:2200,[fe80::1]:22,inner
connecttimeout none
serveraliveinterval 0
setenv A=b c
sendenv LANG
"""


def printed(text: str = PRINTED) -> SshTarget:
    return target_of(Name("cloud"), parse(text))


def test_host_user_and_port_come_from_the_configuration() -> None:
    target = printed()

    assert (target.host, target.user, target.port) == ("cloud.example.org", "ada", 2222)


def test_an_option_given_several_times_keeps_its_order() -> None:
    assert printed().options["identityfile"] == ["~/.ssh/first", "%d/.ssh/of_%r_at_%h"]


def test_none_is_no_value() -> None:
    assert printed().number("connecttimeout", 15) == 15


def test_a_keepalive_of_zero_means_ours() -> None:
    assert printed().number("serveraliveinterval", 15) == 15


def test_each_hop_of_a_proxy_jump_is_a_name_of_its_own() -> None:
    assert printed().jumps == [Name("edge", "ada", 2200), Name("fe80::1", "", 22), Name("inner")]


@pytest.mark.parametrize("text", ["ssh://ada@edge:2200", "ada@edge:2200", "ssh://ada@edge:2200/"])
def test_a_hop_may_be_written_as_a_url(text: str) -> None:
    assert parse_jump(text) == Name("edge", "ada", 2200)


def test_a_hop_that_is_none_is_refused() -> None:
    with pytest.raises(HostError, match="is not valid"):
        parse_jump("a:b:c")


def test_tokens_are_replaced() -> None:
    assert printed().expand("nc %h %p %r %n %%") == "nc cloud.example.org 2222 ada cloud %"


def test_an_unknown_token_stays() -> None:
    assert printed().expand("%Q") == "%Q"


@pytest.mark.parametrize("alias", ["-oProxyCommand=x", "a;b", "$(id)", "a b", "`id`", "a\nb", "a'b"])
def test_names_that_a_shell_would_read_are_refused(alias: str) -> None:
    with pytest.raises(HostError, match="is not a valid name"):
        check_name(Name(alias))


def test_a_host_name_from_the_configuration_is_checked_too() -> None:
    with pytest.raises(HostError, match="is not a valid name"):
        printed("hostname $(id)\n")


def test_files_with_spaces_are_found_in_a_list_without_quotes(tmp_path: Path) -> None:
    plain, spaced = tmp_path / "known", tmp_path / "known hosts of Ada"
    for path in (plain, spaced):
        path.touch()

    assert existing_files(f"{tmp_path}/missing {spaced} {plain}") == [spaced, plain]


def test_missing_files_are_left_out(tmp_path: Path) -> None:
    assert existing_files(f"{tmp_path}/one {tmp_path}/two") == []


def test_known_hosts_names_a_port_other_than_22() -> None:
    assert known_name(printed("hostname Cloud.Example.org\nport 2222\n")) == "[cloud.example.org]:2222"
    assert known_name(printed("hostname Cloud.Example.org\nport 22\n")) == "cloud.example.org"


def test_an_alias_for_the_host_key_has_no_port() -> None:
    assert known_name(printed("port 2222\nhostkeyalias Fleet\n")) == "fleet"


def test_the_fast_cipher_comes_first_where_it_is_allowed() -> None:
    assert ciphers(["chacha20-poly1305@openssh.com", "aes128-gcm@openssh.com"])[0] == "aes128-gcm@openssh.com"
    assert ciphers(["aes256-ctr", "no-such-cipher"]) == ["aes256-ctr"]


BLOCK = "Host other\n  HostName wrong.example.org\n  User mallory\nHost cloud\n  HostName right.example.org\n"


@pytest.mark.parametrize(
    "text",
    [
        BLOCK,
        BLOCK.replace("\n", "\r\n"),
        BLOCK.lower(),
        f"# a comment\n{BLOCK}",
        f"Match originalhost other\n  HostName wrong.example.org\n{BLOCK}",
        "HostName right.example.org\n" + BLOCK,
    ],
)
def test_a_byte_order_mark_hides_no_first_line(tmp_path: Path, text: str) -> None:
    for start in ("", "\ufeff"):
        (tmp_path / "config").write_bytes((start + text).encode())
        target = ssh_config_fallback.read(Name("cloud"), str(tmp_path / "config"))
        assert (target.host, target.user == "mallory") == ("right.example.org", False)


def test_a_byte_order_mark_in_an_included_file_hides_no_first_line(tmp_path: Path) -> None:
    (tmp_path / "more").write_text("\ufeff" + BLOCK)
    (tmp_path / "config").write_text(f"Include {tmp_path}/more\n")
    assert ssh_config_fallback.read(Name("cloud"), str(tmp_path / "config")).host == "right.example.org"


def test_a_configuration_in_utf_16_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config").write_bytes(BLOCK.encode("utf-16"))
    with pytest.raises(HostError, match="can't be read"):
        ssh_config_fallback.read(Name("cloud"), str(tmp_path / "config"))


def test_the_files_of_all_users_are_found_as_ssh_on_windows_names_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROGRAMDATA", str(tmp_path))
    (tmp_path / "ssh").mkdir()
    (tmp_path / "ssh/ssh_known_hosts").touch()
    value = "__PROGRAMDATA__/ssh/ssh_known_hosts __PROGRAMDATA__/ssh/ssh_known_hosts2"
    assert existing_files(value) == [tmp_path / "ssh/ssh_known_hosts"]


def test_without_ssh_they_are_known_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROGRAMDATA", str(tmp_path))
    options = ssh_config_fallback.in_form_of_ssh({})
    assert options["globalknownhostsfile"][0] == str(tmp_path / "ssh/ssh_known_hosts")


@pytest.mark.parametrize(("system", "expected"), [("nt", True), ("posix", False)])
def test_a_backslash_after_the_tilde_is_a_separator_on_windows_only(
    monkeypatch: pytest.MonkeyPatch, system: str, expected: bool
) -> None:
    monkeypatch.setattr(ssh_target, "os", SimpleNamespace(name=system, environ={}))
    monkeypatch.setattr(ssh_target, "home", lambda: Path("/home/ada"))
    assert (from_home("~\\.ssh") == Path("/home/ada/.ssh")) is expected


def test_windows_gets_a_proxy_command_as_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    line = r'"C:\Program Files (x86)\cloudflared\cloudflared.exe" access ssh --hostname "a b"'
    monkeypatch.setattr(ssh_options, "os", SimpleNamespace(name="nt"))
    program, option, code, argument = proxy_argv(line)
    assert (program, option, argument) == (sys.executable, "-c", line)
    done = subprocess.run([program, option, code, sys.executable], input=b"raise SystemExit(7)", check=False)
    assert done.returncode == 7


RECORDED = PROJECT / "aitask/tests/windows/recorded/ssh_g.txt"
"""Windows' own `ssh -G cloud`, of a user without a configuration."""


def on_windows(text: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> SshTarget:
    """The target of an output of Windows, whose user and all users have their files below `home`."""
    monkeypatch.setattr(ssh_target, "home", lambda: home)
    monkeypatch.setenv("PROGRAMDATA", str(home / "ProgramData"))
    return printed(text.replace("C:\\Users\\me", str(home)))


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_the_known_hosts_of_windows_are_those_of_the_user_and_of_all_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = touch(tmp_path / ".ssh/known_hosts")
    of_all = touch(tmp_path / "ProgramData\\ssh/ssh_known_hosts")  # the separator as ssh prints it
    target = on_windows(RECORDED.read_text(), tmp_path, monkeypatch)
    assert target.paths("userknownhostsfile") == [own]
    assert target.paths("globalknownhostsfile") == [of_all]


def test_the_default_keys_of_windows_are_in_the_users_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = touch(tmp_path / ".ssh/id_ed25519")
    assert on_windows(RECORDED.read_text(), tmp_path, monkeypatch).paths("identityfile") == [key]


def test_an_old_ssh_of_windows_names_all_keys_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = touch(tmp_path / ".ssh/id_rsa")
    keys = "identityfile ~/.ssh/id_dsa ~/.ssh/id_ecdsa ~/.ssh/id_ed25519 ~/.ssh/id_rsa\n"
    lines = [line for line in RECORDED.read_text().splitlines() if not line.startswith("identityfile")]
    assert on_windows("\n".join([*lines, keys]), tmp_path, monkeypatch).paths("identityfile") == [key]


def test_crlf_in_the_output_of_windows_is_no_part_of_a_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = on_windows(RECORDED.read_text().replace("\n", "\r\n"), tmp_path, monkeypatch)
    assert (target.host, target.port, target.user) == ("cloud", 22, "me")
    assert not target.jumps
