"""What a browser shows is what tmux holds: xterm.js (without a page) against capture-pane."""

from __future__ import annotations

import re
import shutil
from functools import partial
from pathlib import Path

import pytest

from aitask.tests.lab.wait import wait_for
from terminal.control import gateway
from terminal.tests.headless import Headless, Shown
from terminal.tests.hubs import FakeBrowser, LocalHub
from terminal.tests.screens import INLINE_TUI, SCREENS


def screen_of(hub: LocalHub, session: str = "work") -> list[str]:
    text = hub.tmux.run("capture-pane", "-p", "-N", "-t", f"={session}:")
    return [line.rstrip() for line in text.split("\n")]


def cursor_of(hub: LocalHub) -> tuple[int, int]:
    x, y = hub.tmux.run("display-message", "-p", "-t", "=work:", "#{cursor_x} #{cursor_y}").split()
    return int(x), int(y)


def padded(lines: list[str], rows: int) -> list[str]:
    return [*lines, *[""] * (rows - len(lines))][:rows]


def same(hub: LocalHub, headless: Headless, browser: FakeBrowser) -> Shown | None:
    """What is shown, when screen and cursor are those of tmux; None when they differ (yet)."""
    shown = headless.show(browser.frames)
    rows = shown.size[1]
    if padded(shown.screen, rows) != padded(screen_of(hub), rows):
        return None
    return shown if shown.cursor == cursor_of(hub) or shown.cursor[0] == shown.size[0] else None


def wait_until_same(hub: LocalHub, headless: Headless, browser: FakeBrowser) -> Shown:
    def difference() -> str:
        shown = headless.show(browser.frames)
        held = f"{screen_of(hub)} {cursor_of(hub)}"
        return f"the same screen as tmux; browser:\n{shown.screen} {shown.cursor}\ntmux:\n{held}"

    return wait_for(lambda: same(hub, headless, browser), 15, difference, every=0.1)


@pytest.mark.parametrize("name", SCREENS)
def test_a_program_looks_the_same_right_after_reattaching_and_after_leaving_it(
    hub: LocalHub, headless: Headless, name: str
) -> None:
    case = SCREENS[name]
    if case.program and not shutil.which(case.program):
        pytest.skip(f"{case.program} is not installed")
    hub.session()
    before = hub.open()
    before.type("seq 1 60\r")
    before.wait_for("60\r\n")
    before.type(case.start)
    wait_for(lambda: case.shows in "\n".join(screen_of(hub)), 15, f"{name} on the screen")
    before.settle()
    after = hub.open()
    shown = wait_until_same(hub, headless, after)
    assert shown.type == ("alternate" if case.alternate else "normal")
    if case.quit:
        after.type(case.quit)
        wait_for(lambda: case.shows not in screen_of(hub)[0] or not case.alternate, 10, "the program's end")
        after.settle()
        shown = wait_until_same(hub, headless, after)
        assert shown.type == "normal"
        assert "60" in shown.lines


def test_the_whole_history_is_there_after_a_reload_without_gap_or_double(
    hub: LocalHub, headless: Headless
) -> None:
    hub.session()
    browser = hub.open()
    browser.type("seq 1 1500; echo do''ne\r")
    browser.wait_for("done")
    shown = headless.show(hub.open().frames)
    assert [line for line in shown.lines if line.isdecimal()] == [str(n) for n in range(1, 1501)]


def test_a_burst_of_5000_lines_is_contiguous(hub: LocalHub, headless: Headless) -> None:
    hub.session()
    browser = hub.open()
    browser.type("seq 1 5000; echo do''ne\r")
    browser.wait_for("done")
    shown = wait_until_same(hub, headless, browser)
    assert [line for line in shown.lines if line.isdecimal()] == [str(n) for n in range(1, 5001)]


def test_what_was_cleared_away_is_in_the_history_at_once_as_after_a_reload(
    hub: LocalHub, headless: Headless
) -> None:
    hub.session()
    browser = hub.open()
    browser.type(r"seq 1 40; printf '\033[H\033[2Jcleared\n'; seq 41 45; echo do''ne" + "\r")
    browser.wait_for("done\r\n")
    browser.settle()
    live, reloaded = (headless.show(each.frames) for each in (browser, hub.open()))
    assert [line for line in live.lines if line.isdecimal()] == [str(n) for n in range(1, 46)]
    assert live.lines == reloaded.lines


