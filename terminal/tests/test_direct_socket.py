"""The direct way of messages at a running web server."""

from __future__ import annotations

from terminal.tests.site import Site


def test_messages_arrive_in_order_however_they_are_cut(site: Site) -> None:
    site.make_session(site.tasks[0])
    browser = site.open(site.tasks[0])
    browser.until_message("snapshot")
    wire = browser.socket.connection
    wire.sendall(b"\x82\x85\0\0\0\0echo " + b"\x82\x81\0\0\0\0a")  # two frames at once
    wire.sendall(b"\x89\x80\0\0\0\0")  # a ping
    wire.sendall(b"\x02\x82\1\2\3\4" + bytes([ord("b") ^ 1, ord("'") ^ 2]))  # the beginning of a message
    wire.sendall(b"\x80\x83\0\0\0\0'cd" + b"\x82\x81\0\0\0")  # its end, and half of the next head
    wire.sendall(b"\0e")
    browser.type(b"f" * 200)
    browser.type(b"g\r")
    browser.until_text("\rabcde" + "f" * 200 + "g")
    browser.close()
