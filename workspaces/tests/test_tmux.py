"""Sessions of tasks on a tmux server of our own, beside the user's."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from aitask.tests.lab.tmux import TmuxServer
from aitask.tests.lab.wait import wait_for
from workspaces import hosts, tmux

pytestmark = pytest.mark.server

OWNER = "0a1b2c3d/7"


def open_window(
    host: hosts.HostConnection,
    cwd: Path,
    *,
    window: str = "run-1",
    owner: str = OWNER,
    argv: tuple[str, ...] = ("sleep", "60"),
) -> str:
    return tmux.ensure_window(
        host, session="aitask-7", owner=owner, window=window, argv=argv, cwd=str(cwd), history_limit=3000
    )


def windows(server: TmuxServer, session: str = "aitask-7") -> list[str]:
    return server.run("list-windows", "-t", f"={session}", "-F", "#{window_name}").splitlines()


def test_a_new_session_has_just_the_window(
    local: hosts.HostConnection, tmux_server: TmuxServer, tmp_path: Path
) -> None:
    assert open_window(local, tmp_path) == "aitask-7"

    assert windows(tmux_server) == ["run-1"]


def test_a_second_run_gets_a_window_that_is_selected(
    local: hosts.HostConnection, tmux_server: TmuxServer, tmp_path: Path
) -> None:
    for window in ("run-1", "run-2"):
        open_window(local, tmp_path, window=window)

    assert windows(tmux_server) == ["run-1", "run-2"]
    assert tmux_server.run("display-message", "-p", "-t", "=aitask-7:", "#{window_name}") == "run-2"


def test_asking_twice_makes_one_window(
    local: hosts.HostConnection, tmux_server: TmuxServer, tmp_path: Path
) -> None:
    threads = [threading.Thread(target=open_window, args=(local, tmp_path)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert windows(tmux_server) == ["run-1"]


def test_a_server_that_ends_meanwhile_is_no_failure(
    local: hosts.HostConnection, tmux_server: TmuxServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_window(local, tmp_path)
    listed = tmux.Tmux.windows
    deaths = iter([True, True])

    def windows_of(server: tmux.Tmux) -> list[tmux.TmuxWindow]:
        """List a session that is gone when its window is opened."""
        found = listed(server) or [tmux.TmuxWindow("aitask-7", OWNER, "run-1")]
        if next(deaths, False):
            tmux_server.run("kill-server", check=False)
            return found
        return listed(server)

    monkeypatch.setattr(tmux.Tmux, "windows", windows_of)
    assert open_window(local, tmp_path, window="run-2") == "aitask-7"
    assert windows(tmux_server) == ["run-2"]


def test_only_a_window_of_ours_is_killed(
    local: hosts.HostConnection, tmux_server: TmuxServer, tmp_path: Path
) -> None:
    for window in ("run-1", "shell"):
        open_window(local, tmp_path, window=window)
    assert not tmux.kill_window(local, "aitask-7", "shell", owner="ffffffff/7")
    assert not tmux.kill_window(local, "aitask-7", "she", owner=OWNER)
    assert tmux.kill_window(local, "aitask-7", "shell", owner=OWNER)
    assert windows(tmux_server) == ["run-1"]


def test_words_reach_the_program_as_they_are(
    local: hosts.HostConnection, tmux_server: TmuxServer, tmp_path: Path
) -> None:
    odd = ["a b", "$HOME", "#{pane_id}", "semi;", ";", "'\"", "ä", "\\;", "-x"]
    out = tmp_path / "out"

    open_window(local, tmp_path, argv=("sh", "-c", 'printf "%s\\n" "$@" > "$0"; sleep 60', str(out), *odd))

    wait_for(lambda: out.exists() and out.read_text().count("\n") == len(odd), 5, "the program's output")
    assert out.read_text().splitlines() == odd


def test_it_starts_in_a_folder_of_any_name(
    local: hosts.HostConnection, tmux_server: TmuxServer, tmp_path: Path
) -> None:
    folder = tmp_path / "Grüße #{pid} $(x) 'a'"
    folder.mkdir()

    open_window(local, folder, argv=("sh", "-c", "pwd > where; sleep 60"))

    wait_for(lambda: (folder / "where").exists() and (folder / "where").read_text(), 5, "the folder's name")
    assert (folder / "where").read_text() == f"{folder}\n"


def test_the_history_is_long_from_the_first_line_and_the_users_options_stay(
    local: hosts.HostConnection, tmux_server: TmuxServer, tmp_path: Path
) -> None:
    tmux_server.users("new-session", "-d", "-s", "mine", "sleep", "60")
    before = tmux_server.users("show-options", "-g")

    open_window(local, tmp_path)

    assert tmux_server.run("display-message", "-p", "-t", "=aitask-7:", "#{history_limit}") == "3000"
    assert tmux_server.users("show-options", "-g") == before


def test_all_that_the_pane_prints_is_recorded_till_it_ends(
    local: hosts.HostConnection, tmux_server: TmuxServer, tmp_path: Path
) -> None:
    folder = tmp_path / "Grüße #{pid} 100%H $(x) 'a';"
    folder.mkdir()
    recorder = ("sh", "-c", 'cat > "$0"', str(folder / "pane;"))
    argv = ("sh", "-c", "echo first; read -r word; echo last $word")

    tmux.ensure_window(
        local, session="aitask-7", owner=OWNER, window="w", argv=argv, cwd=str(folder), recorder=recorder
    )
    tmux_server.run("send-keys", "-t", "=aitask-7:", "word", "Enter")

    recorded = folder / "pane;"
    wait_for(lambda: recorded.exists() and b"last word" in recorded.read_bytes(), 10, "the last line")
    assert recorded.read_bytes().split(b"\r\n") == [b"first", b"word", b"last word", b""]


def test_panes_that_are_opened_by_hand_are_recorded_each_for_itself(
    local: hosts.HostConnection, tmux_server: TmuxServer, tmp_path: Path
) -> None:
    folder = tmp_path / "Grüße #{pid} 100%H $(x) 'a' \"b\""
    folder.mkdir()
    recorder = ("sh", "-c", 'cat > "$0"')
    for window in ("run-1", "run-2"):
        tmux.ensure_window(
            local,
            session="aitask-7",
            owner=OWNER,
            window=window,
            argv=("sh", "-c", "echo the agent; exec sleep 60"),
            cwd=str(folder),
            recorder=(*recorder, str(folder / window)),
            opened=(*recorder, str(folder / "opened")),
        )
    tmux_server.run("split-window", "-t", "=aitask-7:=run-1", "echo split off; exec sleep 60")
    tmux_server.run("new-window", "-t", "=aitask-7:", "echo a new one; exec sleep 60")

    def printed() -> set[bytes]:
        return {file.read_bytes().strip() for file in folder.glob("opened-*.raw")}

    wait_for(lambda: printed() == {b"split off", b"a new one"}, 10, "a file for each")
    wait_for(lambda: (folder / "run-2").read_bytes() == b"the agent\r\n", 10, "its own recorder")
    assert (folder / "run-1").read_bytes() == b"the agent\r\n"


def test_each_window_is_saved_into_its_own_folder(
    local: hosts.HostConnection, tmux_server: TmuxServer, tmp_path: Path
) -> None:
    folders = [tmp_path / "one #{pid}", tmp_path / "two|;"]
    for number, folder in enumerate(folders):
        folder.mkdir()
        tmux.ensure_window(
            local,
            session="aitask-7",
            owner=OWNER,
            window=f"run-{number}",
            argv=("sh", "-c", f"echo window {number}; sleep 60"),
            cwd=str(tmp_path),
            folder=str(folder),
        )
    tmux_server.run("new-window", "-t", "=aitask-7:", "echo of a person; sleep 60")
    wait_for(lambda: "window 1" in tmux_server.capture("=aitask-7:=run-1"), 5, "the text")

    saved = tmux.save_histories(local, "aitask-7")

    assert saved == [f"{folder}/history.txt" for folder in folders]
    assert [Path(file).read_text().split("\n")[0] for file in saved] == ["window 0", "window 1"]


def test_a_session_outlives_a_user_who_wants_unattached_ones_destroyed(
    local: hosts.HostConnection, tmux_server: TmuxServer, home: Path, tmp_path: Path
) -> None:
    (home / ".tmux.conf").write_text("set -g destroy-unattached on\n")

    open_window(local, tmp_path)

    assert "aitask-7" in tmux.list_sessions(local)


def test_a_foreign_session_of_that_name_is_left_alone(
    local: hosts.HostConnection, tmux_server: TmuxServer, tmp_path: Path
) -> None:
    tmux_server.run("new-session", "-d", "-s", "aitask-7", "-n", "theirs", "sleep", "60")

    assert open_window(local, tmp_path) == "aitask-7-0a1b2c3d"
    assert windows(tmux_server) == ["theirs"]
    assert open_window(local, tmp_path, window="run-2") == "aitask-7-0a1b2c3d"


def test_a_session_whose_name_begins_alike_is_another_one(
    local: hosts.HostConnection, tmux_server: TmuxServer, tmp_path: Path
) -> None:
    tmux_server.run("new-session", "-d", "-s", "aitask-77", "sleep", "60")

    assert "aitask-7" not in tmux.list_sessions(local)
    assert not tmux.kill_session(local, "aitask-7", owner=OWNER)
    assert open_window(local, tmp_path) == "aitask-7"
    assert tmux.kill_session(local, "aitask-7", owner=OWNER)
    assert tmux_server.sessions() == ["aitask-77"]


def test_only_the_owner_ends_a_session(
    local: hosts.HostConnection, tmux_server: TmuxServer, tmp_path: Path
) -> None:
    open_window(local, tmp_path)

    assert not tmux.kill_session(local, "aitask-7", owner="ffffffff/7")
    assert tmux.kill_session(local, "aitask-7", owner=OWNER)
    assert tmux.list_sessions(local) == {}


def test_the_whole_history_is_saved_with_its_colours(local: hosts.HostConnection, tmp_path: Path) -> None:
    saved = tmp_path / "history.txt"
    open_window(local, tmp_path, argv=("sh", "-c", r"seq 1000; printf '\033[31mred ä\033[0m\n'; sleep 60"))

    def captured() -> bool:
        assert tmux.capture_history(local, "aitask-7", str(saved), window="run-1")
        return "red" in saved.read_text()

    wait_for(captured, 5, "the last line")
    lines = saved.read_text().splitlines()
    assert lines[:2] == ["1", "2"]
    assert "\033[31mred ä" in saved.read_text()


def test_a_late_capture_keeps_what_was_saved(local: hosts.HostConnection, tmp_path: Path) -> None:
    saved = tmp_path / "history.txt"
    saved.write_text("earlier")

    assert not tmux.capture_history(local, "aitask-7", str(saved))
    assert saved.read_text() == "earlier"
    assert list(tmp_path.glob("history*")) == [saved]


def test_without_a_server_there_is_nothing_to_list(local: hosts.HostConnection) -> None:
    assert tmux.list_windows(local) == []


def test_a_user_who_kills_the_tmux_server_of_their_own_ends_none_of_ours(
    local: hosts.HostConnection, tmux_server: TmuxServer, tmp_path: Path
) -> None:
    tmux_server.users("new-session", "-d", "-s", "mine", "sleep", "60")
    open_window(local, tmp_path)

    tmux_server.users("kill-server")

    assert windows(tmux_server) == ["run-1"]


def test_the_server_stays_when_its_last_session_is_closed(
    local: hosts.HostConnection, tmux_server: TmuxServer, tmp_path: Path
) -> None:
    open_window(local, tmp_path)
    pid = tmux_server.pid

    assert tmux.kill_session(local, "aitask-7", owner=OWNER)
    open_window(local, tmp_path, window="run-2")

    assert tmux_server.pid == pid


def test_a_server_whose_socket_was_removed_is_found_again(
    local: hosts.HostConnection, tmux_server: TmuxServer, tmp_path: Path
) -> None:
    open_window(local, tmp_path)
    pid = tmux_server.pid
    tmux_server.socket.unlink()

    open_window(local, tmp_path, window="run-2")

    assert tmux_server.pid == pid
    assert windows(tmux_server) == ["run-1", "run-2"]


def test_sessions_of_an_earlier_version_are_listed_saved_and_closed(
    local: hosts.HostConnection, tmux_server: TmuxServer, tmp_path: Path
) -> None:
    earlier_version_opens(tmux_server, tmp_path)
    tmux_server.users("new-session", "-d", "-s", "private", "sleep", "60")

    assert tmux.list_sessions(local) == {"aitask-7": OWNER}
    assert tmux.save_histories(local, "aitask-7") == [f"{tmp_path}/history.txt"]
    assert tmux.capture_history(local, "aitask-7", str(tmp_path / "one.txt"), window="run-1")
    assert tmux.kill_session(local, "aitask-7", owner=OWNER)
    assert tmux_server.users("list-sessions", "-F", "#{session_name}") == "private"


def test_a_new_window_of_a_task_with_an_earlier_session_is_on_our_server(
    local: hosts.HostConnection, tmux_server: TmuxServer, tmp_path: Path
) -> None:
    earlier_version_opens(tmux_server, tmp_path)

    assert open_window(local, tmp_path, window="run-2") == "aitask-7"

    assert windows(tmux_server) == ["run-2"]
    assert tmux_server.users("list-windows", "-t", "=aitask-7", "-F", "#{window_name}") == "run-1"
    assert len(tmux.list_windows(local)) == 2


def earlier_version_opens(server: TmuxServer, folder: Path) -> None:
    """Make a session on the user's server, as the app did before it had one of its own."""
    server.users("new-session", "-d", "-s", "aitask-7", "-n", "run-1", "echo earlier; sleep 60")
    server.users("set-option", "-t", "=aitask-7:", "@aitask", OWNER)
    server.users("set-option", "-p", "-t", "=aitask-7:", "@aitask_folder", str(folder))