def test_output_during_a_reload_is_neither_lost_nor_doubled(hub: LocalHub, headless: Headless) -> None:
    hub.session(command="sh -c 'i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo $i; done; sleep 100'")
    hub.open().settle(0.01)
    browser = hub.open()
    browser.wait_for("\r\n3000\r\n")
    shown = headless.show(browser.frames)
    numbers = [int(line) for line in shown.lines if line.isdecimal()]
    assert numbers == list(range(numbers[0], 3001))


def test_a_sleeper_sees_after_waking_what_tmux_holds(hub: LocalHub, headless: Headless) -> None:
    hub.session()
    sleeper = hub.open()
    sleeper.sleeps = True
    sleeper.type("seq 1 120000; echo do''ne\r")
    wait_for(lambda: "done" in screen_of(hub), 40, "the end of the flood")
    sleeper.wake()
    wait_for(lambda: len(sleeper.messages("snapshot")) > 1, 10, "the snapshot")
    sleeper.settle()
    shown = wait_until_same(hub, headless, sleeper)
    numbers = [int(line) for line in shown.lines if line.isdecimal()]
    assert numbers == list(range(numbers[0], 120_001))


def test_all_history_that_tmux_holds_can_be_had(hub: LocalHub, headless: Headless) -> None:
    hub.session()
    first = hub.open()
    first.type("seq 1 12000; echo do''ne\r")
    first.wait_for("done")
    browser = hub.open()
    gateway.soon(hub.hub.extend_history, browser.viewer, 100_000)
    wait_for(lambda: len(browser.messages("snapshot")) == 2, 10, "the longer snapshot")
    browser.settle()
    shown = headless.show(browser.frames)
    assert [line for line in shown.lines if line.isdecimal()] == [str(n) for n in range(1, 12_001)]


def test_text_cut_at_every_byte_is_shown_whole(hub: LocalHub, headless: Headless, tmp_path: Path) -> None:
    script = tmp_path / "slow.py"
    script.write_text(
        "import os, time\n"
        "for byte in 'aä€😀e\\u0301漢字 end'.encode():\n"
        "    os.write(1, bytes([byte])); time.sleep(0.005)\n"
        "time.sleep(100)\n"
    )
    hub.session(command=f"python3 {script}")
    browser = hub.open()
    browser.wait_for(" end")
    assert wait_until_same(hub, headless, browser).screen[0] == "aä€😀é漢字 end".replace("é", "e\u0301")


QUESTIONS = {
    r"\033[c": r"\^\[\[\?[\d;]+c",
    r"\033[>c": r"\^\[\[>[\d;]+c",
    r"\033[5n": r"\^\[\[0n",
    r"\033[6n": r"\^\[\[\d+;\d+R",
    r"\033[>q": r"\^\[P>\|",
    r"\033[?2004$p": r"\^\[\[\?2004;\d\$y",
    r"\033[?2026$p": r"\^\[\[\?2026;\d\$y",
    r"\033P$qm\033\\": r"\^\[P1\$r",
}
"""What programs ask, and the answer as `cat -v` shows it. For colours there must be a page (`test_page`)."""


def wait_for_answer(hub: LocalHub, answer: str) -> None:
    wait_for(lambda: re.search(answer, "".join(screen_of(hub))), 20, f"the answer {answer}")


def shows_more(browser: FakeBrowser, before: int) -> bool:
    return browser.output.count(b"go") > before


