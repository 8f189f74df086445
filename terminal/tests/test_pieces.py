"""Flow control, modes, listings and layouts, without tmux."""

from __future__ import annotations

import pytest

from terminal.control import listing
from terminal.control.modes import Modes, Names
from terminal.control.panes import pane_size
from terminal.control.snapshot import painted
from terminal.control.viewer import CANCEL, HIGH, LOW, Frame, Pace, Viewer, ViewTarget


def make_viewer() -> tuple[Viewer, list[Frame]]:
    frames: list[Frame] = []
    viewer = Viewer(ViewTarget("work"), (80, 24), frames.append, passive=False)
    viewer.snapshot(b"screen", {"cols": 80, "rows": 24})
    viewer.acknowledged(len(CANCEL + b"screen"))
    return viewer, frames


def test_output_before_the_snapshot_is_not_sent_twice() -> None:
    frames: list[Frame] = []
    viewer = Viewer(ViewTarget("work"), (80, 24), frames.append, passive=False)
    viewer.output(b"in the snapshot already")
    assert frames == []


def test_a_viewer_that_does_not_read_gets_no_more_than_the_limit() -> None:
    viewer, frames = make_viewer()
    for _ in range(1000):
        viewer.output(b"x" * 4096)
    sent = sum(len(frame) for frame in frames if isinstance(frame, bytes))
    assert viewer.pace is Pace.LAGGING
    assert sent <= HIGH + len(CANCEL + b"screen")


def test_a_viewer_that_has_caught_up_needs_a_snapshot_once() -> None:
    viewer, _ = make_viewer()
    while viewer.pace is Pace.LIVE:
        viewer.output(b"x" * 4096)
    total = viewer.unread + len(CANCEL + b"screen")
    assert not viewer.acknowledged(total - LOW - 1)
    assert viewer.acknowledged(total - LOW)


def test_a_snapshot_larger_than_the_limit_arrives_whole_and_makes_nobody_lag() -> None:
    viewer, frames = make_viewer()
    viewer.snapshot(b"x" * (4 * HIGH), {"cols": 80, "rows": 24})
    viewer.output(b"live")
    assert viewer.pace is Pace.LIVE
    assert frames[-1] == b"live"


def test_acknowledging_more_than_was_sent_gains_nothing() -> None:
    viewer, _ = make_viewer()
    viewer.acknowledged(10**12)
    assert viewer.unread == 0
    for _ in range(1000):
        viewer.output(b"x" * 4096)
    assert viewer.unread <= HIGH


@pytest.mark.parametrize("cut", range(1, 12))
def test_modes_are_seen_even_when_a_sequence_is_cut(cut: int) -> None:
    modes, stream = Modes(), b"ab\x1b[?2004hc"
    modes.see(stream[:cut])
    modes.see(stream[cut:])
    assert modes.sequences == b"\x1b[?2004h"


def test_modes_that_are_switched_together_are_seen() -> None:
    modes = Modes()
    modes.see(b"\x1b[?1049;1004;2004h\x1b[?25;1004l")
    assert modes.sequences == b"\x1b[?2004h"


@pytest.mark.parametrize("cut", range(1, 14))
def test_the_name_that_a_shell_gives_its_window_is_not_shown(cut: int) -> None:
    names, stream = Names(), b"ab\x1bkvim\x1b\\ok"
    assert names.hidden(stream[:cut]) + names.hidden(stream[cut:]) == b"ab\x1b_vim\x1b\\ok"


def test_modes_that_were_switched_off_again_are_not_restored() -> None:
    modes = Modes()
    modes.see(b"\x1b[?1004h\x1b[4 q and \x1b[?1004l\x1b[0 q")
    assert modes.sequences == b""


def test_a_reset_of_the_terminal_resets_its_modes() -> None:
    modes = Modes()
    modes.see(b"\x1b[?2004h\x1b[2 q\x1bc")
    assert modes.sequences == b""


def test_colours_end_with_their_line_and_are_taken_up_on_the_next() -> None:
    assert painted([b"a\x1b[44mb", b"c", b"\x1b[0md"]) == (
        b"a\x1b[44mb\x1b[m\r\n\x1b[44mc\x1b[m\r\n\x1b[44m\x1b[0md\x1b[m\x1b[m\x0f"
    )


def test_a_pane_is_found_in_a_split_window() -> None:
    layout = "1d2f,200x50,0,0{100x50,0,0,1,99x50,101,0[99x25,101,0,2,99x24,101,26,12]}"
    assert pane_size(layout, "%1") == (100, 50)
    assert pane_size(layout, "%2") == (99, 25)
    assert pane_size(layout, "%12") == (99, 24)
    assert pane_size(layout, "%3") is None


def test_a_window_that_only_hubs_hold_is_left_over() -> None:
    line = b"aitask-hub-1:@4:1:%9:aitask-hub-1,aitask-hub-2:1795339160:1:1795339000:2::a:b|c:fish"
    (row,) = listing.parse([line, b"noise"])
    assert row.is_left_over
    assert row.name == "a:b|c"
    assert (row.created, row.panes, row.command) == (1795339000, 2, "fish")


def test_a_session_is_known_by_its_owner_whatever_it_is_called() -> None:
    lines = [b"re|named:@1:1:%1:re|named:0:0:5:1:abc/7:w:sh", b"aitask-7:@2:1:%2:aitask-7:0:0:5:1::w:sh"]
    assert [row.window for row in ViewTarget("aitask-7", "abc/7").rows(listing.parse(lines))] == ["@1"]
