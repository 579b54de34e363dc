"""A WebSocket that carries documents: writes a turn's messages at once, keeps clients from giving it up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiohttp import WSMsgType

from signaling.documents.session import HIGH_WATER, Session
from signaling.errors import CloseCode
from signaling.http.framing import PING, PONG, FramedSocket, encode

BINARY = 0x2
# Both kinds of client give a socket up after 30 s without a message.
BEAT_SECONDS = 15.0
# Beats without a sign of life from the client: a message, a pong, or bytes that it has read.
MAX_SILENT_BEATS = 2
# Seconds between looks at a reader that is behind. Only those are looked at.
WATCH_SECONDS = 0.05
# Seconds that a closed socket is kept, so that its client finds the reason.
LINGER_SECONDS = 2.0
# Beside the document's limit: framing and the names of Hocuspocus.
MESSAGE_SLACK = 64 * 1024


class DocumentSocket:
    """The wire of one WebSocket. `keepalive` is a message without effect."""

    door = "ws"

    def __init__(self, socket: FramedSocket, keepalive: bytes) -> None:
        self.socket = socket
        self._keepalive = encode(BINARY, keepalive)
        self._loop = asyncio.get_running_loop()
        self._frames: list[bytes] = []
        self._waiting = 0
        self._spoke = False
        self._heard = True
        self._silent = 0
        self._backlog = 0
        self._watched: dict[Session, None] = {}
        self._looking: asyncio.TimerHandle | None = None
        self._beat = self._loop.call_later(BEAT_SECONDS, self._on_beat)

    @property
    def backlog(self) -> int:
        return self._waiting + self.socket.backlog

    def frame(self, message: bytes) -> bytes:
        return encode(BINARY, message)

    def put(self, frames: bytes) -> None:
        """Written when the loop's turn is over, in one system call with what else it brings."""
        if not self._frames:
            self._loop.call_soon(self._write)
        self._frames.append(frames)
        self._waiting += len(frames)

    def watch(self, session: Session) -> None:
        self._watched[session] = None
        if self._looking is None:
            self._looking = self._loop.call_later(WATCH_SECONDS, self._look)

    async def read(self, take: Callable[[bytes], object]) -> None:
        """Hand over messages until the socket closes; `take` may be a coroutine function."""
        while True:
            message = await self.socket.receive()
            self._heard = True
            match message.type:
                case WSMsgType.BINARY:
                    if self.socket.close_said:
                        continue
                    result = take(message.data)
                    if result is not None:
                        await result  # type: ignore[misc]
                case WSMsgType.TEXT:
                    self.close(CloseCode.BAD_MESSAGE, "text messages have no meaning here")
                case WSMsgType.PING:
                    self.put(encode(PONG, message.data))
                case WSMsgType.CLOSE:
                    return self.socket.say_close(CloseCode.NORMAL, "")
                case WSMsgType.ERROR | WSMsgType.CLOSED | WSMsgType.CLOSING:
                    return None

    def close(self, code: CloseCode, reason: str) -> None:
        """Behind what is written. The reader sees the end soon after."""
        if not self.socket.close_said:
            self._write()
            self.socket.say_close(code, reason)
            self._loop.call_later(LINGER_SECONDS, self.socket.hang_up)

    def shut(self) -> None:
        """The connection is over."""
        self._beat.cancel()
        if self._looking is not None:
            self._looking.cancel()
        self._watched.clear()
        self._write()
        self.socket.hang_up()

    def _write(self) -> None:
        if self._frames:
            frames, self._frames = self._frames, []
            self._waiting = 0
            self._spoke = True
            self.socket.put(frames[0] if len(frames) == 1 else b"".join(frames))

    def _look(self) -> None:
        self._looking = None
        if self.backlog <= HIGH_WATER // 2:
            watched, self._watched = self._watched, {}
            for session in watched:
                session.drained()
        elif self.socket.open:
            self._looking = self._loop.call_later(WATCH_SECONDS, self._look)

    def _on_beat(self) -> None:
        backlog = self.backlog
        self._silent = 0 if self._heard or backlog < self._backlog else self._silent + 1
        if self._silent > MAX_SILENT_BEATS:
            self.socket.say_close(CloseCode.HEARTBEAT_LOST, "no sign of life")
            self.socket.abort()
            return
        self._heard, self._backlog = False, backlog
        self.socket.put(encode(PING, b"") + (b"" if self._spoke else self._keepalive))
        self._spoke = False
        self._beat = self._loop.call_later(BEAT_SECONDS, self._on_beat)
