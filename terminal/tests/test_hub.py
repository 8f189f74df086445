"""The hub at a real tmux server: output, sizes, windows, sleepers, sessions that come and go."""

from __future__ import annotations

import hashlib
import re

import pytest

from aitask.lib import sleep
from aitask.tests.lab.wait import wait_for
from terminal.control import gateway, snapshot
from terminal.control.hub import SessionGone
from terminal.tests.figures import resident
from terminal.tests.hubs import SHELL, FakeBrowser, LocalHub
from workspaces.hosts import Address, HostError
from workspaces.hosts.hub import hub as hosts_hub


def test_what_is_typed_comes_back(hub: LocalHub) -> None:
    hub.session()
    browser = hub.open()
    browser.type("echo $((6*7))\r")
    browser.wait_for("\r42\r\n")


def test_a_session_that_is_not_there_is_refused(hub: LocalHub) -> None:
    hub.session()
    with pytest.raises(SessionGone):
        FakeBrowser(hub.hub, "other", (80, 24)).attach()


def test_a_tmux_that_is_too_old_is_named_with_the_version_that_is_needed(
    hub: LocalHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("terminal.control.client.FIND_TMUX", "echo /usr/bin/tmux; echo tmux 3.1c; echo")
    with pytest.raises(HostError, match=r"has tmux 3.1c, which is too old.*Install tmux 3.2 or newer") as old:
        FakeBrowser(hub.hub, "work", (80, 24)).attach()
    assert old.value.code == "tmux_too_old"


def test_a_session_whose_name_only_begins_alike_is_another(hub: LocalHub) -> None:
    hub.session("aitask-12")
    with pytest.raises(SessionGone):
        FakeBrowser(hub.hub, "aitask-1", (80, 24)).attach()


def test_a_burst_arrives_without_a_gap(hub: LocalHub) -> None:
    hub.session()
    browser = hub.open()
    browser.type("seq 100000 105000; echo do''ne\r")
    browser.wait_for("done")
    numbers = [int(found) for found in re.findall(rb"(?<=[\r\n])(1\d{5})(?=\r\n)", browser.output)]
    assert numbers == list(range(100000, 105001))


def test_control_keys_reach_the_program(hub: LocalHub) -> None:
    hub.session(command="cat -v")
    browser = hub.open()
    browser.type("x")
    wait_for(lambda: "x" in hub.tmux.capture("=work:"), 5, "the echo")
    browser.type("\x16\x02\x16\x17\r")
    wait_for(lambda: "^B^W" in hub.tmux.capture("=work:"), 5, "Ctrl-B and Ctrl-W as characters")


def test_text_of_every_length_arrives_as_it_was_typed(hub: LocalHub) -> None:
    hub.session(command="stty raw -echo; head -c 1500 | md5sum; sleep 60")
    browser = hub.open()
    text = "".join(chr(33 + number % 90) for number in range(1500))
    browser.type(text[:500])
    browser.type(text[500:])
    browser.wait_for(hashlib.md5(text.encode()).hexdigest())


def test_a_paste_is_bracketed_for_a_program_that_asked(hub: LocalHub) -> None:
    hub.session(command=r"printf '\033[?2004h'; stty raw -echo; cat -v")
    browser = hub.open()
    gateway.soon(hub.hub.pasted, browser.viewer, "one\ntwo")
    browser.wait_for("^[[200~one^Mtwo^[[201~")


def test_a_paste_is_plain_for_a_program_that_did_not_ask(hub: LocalHub) -> None:
    hub.session(command="stty raw -echo; cat -v")
    browser = hub.open()
    gateway.soon(hub.hub.pasted, browser.viewer, 'a "quoted" $HOME; `x` \\ ü')
    browser.wait_for('a "quoted" $HOME; `x` \\ M-CM-<')
    assert b"[200~" not in browser.output


def test_the_size_is_that_of_the_only_viewer(hub: LocalHub) -> None:
    hub.session()
    browser = hub.open(size=(100, 30))
    browser.wait_for_size(100, 30)
    browser.type("stty size\r")
    browser.wait_for("30 100")


def test_the_last_who_typed_sets_the_size_for_all(hub: LocalHub) -> None:
    hub.session()
    small, large = hub.open(size=(60, 20)), hub.open(size=(140, 45))
    small.wait_for_size(60, 20)
    large.type("\r")
    small.wait_for_size(140, 45)
    small.type("\r")
    large.wait_for_size(60, 20)


def test_who_only_looks_changes_no_size_until_typing(hub: LocalHub) -> None:
    hub.session()
    desk = hub.open(size=(120, 40))
    desk.wait_for_size(120, 40)
    phone = hub.open(size=(40, 20), looks=True)
    phone.settle()
    assert phone.size == (120, 40)
    phone.type("x")
    desk.wait_for_size(40, 20)


def test_a_real_terminal_gets_its_own_size_back_when_browsers_have_left(
    hub: LocalHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("terminal.control.hub.LINGER_SECONDS", 0.05)
    hub.session()
    browser = hub.open(size=(100, 30))
    browser.wait_for_size(100, 30)
    browser.leave()
    wait_for(lambda: hub.windows() == ["idle"], 5, "the window's leaving the hub")
    assert hub.tmux.run("show-options", "-w", "-t", "=work:", "window-size") == ""


def test_tmux_keeps_nothing_for_browsers_that_have_left(
    hub: LocalHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither of the pane that they saw, nor of another one of its window."""
    monkeypatch.setattr("terminal.control.hub.LINGER_SECONDS", 0.05)
    hub.session(limit=100)
    browser = hub.open()
    hub.tmux.run("split-window", "-t", "=work:", SHELL)
    panes = hub.tmux.run("list-panes", "-t", "=work:", "-F", "#{pane_id}").split()
    for pane in panes:
        hub.tmux.run("send-keys", "-t", pane, "echo se''en", "Enter")
    browser.wait_for("seen")
    browser.leave()
    wait_for(lambda: hub.windows() == ["idle"], 20, "the window's leaving the hub")
    server = int(hub.tmux.run("display-message", "-p", "#{pid}"))
    before = resident(server)
    for pane in panes:
        hub.tmux.run("send-keys", "-t", pane, f"yes {'x' * 70} | head -c 10000000; echo do''ne", "Enter")
    for pane in panes:
        wait_for(lambda pane=pane: "done" in hub.tmux.run("capture-pane", "-p", "-t", pane), 120, "the end")  # type: ignore[misc]
    assert resident(server) < before + 8_000_000
    back = hub.open()
    back.type("echo aga''in\r")
    back.wait_for("again")


def test_a_session_killed_from_outside_leaves_nothing_behind(hub: LocalHub) -> None:
    hub.session()
    browser = hub.open()
    hub.tmux.run("kill-session", "-t", "=work")
    wait_for(lambda: browser.messages("exit"), 5, "the browser's being told")
    wait_for(lambda: hub.windows() == ["idle"], 5, "the window's being cleared away")


def test_windows_are_told_and_a_new_current_one_is_followed(hub: LocalHub) -> None:
    hub.session()
    browser = hub.open()

    def names() -> list[str]:
        return [window["name"] for window in browser.messages("windows")[-1]["windows"]]

    def prints_under_its_name() -> bool:
        """Tmux looks for a window's name only while something is printed there."""
        browser.type("echo so''me\r")
        return names() == ["bash"]

    wait_for(prints_under_its_name, 20, lambda: f"a window named after its program: {names()}", every=0.5)
    hub.tmux.run("new-window", "-t", "=work:", "-n", "run-2", "echo second; cat")
    browser.wait_for("second")
    wait_for(lambda: names() == ["bash", "run-2"], 10, lambda: f"both windows: {names()}")


def test_a_chosen_window_stays_when_another_becomes_current(hub: LocalHub) -> None:
    hub.session()
    browser = hub.open()
    first = browser.messages("windows")[-1]["windows"][0]["id"]
    gateway.soon(hub.hub.choose, browser.viewer, first)
    hub.tmux.run("new-window", "-t", "=work:", "-n", "run-2", "echo second; cat")
    wait_for(lambda: len(browser.messages("windows")[-1]["windows"]) == 2, 5, "both windows")
    browser.type("echo still the fir''st\r")
    browser.wait_for("still the first")
    assert b"second" not in browser.output


@pytest.mark.parametrize("mode", ["copy-mode", "choose-tree"])
def test_a_mode_of_tmux_that_somebody_else_entered_eats_no_key(hub: LocalHub, mode: str) -> None:
    hub.session()
    browser = hub.open()
    hub.tmux.run(mode, "-t", "=work:")
    browser.settle()
    browser.type("echo not ea''ten\r")
    browser.wait_for("not eaten")


def test_a_sleeping_browser_neither_stops_the_program_nor_costs_memory(hub: LocalHub) -> None:
    hub.session(command="sh -c 'i=0; while :; do i=$((i+1)); echo line $i; done'")
    sleeper = hub.open()
    sleeper.sleeps = True
    wait_for(lambda: sleeper.viewer.pace.name == "LAGGING", 20, "lagging")
    amount = len(sleeper.output)
    first = _last_line(hub)
    wait_for(lambda: _last_line(hub) > first + 20_000, 30, "the program's going on")
    assert len(sleeper.output) == amount
    sleeper.wake()
    wait_for(lambda: len(sleeper.messages("snapshot")) == 2, 10, "a snapshot after waking")


def test_a_sleeper_does_not_slow_another_viewer(hub: LocalHub) -> None:
    hub.session()
    sleeper, reader = hub.open(), hub.open()
    sleeper.sleeps = True
    reader.type("seq 1 300000; echo do''ne\r")
    reader.wait_for("done", 60)
    assert sleeper.viewer.pace.name == "LAGGING"
    assert b"\r\n299999\r\n" in reader.output


def test_more_history_comes_on_demand_up_to_all_there_is(hub: LocalHub) -> None:
    hub.session(command="sh -c 'seq 1 20000; cat'")
    wait_for(lambda: "20000" in hub.tmux.run("capture-pane", "-p", "-t", "=work:"), 20, "all lines")
    browser = hub.open()
    first = browser.messages("snapshot")[0]
    assert first["lines"] == 2000
    assert first["history"] > 19_000
    gateway.soon(hub.hub.extend_history, browser.viewer, 50_000)
    wait_for(lambda: len(browser.messages("snapshot")) == 2, 10, "the longer snapshot")
    browser.settle()
    assert snapshot.RESET + b"1\r\n2\r\n" in browser.output


def test_only_one_viewer_answers_what_tmux_does_not(hub: LocalHub) -> None:
    hub.session()
    first, second = hub.open(), hub.open()
    assert first.messages("role")[-1]["answers"]
    assert not second.messages("role")[-1]["answers"]
    second.type("x")
    wait_for(lambda: second.messages("role")[-1]["answers"], 5, "the second's turn, as it typed last")
    assert not first.messages("role")[-1]["answers"]
    first.type("x")
    wait_for(lambda: not second.messages("role")[-1]["answers"], 5, "the first's turn again")
    first.leave()
    wait_for(lambda: second.messages("role")[-1]["answers"], 5, "the second's taking over")


def test_the_hub_comes_back_when_its_channel_is_lost(hub: LocalHub) -> None:
    hub.session()
    browser = hub.open()
    hub.cut()
    wait_for(lambda: browser.messages("link"), 5, "being told of the loss")
    wait_for(lambda: browser.messages("link")[-1]["state"] == "up", 15, "coming back")
    browser.type("echo ba''ck\r")
    browser.wait_for("back")


def test_who_comes_while_the_link_is_lost_sees_all_once(
    hub: LocalHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("terminal.control.hub.FIRST_PAUSE", 0.5)
    hub.session()
    first = hub.open()
    hub.cut()
    wait_for(lambda: first.messages("link"), 5, "being told of the loss")
    second = hub.open()
    wait_for(lambda: first.messages("link")[-1]["state"] == "up", 5, "coming back")
    second.type("echo on''ce\r")
    for browser in (first, second):
        browser.wait_for("once")
        browser.settle()
        assert browser.output.count(b"once") == 1


def test_who_types_while_the_link_is_lost_is_told(hub: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("terminal.control.hub.FIRST_PAUSE", 60)
    hub.session()
    browser = hub.open()
    hub.cut()
    wait_for(lambda: browser.messages("link"), 5, "being told of the loss")
    browser.type("x")
    wait_for(lambda: browser.messages("missed"), 5, "being told that nothing was typed")


def test_who_types_right_after_a_sleep_of_this_machine_is_told(
    hub: LocalHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.session()
    browser = hub.open()
    browser.wait_for("$")
    monkeypatch.setattr(sleep, "is_unnoticed", lambda: True)
    monkeypatch.setattr(hub.host, "address", Address("ssh", "cloud"))
    browser.type("x")
    wait_for(lambda: browser.messages("missed"), 5, "being told that nothing was typed")


def test_a_foreign_session_may_have_any_name(hub: LocalHub) -> None:
    hub.session("a|b'c d,e#[x]%é")
    hub.session()
    hub.open().wait_for("$")


def _last_line(hub: LocalHub) -> int:
    found = re.findall(r"line (\d+)", hub.tmux.run("capture-pane", "-p", "-t", "=work:"))
    return int(found[-1]) if found else 0


def test_a_flood_is_skipped_through_and_ends_with_what_tmux_holds(hub: LocalHub) -> None:
    hub.session()
    browser = hub.open()
    browser.type("seq 1 3000000; echo do''ne\r")
    browser.wait_for("done", 90)
    assert len(browser.messages("snapshot")) > 1
    assert b"\r\n3000000\r\n" in browser.output
    assert len(browser.output) < 20_000_000


def test_a_viewer_sees_its_session_again_when_tmux_has_ended_and_it_was_made_anew(hub: LocalHub) -> None:
    hub.session()
    browser = hub.open()
    hub.tmux.kill()
    wait_for(lambda: browser.messages("link"), 10, "being told of the loss")
    hub.session(command="sh -c 'echo made anew; cat'")
    browser.wait_for("made anew")
    assert browser.messages("link")[-1]["state"] == "up"
    assert not browser.messages("exit")


def test_a_session_that_tmux_has_lost_and_nobody_makes_anew_has_ended(
    hub: LocalHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("terminal.control.hub.PATIENCE_SECONDS", 1.0)
    hub.session()
    browser = hub.open()
    hub.tmux.kill()
    wait_for(lambda: browser.messages("exit"), 15, "being told of the end")


def test_the_hubs_session_is_removed_with_its_channel_and_windows_get_their_size_back(hub: LocalHub) -> None:
    hub.session()
    browser = hub.open(size=(100, 30))
    browser.wait_for_size(100, 30)
    assert hub.tmux.run("show-options", "-w", "-t", "=work:", "window-size") == "window-size manual"

    hosts_hub().run(hub.hub.close())

    wait_for(lambda: hub.tmux.sessions() == ["keep", "work"], 10, lambda: f"no hub: {hub.tmux.sessions()}")
    assert hub.tmux.run("show-options", "-w", "-t", "=work:", "window-size") == ""


def test_a_hub_that_a_dead_process_left_is_removed_and_one_in_use_stays(hub: LocalHub) -> None:
    hub.session()
    hub.tmux.run("new-session", "-d", "-s", "aitask-hub-dead", "tail -f /dev/null")
    hub.tmux.run("link-window", "-d", "-s", "=work:", "-t", "aitask-hub-dead:")

    browser = hub.open()

    wait_for(lambda: "aitask-hub-dead" not in hub.tmux.sessions(), 10, "the dead hub's removal")
    assert hub.hub.name in hub.tmux.sessions()
    browser.type("echo still th''ere\r")
    browser.wait_for("still there")


def test_a_session_of_an_earlier_version_is_shown_from_the_users_server(hub: LocalHub) -> None:
    hub.tmux.users("new-session", "-d", "-s", "aitask-3", SHELL)
    hub.tmux.users("set-option", "-t", "=aitask-3:", "@aitask", "0a1b2c3d/3")
    with pytest.raises(SessionGone):
        FakeBrowser(hub.hub, "aitask-3", (80, 24)).attach()

    earlier = gateway.earlier_hub_of(hub.host.address)

    assert earlier is not None
    browser = FakeBrowser(earlier, "aitask-3", (80, 24)).attach()
    browser.type("echo from be''fore\r")
    browser.wait_for("from before")
    hosts_hub().run(earlier.close())


def test_channels_that_are_cut_off_with_unread_floods_end_no_server(hub: LocalHub) -> None:
    for number in range(3):
        hub.session(f"flood-{number}", "yes a line of a program that prints without an end")
    pid = hub.tmux.pid
    for number in range(40):
        browser = FakeBrowser(hub.hub, f"flood-{number % 3}", (80, 24))
        browser.sleeps = True
        hosts_hub().run(hub.hub.attach(browser.viewer))
        (hub.cut if number % 2 else hub.stop_reading)()
        wait_for(lambda browser=browser: browser.messages("link"), 15, "being told of the loss")  # type: ignore[misc]
        browser.leave()
    assert hub.tmux.pid == pid
