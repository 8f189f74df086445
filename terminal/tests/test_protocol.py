"""What tmux says in control mode, taken apart; and what is said to it, quoted."""

from __future__ import annotations

import random

import pytest

from terminal.control.protocol import (
    MAX_UNREAD,
    Notice,
    NotTmux,
    Output,
    Parser,
    Reply,
    clean_paste,
    keys,
    paste,
    quoted,
)

STREAM = (
    b"%begin 1 10 0\n%end 1 10 0\n"
    b"%session-changed $0 aitask-hub-1\n"
    b"%extended-output %5 12 : hello\\015\\012\n"
    b"%begin 1 11 1\nfirst\n%end 1 10 1\n%output %9 not ours\n%end 1 11 1\n"
    b"%output %5 \xc3\xa4\\134 end\n"
    b"%begin 1 12 1\nno such pane\n%error 1 12 1\n"
    b"%layout-change @3 b25d,80x24,0,0,1 b25d,80x24,0,0,1 *\n"
)
EXPECTED = [
    Notice("session-changed", "$0 aitask-hub-1"),
    Output("%5", b"hello\r\n"),
    Reply([b"first", b"%end 1 10 1", b"%output %9 not ours"], True),
    Output("%5", b"\xc3\xa4\\ end"),
    Reply([b"no such pane"], False),
    Notice("layout-change", "@3 b25d,80x24,0,0,1 b25d,80x24,0,0,1 *"),
]


def test_replies_outputs_and_notices_come_in_their_order() -> None:
    assert list(Parser().feed(STREAM)) == EXPECTED


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50])
def test_a_stream_means_the_same_however_it_is_cut(size: int) -> None:
    parser = Parser()
    pieces = [STREAM[start : start + size] for start in range(0, len(STREAM), size)]
    assert [message for piece in pieces for message in parser.feed(piece)] == EXPECTED


def test_outputs_of_one_pane_that_follow_each_other_are_one() -> None:
    stream = b"%output %1 a\\012\n%output %1 b\n%output %2 c\n%output %1 d\n"
    assert list(Parser().feed(stream)) == [Output("%1", b"a\nb"), Output("%2", b"c"), Output("%1", b"d")]


def test_half_a_character_stays_half_a_character() -> None:
    parser = Parser()
    first = list(parser.feed(b"%output %1 \xe2\x82\n"))
    second = list(parser.feed(b"%output %1 \xac\n"))
    assert (first, second) == ([Output("%1", b"\xe2\x82")], [Output("%1", b"\xac")])


def test_every_byte_can_be_part_of_a_word() -> None:
    for byte in range(1, 256):
        word = quoted(bytes([byte]))
        assert word.startswith(b'"')
        assert word.endswith(b'"')
        assert not any(sign in word[1:-1] for sign in (b'"', b"$", b"\n", b";", b"#"))


def test_nothing_breaks_out_of_a_quoted_word() -> None:
    noise = bytes(random.Random(4).randrange(256) for _ in range(4000))
    assert b"\n" not in quoted(noise)
    assert quoted(b'"; kill-server; "') == b'"\\042\\073 kill-server\\073 \\042"'


def test_keys_are_sent_as_hex() -> None:
    assert keys("%3", b"a\r\x1b") == b"send-keys -t %3 -H 61 0d 1b"


def test_a_paste_goes_through_a_buffer_that_is_removed() -> None:
    commands = list(paste("%3", b"x" * 20_000, buffer="web1", bracketed=True))
    assert [command.split(b" ")[0] for command in commands] == [b"set-buffer"] * 3 + [b"paste-buffer"]
    assert commands[-1] == b"paste-buffer -p -r -d -b web1 -t %3"


def test_pasted_text_cannot_end_its_own_bracket() -> None:
    assert clean_paste("rm\x1b[201~\nls\r\n") == b"rm[201~\rls\r"


@pytest.mark.parametrize("stream", [b"x" * (1 << 20), b"%begin 1 1 1\n" + b"line\n" * 200_000])
def test_what_has_no_end_is_given_up(stream: bytes) -> None:
    parser = Parser()
    endless = (message for _ in range(MAX_UNREAD) for message in parser.feed(stream))
    with pytest.raises(NotTmux, match="without the end"):
        list(endless)


def test_much_output_in_lines_has_no_limit() -> None:
    parser = Parser()
    line = b"%output %1 " + b"x" * (1 << 20) + b"\n"
    for _ in range(40):
        assert len(list(parser.feed(line))) == 1


LOST = [b"%output \n", b"%output %\xff x\n", b"%extended-output 5\n", b"%output %1234567890 x\n"]


@pytest.mark.parametrize("line", LOST)
def test_output_of_no_pane_is_not_tmux(line: bytes) -> None:
    with pytest.raises(NotTmux, match="pane"):
        list(Parser().feed(line))
