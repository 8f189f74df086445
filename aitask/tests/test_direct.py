"""Short messages of a browser are recognised whole or not at all; frames of the server can be read back."""

from __future__ import annotations

import os

import pytest

from aitask.lib.fast_socket import TEXT, frame, short_message
from terminal.tests.socket_client import BINARY, RawSocket

KEY = b"\x37\xfa\x21\x3d"


def masked(payload: bytes, first: int = 0x82) -> bytes:
    body = bytes(byte ^ KEY[place % 4] for place, byte in enumerate(payload))
    return bytes((first, 0x80 | len(payload))) + KEY + body


@pytest.mark.parametrize("payload", [b"", b"x", b"\0\0", b"12345", os.urandom(125)])
def test_one_short_frame_is_a_message(payload: bytes) -> None:
    assert short_message(masked(payload)) == payload


def test_text_is_text() -> None:
    assert short_message(masked("grüße".encode(), TEXT)) == "grüße"
    assert short_message(masked(b"\xff", TEXT)) is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x82",
        masked(b"x") + masked(b"y"),
        masked(b"xy")[:-1],
        masked(b"x", 0x02),
        masked(b"x", 0x80),
        masked(b"", 0x88),
        masked(b"", 0x89),
        masked(b"x", 0xC2),
        b"\x82\x01x12345",
        b"\x82\xfe\0\x7e" + KEY + b"x" * 126,
    ],
)
def test_anything_else_is_left_to_the_parser(data: bytes) -> None:
    assert short_message(data) is None


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536])
def test_frames_of_every_length_are_read_back(size: int) -> None:
    reader = RawSocket.__new__(RawSocket)
    reader._buffer = bytearray(frame(b"x" * size))
    assert reader._parse() == (BINARY, b"x" * size)
    assert not reader._buffer