@pytest.mark.parametrize("viewers", [1, 2])
def test_what_a_program_asks_its_terminal_is_answered_once(
    hub: LocalHub, headless: Headless, viewers: int
) -> None:
    hub.session(command="stty raw -echo; cat -v", cols=200)
    browsers = [hub.open(size=(200, 24)) for _ in range(viewers)]
    for asked, answer in QUESTIONS.items():
        shown = [browser.output.count(b"go") for browser in browsers]
        hub.tmux.run("respawn-pane", "-k", "-t", "=work:", f"stty raw -echo; printf '{asked}go'; cat -v")
        for browser, before in zip(browsers, shown, strict=True):
            wait_for(partial(shows_more, browser, before), 20, "the question")
            browser.settle(0.1)
            said = headless.show(browser.frames).answers
            for each in said[browser.answered :]:
                assert not each.startswith("typed:")
                gateway.soon(hub.hub.answered, browser.viewer, each.encode())
            browser.answered = len(said)
        wait_for_answer(hub, answer)
        browsers[0].settle(0.1)
        text = "".join(screen_of(hub))
        assert len(re.findall(answer, text)) == 1
        assert re.sub(answer, "", text).count("^[[") == 0
    reloaded = hub.open(size=(200, 24))
    assert headless.show(reloaded.frames).answers == []


@pytest.mark.parametrize("size", [(50, 20), (120, 40), (80, 24), (132, 50)])
def test_an_inline_program_looks_the_same_after_a_change_of_size(
    hub: LocalHub, headless: Headless, size: tuple[int, int], tmp_path: Path
) -> None:
    script = tmp_path / "tui.py"
    script.write_text(INLINE_TUI)
    hub.session()
    browser = hub.open()
    browser.type(f"python3 {script}\r")
    browser.wait_for("ready")
    gateway.soon(lambda: hub.hub.resized(browser.viewer, size, passive=False))
    browser.wait_for_size(*size)
    browser.wait_for(f"{size[0]}x{size[1]}")
    wait_until_same(hub, headless, browser)
    wait_until_same(hub, headless, hub.open(size=size))


def test_two_browsers_see_the_same_through_four_sizes(hub: LocalHub, headless: Headless) -> None:
    hub.session()
    first, second = hub.open(size=(80, 24)), hub.open(size=(100, 30))
    for browser, size in ((first, (60, 20)), (second, (120, 40)), (first, (90, 25)), (second, (70, 50))):
        gateway.soon(lambda b=browser, s=size: hub.hub.resized(b.viewer, s, passive=False))
        browser.type(f"echo {size[0]}x{size[1]}; seq 1 30\r")
        first.wait_for_size(*size)
        second.wait_for_size(*size)
        first.settle()
        wait_until_same(hub, headless, first)
        wait_until_same(hub, headless, second)


def test_modes_that_tmux_does_not_tell_are_known_while_somebody_looks(
    hub: LocalHub, headless: Headless
) -> None:
    hub.session(command="cat")
    browser = hub.open()
    hub.tmux.run("send-keys", "-t", "=work:", "x", "Enter")
    browser.wait_for("x")
    hub.tmux.run("respawn-pane", "-k", "-t", "=work:", r"printf '\033[?2004hok'; cat")
    browser.wait_for("ok")
    assert headless.show(hub.open().frames).modes["bracketedPasteMode"]


COLOURED = [
    r"printf '\033[44mblue\n   \033[0m plain\n'",
    r"for n in $(seq 60); do printf 'plain \033[42mgreen\033[0m\n'; done",
]
"""On the screen alone, and running from the history into the screen."""


@pytest.mark.parametrize("command", COLOURED)
def test_a_coloured_background_does_not_run_over(hub: LocalHub, headless: Headless, command: str) -> None:
    hub.session()
    browser = hub.open()
    browser.type(f"{command}; seq 1 3\r")
    browser.wait_for("3\r\n")
    browser.settle()
    reloaded = headless.show(hub.open().frames)
    assert reloaded.colours == headless.show(browser.frames).colours


def test_line_graphics_stay_lines_after_a_reload_and_for_what_is_drawn_next(
    hub: LocalHub, headless: Headless
) -> None:
    drawn = r"printf '\033)0\016lqk\nx\017 text \033(0mqj\033(B'; read -sn1; printf '\016tqu\017 end'"
    hub.session()
    browser = hub.open()
    browser.type(f"clear; {drawn}; cat\r")
    browser.wait_for("\033(B")
    browser.settle()
    after = hub.open()
    browser.type("x")
    browser.wait_for("tqu")
    browser.settle()
    live, reloaded = headless.show(browser.frames), headless.show(after.frames)
    assert reloaded.screen == live.screen
    assert reloaded.screen[:2] == ["┌─┐", "│ text └─┘├─┤ end"]
