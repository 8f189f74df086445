"""The doctor of the installation says what is wrong and what to do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pytest_django import Settings

from aitask import checks
from aitask.tests.installation import Installation
from aitask.tests.lab.link import free_port


def said(findings: checks.Checks) -> str:
    return " ".join(f"{finding.msg} {finding.hint}" for finding in findings)


@pytest.fixture
def data_dir(settings: Settings, tmp_path: Path) -> Path:
    settings.DATA_DIR = tmp_path
    (tmp_path / "secret_key").write_text("x")
    (tmp_path / "secret_key").chmod(0o600)
    tmp_path.chmod(0o700)
    return tmp_path


def test_a_private_folder_is_fine(data_dir: Path) -> None:
    assert checks.data_dir_is_private(None) == []


def test_a_folder_or_key_that_others_can_read_is_found(data_dir: Path) -> None:
    data_dir.chmod(0o755)
    (data_dir / "secret_key").chmod(0o644)
    found = said(checks.data_dir_is_private(None))
    assert f"chmod 700 {data_dir}" in found
    assert f"chmod 600 {data_dir}/secret_key" in found


@pytest.mark.parametrize(
    ("access", "named"),
    [
        ("D:AI(A;OICIID;FA;;;BA)(A;OICIID;FA;;;SY)(A;OICIID;FA;;;S-1-5-21-1-2-3-1001)", []),
        ("D:P(A;OICI;FA;;;OW)", []),
        (
            "D:AI(A;OICIID;FA;;;BA)(A;OICIID;0x1200a9;;;BU)(A;ID;0x1301bf;;;AU)",
            ["all who can log in", "all users"],
        ),
        ("D:(A;;FR;;;WD)", ["everyone"]),
        ("D:(D;;FA;;;WD)(A;;FA;;;BA)", []),
    ],
)
def test_on_windows_the_access_list_tells_who_can_read(access: str, named: list[str]) -> None:
    found = " ".join(checks.readers(access))
    assert all(name in found for name in named)
    assert bool(found) == bool(named)


def test_a_folder_that_onedrive_copies_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OneDrive", "")
    assert checks.synchronized(tmp_path / "x") == ""
    monkeypatch.setenv("OneDriveCommercial", str(tmp_path))
    assert checks.synchronized(tmp_path / "x") == str(tmp_path)
    assert checks.synchronized(tmp_path.parent / "other") == ""


def test_missing_programs_are_named_with_what_they_are_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    found = said(checks.programs_are_there(None))
    assert all(f"{name} was not found." in found for name in ("ssh", "git", "tmux"))


def test_only_ssh_is_needed_where_agents_can_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr("workspaces.hosts.local.supported", lambda: False)
    assert [finding.msg for finding in checks.programs_are_there(None)] == ["ssh was not found."]


def test_debugging_is_found(settings: Settings) -> None:
    assert checks.debug_is_off(None) == []
    settings.DEBUG = True
    assert "DEBUG is on" in said(checks.debug_is_off(None))


def test_a_database_on_a_network_drive_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    assert checks.sqlite_is_on_a_local_disk(None) == []
    monkeypatch.setattr(checks, "file_system_of", lambda _path: "nfs4")
    assert "network drive (nfs4)" in said(checks.sqlite_is_on_a_local_disk(None))


def test_the_kind_of_a_file_system_is_that_of_the_nearest_mount(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text("a / ext4 rw 0 0\nb /srv nfs4 rw 0 0\nc /srv/my\\040disk xfs rw 0 0\n")
    assert checks.file_system_of(Path("/srv/data"), mounts) == "nfs4"
    assert checks.file_system_of(Path("/srv/my disk/data"), mounts) == "xfs"
    assert checks.file_system_of(Path("/home"), mounts) == "ext4"
    assert checks.file_system_of(Path("/home"), tmp_path / "none") == ""


def test_a_redis_that_does_not_answer_is_found(settings: Settings) -> None:
    settings.REDIS_URL = ""
    assert checks.redis_answers(None) == []
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}"
    assert "Redis does not answer" in said(checks.redis_answers(None))


def test_a_clock_that_stands_in_the_past_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    assert checks.clock_is_plausible(None) == []
    monkeypatch.setattr(checks, "BUILT_AFTER", datetime.now(UTC) + timedelta(days=1))
    assert "clock" in said(checks.clock_is_plausible(None))


def test_manage_check_is_the_doctor(installation: Installation) -> None:
    assert installation.run("check").returncode == 0
    installation.settings["REDIS_URL"] = f"redis://127.0.0.1:{free_port()}"
    refused = installation.run("check")
    assert refused.returncode == 1
    assert "unset REDIS_URL" in refused.stderr