@pytest.mark.parametrize(
    ("text", "version"),
    [("tmux 3.3a", (3, 3)), ("tmux next-3.6", (3, 6)), ("tmux 2.9", (2, 9)), ("tmux master", None)],
)
def test_versions_are_understood(text: str, version: tuple[int, int] | None) -> None:
    assert tmux.version_of(text) == version


def test_an_old_tmux_is_refused(local: hosts.HostConnection, home: Path, tmp_path: Path) -> None:
    old = home / "bin" / "tmux"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho tmux 3.1c\n")
    old.chmod(0o755)
    (home / ".profile").write_text(f"export PATH={old.parent}:$PATH\n")

    with pytest.raises(tmux.TmuxError, match="too old") as caught:
        open_window(OldTmux(local, str(old)), tmp_path)

    assert "3.2" in caught.value.hint


class OldTmux(hosts.HostConnection):
    """A host whose tmux is the given program."""

    def __init__(self, host: hosts.HostConnection, program: str) -> None:
        super().__init__(host.address)
        self._program = program

    def run(self, argv, **options):  # type: ignore[no-untyped-def]
        return super().run([self._program, *argv[1:]], **options)


@pytest.mark.parametrize("name", ["a:b", "a.b", "a b", "", "=x", "#{pid}"])
def test_names_that_mean_more_to_tmux_are_refused(local: hosts.HostConnection, name: str) -> None:
    with pytest.raises(ValueError, match="not a valid name"):
        tmux.kill_session(local, name, owner=OWNER)
