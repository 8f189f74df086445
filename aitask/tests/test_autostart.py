"""The app starts with the user's login: by systemd on Linux, by Task Scheduler on Windows."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from aitask import autostart
from aitask.lib.errors import Refused
from aitask.tests.installation import Installation

FOLDER = Path("/srv/50% off/a b")
SPACE = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"


class Systemctl:
    """A program that notes its arguments, and may fail."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "systemctl"
        self.notes = folder / "notes"
        self.behave("exit 0")

    def behave(self, end: str) -> None:
        self.file.write_text(f'#!/bin/sh\necho "$*" >> {self.notes}\n{end}\n')
        self.file.chmod(0o755)

    def calls(self) -> list[str]:
        return self.notes.read_text().splitlines() if self.notes.exists() else []


@pytest.fixture
def systemctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Systemctl:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return Systemctl(tmp_path)


def install() -> str:
    variables = {"SECRET_KEY": 'a"b$c%d\\e', "DATA_DIR": "/data"}
    return autostart.install(FOLDER, ["--port", "8123"], log=Path("/log"), variables=variables)


def test_a_unit_is_written_for_its_owner_alone_and_enabled(systemctl: Systemctl) -> None:
    said = install()
    unit = autostart.unit_path()
    assert stat.S_IMODE(unit.stat().st_mode) == 0o600
    assert systemctl.calls() == ["--user daemon-reload", "--user enable aitask.service"]
    assert str(unit) in said
    assert "systemctl --user start aitask.service" in said
    assert autostart.is_installed()


def test_words_of_the_unit_arrive_as_they_are(systemctl: Systemctl) -> None:
    install()
    lines = autostart.unit_path().read_text().splitlines()
    assert "WorkingDirectory=/srv/50%% off/a b" in lines
    assert f'ExecStart="{sys.executable}" "/srv/50%% off/a b/manage.py" "up" "--port" "8123"' in lines
    assert r'Environment="SECRET_KEY=a\"b$c%%d\\e"' in lines
    assert 'Environment="DATA_DIR=/data"' in lines


def test_agents_on_this_machine_outlive_a_stop(systemctl: Systemctl) -> None:
    install()
    assert "KillMode=process" in autostart.unit_path().read_text()


def test_it_can_be_repeated_and_removed(systemctl: Systemctl) -> None:
    install()
    install()
    autostart.remove()
    assert systemctl.calls()[-2:] == ["--user disable aitask.service", "--user daemon-reload"]
    assert not autostart.is_installed()
    with pytest.raises(Refused, match="Nothing starts with your login"):
        autostart.remove()


def test_what_systemd_says_is_the_reason_and_nothing_stays(systemctl: Systemctl) -> None:
    systemctl.behave(
        '[ "$2" = enable ] || exit 0; echo "Failed to connect to bus: No medium found" >&2; exit 1'
    )
    with pytest.raises(Refused, match="Failed to connect to bus: No medium found"):
        install()
    assert not autostart.is_installed()


def test_a_machine_without_systemd_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with pytest.raises(Refused, match="no systemd"):
        install()


def test_a_task_of_windows_has_no_limit_of_time_and_needs_no_mains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USERDOMAIN", "DESK")
    monkeypatch.setenv("USERNAME", "A & B")
    text = autostart.task_text(Path("C:/my code"), ["--port", "8000"], Path("C:/my code/data/up.log"))
    task = ElementTree.fromstring(text.encode("utf-16"))

    def value(name: str) -> str:
        found = task.find(f".//{SPACE}{name}")
        assert found is not None
        return str(found.text)

    assert (value("ExecutionTimeLimit"), value("DisallowStartIfOnBatteries")) == ("PT0S", "false")
    assert (value("StopIfGoingOnBatteries"), value("RunLevel")) == ("false", "LeastPrivilege")
    assert value("UserId") == "DESK\\A & B"
    log = '"C:/my code/data/up.log"'
    assert value("Arguments") == f'"C:/my code/manage.py" up --log-file {log} --port 8000'


def test_the_command_says_whether_it_is_installed(
    installation: Installation, tmp_path: Path, systemctl: Systemctl
) -> None:
    installation.settings |= {"XDG_CONFIG_HOME": str(tmp_path / "config"), "SILENT_MINUTES": "7"}
    assert "does not start with your login" in installation.run("autostart").stdout
    installation.run("autostart", "--install", "--port", "8001").check_returncode()
    assert "starts with your login" in installation.run("autostart").stdout
    unit = autostart.unit_path().read_text()
    assert '"--port" "8001"' in unit
    assert 'Environment="SILENT_MINUTES=7"' in unit
    assert f'Environment="DATA_DIR={installation.data_dir}"' in unit
    installation.run("autostart", "--remove").check_returncode()
    assert installation.run("autostart", "--remove").returncode == 1
