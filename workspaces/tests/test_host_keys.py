"""Whether it really is that machine: a person accepts an unknown key once, a changed one rings the alarm."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from aitask.tests.lab.sshd import SshLab, make_key
from workspaces import hosts, services
from workspaces.hosts import HostError
from workspaces.models import Host
from workspaces.tests.conftest import Connect

pytestmark = pytest.mark.server


def failure(host: hosts.HostConnection) -> HostError:
    with pytest.raises(HostError) as caught:
        host.hello(force=True)
    return caught.value


def fingerprint(key: Path) -> str:
    """As ssh-keygen shows it to a person."""
    said = subprocess.run(["ssh-keygen", "-lf", key], check=True, capture_output=True, text=True).stdout
    return said.split()[1]


@pytest.fixture
def row(lab: SshLab, db: None) -> Host:
    """The host behind its jump host, both not known yet."""
    lab.forget_host_keys()
    return Host.objects.create(key="ssh:cloud", kind="ssh", alias="cloud")


def test_an_unknown_key_is_shown_as_ssh_keygen_shows_it(lab: SshLab, connect: Connect) -> None:
    lab.forget_host_keys()

    error = failure(connect("cloud-direct"))

    assert error.code == "host_key_unknown"
    assert error.data["fingerprint"] == fingerprint(lab.sshd.host_key)
    assert error.data["algorithm"] == "ssh-ed25519"


def test_nothing_is_written_into_a_persons_file(lab: SshLab, connect: Connect) -> None:
    lab.forget_host_keys()
    line = failure(connect("cloud-direct")).data["line"]
    connect("cloud-direct", line).hello()

    assert lab.known_hosts.read_text() == ""


def test_a_loose_configuration_accepts_nothing(lab: SshLab, connect: Connect) -> None:
    lab.forget_host_keys()
    lab.config.write_text(f"StrictHostKeyChecking no\n{lab.config.read_text()}")

    assert failure(connect("cloud-direct")).code == "host_key_unknown"


def test_a_missing_file_of_known_hosts_knows_nobody(lab: SshLab, connect: Connect) -> None:
    lab.known_hosts.unlink()

    assert failure(connect("cloud-direct")).code == "host_key_unknown"


def test_lines_that_ssh_would_skip_are_skipped(lab: SshLab, connect: Connect) -> None:
    lab.known_hosts.write_text(f"rubbish\n@what a b c\n|1|x ssh-rsa\n{lab.known_hosts.read_text()}")

    assert connect("cloud-direct").hello()


def test_hashed_names_are_known(lab: SshLab, connect: Connect) -> None:
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", lab.known_hosts], check=True, capture_output=True)

    assert "127.0.0.1" not in lab.known_hosts.read_text()
    assert connect("cloud-direct").hello()


def test_another_machine_on_the_same_address_is_not_changed_but_unknown(
    lab: SshLab, connect: Connect, tmp_path: Path
) -> None:
    make_key(tmp_path / "other")
    algorithm, key, *_ = (tmp_path / "other.pub").read_text().split()
    lab.known_hosts.write_text(f"127.0.0.1 {algorithm} {key}\n")

    assert failure(connect("cloud-direct")).code == "host_key_unknown"


def test_a_key_that_is_known_without_the_port_is_good(lab: SshLab, connect: Connect) -> None:
    algorithm, key, *_ = lab.sshd.host_key.with_suffix(".pub").read_text().split()
    lab.known_hosts.write_text(f"127.0.0.1 {algorithm} {key}\n")

    assert connect("cloud-direct").hello()


def test_a_revoked_key_rings_the_alarm(lab: SshLab, connect: Connect) -> None:
    line = lab.sshd.known_hosts_line.replace(f":{lab.sshd.port} ", f":{lab.link.port} ")
    lab.known_hosts.write_text(f"{line}@revoked {line}")

    error = failure(connect("cloud-direct"))

    assert error.code == "host_key_changed"
    assert "revoked" in error.reason


def test_a_changed_key_rings_the_alarm_even_if_it_was_accepted_here(lab: SshLab, connect: Connect) -> None:
    make_key(lab.folder / "earlier")
    algorithm, key, *_ = (lab.folder / "earlier.pub").read_text().split()
    known = f"[127.0.0.1]:{lab.link.port} {algorithm} {key}"
    lab.known_hosts.write_text(f"{known}\n")

    error = failure(connect("cloud-direct"))

    assert error.code == "host_key_changed"
    assert error.reason.startswith("ALARM")
    assert "ssh-keygen -R" in error.hint


def test_accepting_goes_hop_by_hop_and_is_remembered(lab: SshLab, row: Host) -> None:
    asked = []
    while question := services.unknown_key(row):
        asked.append(question.data["host"])
        services.accept_host_key(row, question.data["fingerprint"])

    assert asked == ["jump", "cloud"]
    assert hosts.get(Host.objects.get(pk=row.pk).address).connected


def test_a_key_other_than_the_one_shown_is_not_accepted(lab: SshLab, row: Host) -> None:
    with pytest.raises(HostError) as caught:
        services.accept_host_key(row, "SHA256:another")

    assert caught.value.code == "host_key_changed"
    assert Host.objects.get(pk=row.pk).accepted_keys == []


def test_accepting_a_known_key_changes_nothing(lab: SshLab, row: Host) -> None:
    lab.trust_host_keys()

    services.accept_host_key(row, "SHA256:whatever")

    assert Host.objects.get(pk=row.pk).accepted_keys == []
