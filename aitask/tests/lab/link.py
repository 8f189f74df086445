"""A network link that tests can freeze, cut, forget and restore: a TCP proxy on loopback."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading

CHUNK = 65536


def free_port() -> int:
    """Return an unused port of loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    """Whether a server can listen on a port of loopback."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do, for ended connections
        with contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return True
    return False


class Link:
    """Forwards `port` to `target_port`, both on 127.0.0.1, from construction to `close()`."""

    def __init__(self, target_port: int) -> None:
        self.target_port = target_port
        self.port = free_port()
        self._flowing = threading.Event()
        self._flowing.set()
        self._sockets: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        self._listen()

    def freeze(self) -> None:
        """Hold all data, like a network that loses packets: connections stay open."""
        self._flowing.clear()

    def thaw(self) -> None:
        """Forward the data that was held, and all further data."""
        self._flowing.set()

    def forget(self) -> None:
        """Never forward data of the open connections again, like a router that has forgotten them."""
        self._flowing.clear()
        self._flowing = threading.Event()
        self._flowing.set()

    def cut(self) -> None:
        """Reset all connections and refuse new ones."""
        self._stop_listening()
        with self._lock:
            sockets, self._sockets = self._sockets, set()
        for open_socket in sockets:
            _reset(open_socket)
        self._flowing.set()

    def mend(self) -> None:
        """Accept connections again, on the same port."""
        if self._listener is None:
            self._listen()

    def close(self) -> None:
        self.cut()

    @property
    def connections(self) -> int:
        with self._lock:
            return len(self._sockets) // 2

    def _listen(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _stop_listening(self) -> None:
        listener, self._listener = self._listener, None
        if listener:
            # A thread blocked in accept() keeps the port: shutdown wakes it, close alone does not.
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        flowing = self._flowing
        flowing.wait()
        try:
            server = socket.create_connection(("127.0.0.1", self.target_port), timeout=5)
        except OSError:
            _reset(client)
            return
        server.settimeout(None)
        with self._lock:
            self._sockets |= {client, server}
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # forward at once
        for source, sink in ((client, server), (server, client)):
            threading.Thread(target=self._pump, args=(source, sink, flowing), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, flowing: threading.Event) -> None:
        try:
            while data := source.recv(CHUNK):
                flowing.wait()
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            _reset(source)
            _reset(sink)
        with self._lock:
            self._sockets.discard(source)


def _reset(open_socket: socket.socket) -> None:
    with contextlib.suppress(OSError):
        open_socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        open_socket.shutdown(socket.SHUT_RDWR)
    open_socket.close()
