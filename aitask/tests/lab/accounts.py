"""The account on the lab's host: a user created for it if possible, else the user who runs the tests."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from . import processes
from .tools import tools_path

FIRST_UID = 30_000


@dataclass(frozen=True)
class Account:
    """`made` means that the user was created for this lab and is removed with it."""

    name: str
    uid: int
    gid: int
    home: Path
    shell: str
    made: bool

    def own(self, path: Path) -> None:
        """Make this user the owner of a file or of a whole folder."""
        if self.made:
            subprocess.run(["chown", "-R", f"{self.uid}:{self.gid}", str(path)], check=True)

    def close(self) -> None:
        """Kill the user's processes and remove the user, if it was created here."""
        if not self.made:
            return
        for pid in processes.of_user(self.uid):
            processes.send(pid, signal.SIGKILL)
        processes.wait_until_gone(processes.of_user(self.uid))
        subprocess.run(["userdel", self.name], check=True, capture_output=True)
        shutil.rmtree(Path(tempfile.gettempdir()) / f"tmux-{self.uid}", ignore_errors=True)


def can_make_users() -> bool:
    """Return whether a user can be created that can run the CLIs."""
    return os.geteuid() == 0 and bool(shutil.which("useradd")) and _readable_by_all(tools_path())


def _readable_by_all(folders: list[str]) -> bool:
    parents = [parent for folder in folders for parent in [Path(folder), *Path(folder).parents]]
    return all(parent.stat().st_mode & 0o005 == 0o005 for parent in parents)


def make_account(home: Path, shell: str) -> Account:
    """Create an account with this login shell and home folder, which is created too."""
    home.mkdir(mode=0o755)
    if not can_make_users():
        own = pwd.getpwuid(os.geteuid())
        return Account(own.pw_name, own.pw_uid, own.pw_gid, home, shell, made=False)
    name = f"lab{secrets.token_hex(4)}"
    uid = str(FIRST_UID + secrets.randbelow(20_000))
    # No password matches "*"; useradd's default would lock the account for sshd.
    command = ["useradd", "--no-create-home", "--home-dir", str(home), "--shell", shell, "--password", "*"]
    # An unused user id: all its processes belong to the lab.
    subprocess.run([*command, "--uid", uid, "--user-group", name], check=True, capture_output=True)
    made = pwd.getpwnam(name)
    account = Account(name, made.pw_uid, made.pw_gid, home, shell, made=True)
    account.own(home)
    return account
