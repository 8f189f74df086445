"""A dev server for tests, friendly or hostile by the path that is asked for. `python program.py PORT`."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import sys
from collections.abc import AsyncIterator

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
PORT = int(sys.argv[1])


Headers = list[tuple[str, str]]


def answer(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> bytes:
    lines = [b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


async def head_of(reader: asyncio.StreamReader) -> tuple[str, str, Headers]:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, target, _ = lines[0].split(" ")
    parts = (line.partition(": ") for line in lines[1:] if line)
    headers = [(name, value) for name, _, value in parts]
    return method, target, headers


async def body_of(reader: asyncio.StreamReader, headers: Headers) -> AsyncIterator[bytes]:
    """Yield a body as it arrives."""
    named = {name.lower(): value for name, value in headers}
    if "chunked" in named.get("transfer-encoding", ""):
        while size := int((await reader.readline()).strip(), 16):
            yield await reader.readexactly(size)
            await reader.readline()
        await reader.readline()
    left = int(named.get("content-length", 0))
    while left and (data := await reader.read(min(left, 65536))):
        left -= len(data)
        yield data


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            method, target, headers = await head_of(reader)
            if not await respond(reader, writer, method, target, headers):
                break
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    writer.close()


async def respond(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    method: str,
    target: str,
    headers: Headers,
) -> bool:
    """Answer one request, and return whether the connection can have another one."""
    path = target.partition("?")[0]
    if path == "/ws":
        await echo(reader, writer, headers)
        return False
    if path == "/stream":
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        async for data in body_of(reader, headers):
            writer.write(chunk(b"data: %d\n\n" % len(data)))
            await writer.drain()
        writer.write(chunk(b"data: end\n\n"))
        await writer.drain()
        await reader.read(1)  # stays open
        return False
    if path == "/large":
        size = int(target.partition("?")[2])
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        while size > 0:
            writer.write(b"x" * min(size, 65536))
            size -= 65536
            await writer.drain()
        return True
    if path in RAW:
        writer.write(RAW[path])
        return path != "/half"
    body = hashlib.sha256()
    async for data in body_of(reader, headers):
        body.update(data)
    told = {"method": method, "target": target, "headers": headers, "body": body.hexdigest()}
    writer.write(answer(b"" if method == "HEAD" else json.dumps(told).encode(), *EXTRA.get(path, ())))
    return True


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, headers: Headers) -> None:
    """Accept a WebSocket, and send back the bytes of its frames as they are."""
    key = {name.lower(): value for name, value in headers}.get("sec-websocket-key", "").encode()
    accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
    lines = (b"HTTP/1.1 101 Switching Protocols", b"Upgrade: websocket", b"Connection: Upgrade")
    writer.write(b"\r\n".join((*lines, b"Sec-WebSocket-Accept: " + accept)) + b"\r\n\r\n")
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


EXTRA: dict[str, tuple[bytes, ...]] = {
    "/cookies": (
        b"Set-Cookie: mine=1; Domain=localhost; Path=/",
        b"Set-Cookie: aitask_session_x=stolen; Path=/",
        b'Clear-Site-Data: "cookies"',
    ),
}
RAW = {
    "/redirect": answer(b"", b"Location: http://localhost:%d/there" % PORT, status=b"302 Found"),
    "/two-answers": answer(b"ok") + answer(b"smuggled"),
    "/two-lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 9\r\n\r\nok",
    "/length-and-chunks": b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n"
    + chunk(b"ok")
    + chunk(b""),
    "/split": b"HTTP/1.1 200 OK\r\nX-A: b\rSet-Cookie: aitask_x=1\r\nContent-Length: 2\r\n\r\nok",
    "/no-http": b"SSH-2.0-OpenSSH_9.9\r\n",
    "/long-head": b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 200_000 + b"\r\n\r\n",
    "/switch": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nraw",
    "/half": b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
}


async def main() -> None:
    async with await asyncio.start_server(serve, "127.0.0.1", PORT) as server:
        await server.serve_forever()


asyncio.run(main())
