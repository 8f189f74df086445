"""How long things take for somebody at a terminal."""

from __future__ import annotations

import time
from collections.abc import Sequence

from terminal.tests.peers import Peer

LETTERS = b"QWYZ"
"""Letters that no escape sequence of an echo contains."""
KEYS_A_LINE = 20
PATIENCE = 60
"""Seconds for one key."""


def settle(peer: Peer, silence: float = 0.3) -> None:
    """Read until nothing comes any more."""
    while peer.read(silence):
        pass


def wait_for_bytes(peer: Peer, wanted: bytes, timeout: float = 20) -> float:
    """Seconds until these bytes came."""
    begin = time.perf_counter()
    tail = b""
    while wanted not in tail:
        left = timeout - (time.perf_counter() - begin)
        assert left > 0, f"{peer.name}: {wanted!r} did not come; last {tail[-200:]!r}"
        tail = tail[-200:] + peer.read(left)
    return time.perf_counter() - begin


def echo(peer: Peer, keys: int) -> list[float]:
    """Milliseconds from each key to its echo at a shell's prompt."""
    times = []
    for number in range(keys):
        letter = bytes([LETTERS[number % len(LETTERS)]])
        begin = time.perf_counter()
        peer.type(letter)
        wait_for_bytes(peer, letter, PATIENCE)
        times.append((time.perf_counter() - begin) * 1000)
        if number % KEYS_A_LINE == KEYS_A_LINE - 1:
            peer.type(b"\x15")
            settle(peer, 0.05)
        time.sleep(0.002)
    peer.type(b"\x15")
    settle(peer, 0.05)
    return times


def interleaved(peers: Sequence[Peer], keys: int, rounds: int) -> dict[str, list[float]]:
    """Echo times of all peers, measured in turns, so that a busy moment hits them alike."""
    times: dict[str, list[float]] = {peer.name: [] for peer in peers}
    for turn in range(rounds):
        for peer in [*peers[turn % len(peers) :], *peers[: turn % len(peers)]]:
            times[peer.name] += echo(peer, keys)
    return times


def percentile(values: Sequence[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]
