"""Facts about a host that are read from its files: what ends with the login, where our tmux listens."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from workspaces.hostkit import control_address, folder
from workspaces.hostkit.serve import doctor

DROP_IN = "logind.conf.d/50-lab.conf"


def test_programs_outlive_the_login_by_default(tmp_path: Path) -> None:
    assert not doctor.ends_with_login([tmp_path / "no", tmp_path], tmp_path / "linger")


@pytest.mark.parametrize(
    ("files", "ends"),
    [
        ({"logind.conf": "[Login]\nKillUserProcesses=yes\n"}, True),
        ({"logind.conf": "[Login]\n  KillUserProcesses = true\n"}, True),
        ({"logind.conf": "[Login]\n#KillUserProcesses=yes\n; KillUserProcesses=yes\n"}, False),
        ({"logind.conf": "KillUserProcesses=yes\n", DROP_IN: "[Login]\nKillUserProcesses=no\n"}, False),
        ({DROP_IN: "[Login]\nKillUserProcesses=1\n"}, True),
        ({"logind.conf": "KillUserProcesses=yes\nKillExcludeUsers=root ada\n"}, False),
    ],
)
def test_what_logind_is_told_to_end_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], ends: bool
) -> None:
    monkeypatch.setattr(doctor, "_user", lambda: "ada")
    for name, text in files.items():
        path = tmp_path / "systemd" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert doctor.ends_with_login([tmp_path / "systemd"], tmp_path / "linger") is ends
    (tmp_path / "linger").mkdir()
    (tmp_path / "linger" / "ada").touch()
    assert not doctor.ends_with_login([tmp_path / "systemd"], tmp_path / "linger")


def test_our_tmux_server_listens_in_the_state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "state_dir", lambda: Path("/tmp/s") / tmp_path.name[:8])
    monkeypatch.setattr(folder, "make_private_folder", lambda _path: None)
    assert folder.tmux_socket() == Path("/tmp/s") / tmp_path.name[:8] / "tmux.sock"


def test_a_long_home_folder_has_a_socket_that_tmux_can_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = Path("/tmp") / f"t{os.getpid()}"
    monkeypatch.setenv("TMUX_TMPDIR", str(short))
    made: list[Path] = []
    monkeypatch.setattr(folder, "make_private_folder", made.append)
    found = set()
    for name in ("a", "b"):
        state = tmp_path / ("long" * 30 + name)
        monkeypatch.setattr(folder, "state_dir", lambda state=state: state)
        socket = folder.tmux_socket()
        assert socket.parent == short / f"tmux-{os.getuid()}" == made[-1]
        assert len(os.fsencode(socket)) <= control_address.MAX_BYTES
        found.add(socket)
    assert len(found) == 2
