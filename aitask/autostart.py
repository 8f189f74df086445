"""Starts the app with the user's login: by a systemd user unit, or by a task of Windows' Task Scheduler."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

from aitask.lib.errors import Refused
from aitask.lib.private_files import write_private

UNIT = "aitask.service"
TASK = "AI Task Manager"
COMMAND_SECONDS = 30.0

UNIT_TEXT = """\
[Unit]
Description=AI Task Manager
Wants=network-online.target
After=network-online.target

[Service]
WorkingDirectory={folder}
{environment}
ExecStart={command}
Restart=on-failure
# Agents that run on this machine, and their tmux server, go on when the app stops.
KillMode=process

[Install]
WantedBy=default.target
"""

# The defaults of Task Scheduler would not start it on battery, and would end it after three days.
TASK_TEXT = """\
<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo><Description>Starts AI Task Manager with your login.</Description></RegistrationInfo>
  <Triggers><LogonTrigger><UserId>{user}</UserId></LogonTrigger></Triggers>
  <Principals>
    <Principal id="Author">
      <UserId>{user}</UserId><LogonType>InteractiveToken</LogonType><RunLevel>LeastPrivilege</RunLevel>
    </Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
    <RestartOnFailure><Interval>PT1M</Interval><Count>3</Count></RestartOnFailure>
  </Settings>
  <Actions Context="Author">
    <Exec>
      <Command>{program}</Command>
      <Arguments>{arguments}</Arguments>
      <WorkingDirectory>{folder}</WorkingDirectory>
    </Exec>
  </Actions>
</Task>
"""


def install(folder: Path, options: Sequence[str], *, log: Path, variables: Mapping[str, str]) -> str:
    """Start `manage.py up` with these options at each login; return what to tell the user. Raises Refused.

    `log` is for the output on Windows. `variables` are settings, which a task there can't have.
    """
    if os.name == "nt":
        return _install_task(folder, options, log, variables)
    return _install_unit(folder, options, variables)


def remove() -> str:
    """Undo `install`, and leave a running app alone; return what to tell the user. Raises Refused."""
    if os.name == "nt":
        _run("schtasks", "/Delete", "/TN", TASK, "/F")
        return f"Removed the task {TASK!r}."
    path = unit_path()
    if not path.exists():
        raise Refused(f"There is no {path}.", "Nothing starts with your login.")
    _run(_systemctl(), "--user", "disable", UNIT)
    path.unlink()
    _run(_systemctl(), "--user", "daemon-reload")
    return f"Removed {path}."


def is_installed() -> bool:
    """Return whether the app starts with the login of this user."""
    if os.name == "nt":
        try:
            _run("schtasks", "/Query", "/TN", TASK)
        except Refused:
            return False
        return True
    return unit_path().exists()


def unit_path() -> Path:
    folder = os.environ.get("XDG_CONFIG_HOME", "")
    return Path(folder or Path.home() / ".config", "systemd", "user", UNIT)


def unit_text(folder: Path, options: Sequence[str], variables: Mapping[str, str]) -> str:
    """Return the text of the unit. `%` and `$` have a meaning there."""
    given = {"PATH": os.environ.get("PATH", os.defpath), **variables}
    lines = [f"Environment={_quoted(f'{name}={value}', dollar='$')}" for name, value in given.items()]
    command = " ".join(map(_quoted, [sys.executable, str(folder / "manage.py"), "up", *options]))
    names = {"folder": str(folder).replace("%", "%%"), "environment": "\n".join(lines), "command": command}
    return UNIT_TEXT.format(**names)


def _quoted(word: str, *, dollar: str = "$$") -> str:
    word = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", dollar)
    return f'"{word}"'


def _install_unit(folder: Path, options: Sequence[str], variables: Mapping[str, str]) -> str:
    systemctl, path = _systemctl(), unit_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_private(path, unit_text(folder, options, variables))  # variables may have passwords
    try:
        _run(systemctl, "--user", "daemon-reload")
        _run(systemctl, "--user", "enable", UNIT)
    except Refused:
        path.unlink()
        raise
    return (
        f"Wrote {path}. The app starts with your next login; now: systemctl --user start {UNIT}\n"
        f"Its output: journalctl --user -u {UNIT} -f\n"
        "To start it when the machine starts, without a login: loginctl enable-linger"
    )


def _systemctl() -> str:
    found = shutil.which("systemctl")
    if found is None:
        raise Refused(
            "This machine has no systemd.", "Start `manage.py up` as other programs are started here."
        )
    return found


def task_text(folder: Path, options: Sequence[str], log: Path) -> str:
    """Return the description of the task. pythonw opens no console window; the output goes to `log`."""
    program = Path(sys.executable).with_name("pythonw.exe")
    arguments = [str(folder / "manage.py"), "up", "--log-file", str(log), *options]
    values = {
        "user": f"{os.environ.get('USERDOMAIN', '')}\\{os.environ.get('USERNAME', '')}".lstrip("\\"),
        "program": str(program if program.exists() else sys.executable),
        "arguments": subprocess.list2cmdline(arguments),
        "folder": str(folder),
    }
    return TASK_TEXT.format(**{name: escape(value) for name, value in values.items()})


def _install_task(folder: Path, options: Sequence[str], log: Path, variables: Mapping[str, str]) -> str:
    with tempfile.TemporaryDirectory() as temporary:
        description = Path(temporary, "task.xml")
        description.write_text(task_text(folder, options, log), encoding="utf-16")
        _run("schtasks", "/Create", "/TN", TASK, "/XML", str(description), "/F")
    return (
        f'Created the task {TASK!r}. The app starts with your next login; now: schtasks /Run /TN "{TASK}"\n'
        f"Its output: {log}\n"
        f'To stop it: schtasks /End /TN "{TASK}"'
        + "".join(f"\nSet for your account, too: setx {name} …" for name in variables)
    )


def _run(*command: str) -> None:
    """Run a command. Raises Refused with its last line if it fails."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=COMMAND_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Refused(f"{command[0]} could not be run: {error}.") from error
    if done.returncode:
        lines = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
        raise Refused(f"{' '.join(command[:3])} failed: {lines[-1] if lines else done.returncode}.")
