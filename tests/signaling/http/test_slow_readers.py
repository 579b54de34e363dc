"""A reader that does not read: its outbox is bounded, it learns why it was closed, nobody else waits."""

from __future__ import annotations

import asyncio
import json
import socket
from urllib.parse import urlsplit

from websockets.frames import Close, Frame, Opcode

from signaling.server import Server
from tests.signaling.serving import Client, connected, token

FILLER = "x" * 200_000


class Sleeper:
    """A raw WebSocket client with a small receive buffer that reads only when it is told to."""

    def __init__(self, server: Server) -> None:
        self.address = urlsplit(server.url)
        self.socket = socket.socket()
        # Otherwise the kernel takes megabytes before the server sees that nobody reads.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.setblocking(False)

    async def connect(self, bearer: str) -> None:
        loop = asyncio.get_running_loop()
        await loop.sock_connect(self.socket, (self.address.hostname, self.address.port))
        await loop.sock_sendall(
            self.socket,
            f"GET /v1/ws?token={bearer} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode(),
        )
        self.reader, self.writer = await asyncio.open_connection(sock=self.socket, limit=2**24)
        await self.reader.readuntil(b"\r\n\r\n")
        # From here on asyncio stops reading the socket when its own buffer is full.
        self.reader._limit = 4096  # type: ignore[attr-defined]  # the stream's flow control

    async def send(self, **message: object) -> None:
        self.writer.write(Frame(Opcode.TEXT, json.dumps(message).encode()).serialize(mask=True))
        await self.writer.drain()

    async def frame(self) -> Frame:
        first, second = await self.reader.readexactly(2)
        size = second
        if second == 126:
            size = int.from_bytes(await self.reader.readexactly(2), "big")
        elif second == 127:
            size = int.from_bytes(await self.reader.readexactly(8), "big")
        return Frame(Opcode(first & 15), await self.reader.readexactly(size))


async def _flood(ann: Client, participant: str) -> None:
    for _ in range(60):
        reply = await ann.request("signal", to=participant, data=FILLER)
        if "error" in reply:
            return


async def test_a_reader_that_sleeps_is_closed_with_4508_and_may_resume(server: Server) -> None:
    sleeper = Sleeper(server)
    await sleeper.connect(token("sleeper"))
    await sleeper.send(id=1, type="join", room="demo")
    reply = json.loads(bytes((await sleeper.frame()).data))
    async with connected(server) as ann:
        await ann.join()
        await _flood(ann, reply["participant"]["id"])
        frames = []
        async with asyncio.timeout(5):
            while (frame := await sleeper.frame()).opcode is not Opcode.CLOSE:
                frames.append(frame)
        assert Close.parse(frame.data).code == 4508
        # Far less than what was sent: the rest was dropped with the outbox.
        assert len(frames) < 30
        sleeper.writer.close()
        async with connected(server, token("sleeper")) as awake:
            again = await awake.join(resume=reply["session"])
            assert again["participant"]["id"] == reply["participant"]["id"]
        assert "at_ms" in await ann.request("ping")
