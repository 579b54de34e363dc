"""`/v1/ws`: one task per connection reads and has requests answered; the door writes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog
from aiohttp import WSMsgType, web

from signaling.errors import CloseCode, HubbubError, bad_request
from signaling.http.authenticate import SUBPROTOCOL, claims_of, require_known_origin
from signaling.http.endpoints import Endpoint
from signaling.http.framing import FramedSocket
from signaling.http.socket_door import LINGER_SECONDS, SocketDoor
from signaling.messages import MAX_LARGE_MESSAGE_BYTES
from signaling.session import Session
from signaling.tokens import Claims

if TYPE_CHECKING:
    from signaling.server import Server

log = structlog.get_logger("hubbub.websocket")
# What aiohttp reads into memory before it breaks off. Somewhat above the protocol's limit, so that the usual
# offender is answered by a proper closing handshake.
MAX_READ_BYTES = 4 * MAX_LARGE_MESSAGE_BYTES
# Seconds that a stream that cannot be read any more is kept, so that its peer finds the close frame before
# the reset that unread bytes cause.
UNREADABLE_SECONDS = 1.0


def routes(server: Server) -> list[Endpoint]:
    async def ws(request: web.Request) -> web.StreamResponse:
        require_known_origin(request, server)
        socket = FramedSocket((SUBPROTOCOL,), MAX_READ_BYTES)
        if not socket.can_prepare(request):
            raise bad_request("this is a WebSocket endpoint: Upgrade: websocket is missing or malformed")
        try:
            claims = claims_of(request, server)
        except HubbubError as refusal:
            # Pages cannot see the status of a refused upgrade, but they can see a close code.
            await socket.prepare(request)
            return await _refuse(socket, CloseCode.UNAUTHORIZED, refusal.message)
        await socket.prepare(request)
        if server.draining:
            return await _refuse(socket, CloseCode.DRAINING, "the server is draining")
        await Conversation(server, socket, claims).hold()
        return socket

    return [Endpoint("GET", "/v1/ws", ws, "Room WebSocket", needs="token", answers=(101,))]


class Conversation:
    """One WebSocket from accepting to hanging up."""

    def __init__(self, server: Server, socket: FramedSocket, claims: Claims) -> None:
        self._server = server
        self._socket = socket
        settings = server.settings
        self._door = SocketDoor(
            socket, settings.heartbeat_ms / 1000, settings.heartbeat_timeout_ms / 1000, self._closing
        )
        self._session = Session(claims, self._door.outbox, server.clock(), server.metrics.observe)
        self._connection = server.connections.register(claims, self._end)

    async def hold(self) -> None:
        """Answer requests until either side closes."""
        try:
            await self._read()
        finally:
            self._connection.unregister()
            self._lose()
            self._door.shut()

    async def _read(self) -> None:
        while True:
            message = await self._socket.receive()
            self._door.heard()
            match message.type:
                case WSMsgType.TEXT:
                    await self._answer(message.data)
                case WSMsgType.PING:
                    self._door.pong(message.data)
                case WSMsgType.BINARY:
                    self._door.outbox.close(CloseCode.BAD_MESSAGE, "binary messages have no meaning here")
                case WSMsgType.CLOSE:
                    return self._socket.say_close(CloseCode.NORMAL, "")
                case WSMsgType.ERROR:
                    await asyncio.sleep(UNREADABLE_SECONDS)
                    return None
                case WSMsgType.CLOSED | WSMsgType.CLOSING:
                    return None

    async def _answer(self, text: str) -> None:
        if self._door.outbox.closing is not None:
            return
        steps = self._session.receive(text, self._server.clock())
        try:
            await self._server.hosting.run(steps, self._connection)
        except Exception:
            # The border of the process: a bug of ours costs this connection, with a code that says so.
            log.exception("request_failed", door="websocket")
            self._door.outbox.close(CloseCode.INTERNAL, "the server failed to answer a request")
        if self._session.joined:
            self._server.hosting.settle(self._session.room)

    def _end(self, code: CloseCode, reason: str) -> None:
        """The server ends this connection: its token is no good any more, or everybody has to go."""
        effects = self._session.expel(code, reason)
        if self._session.joined:
            self._server.hosting.act(self._session.room, effects)

    def _closing(self) -> None:
        """The door has said why it closes: from here on the participant is one that may resume."""
        closing = self._door.outbox.closing
        if closing is not None:
            self._server.metrics.closes.labels(int(closing.code)).inc()
        self._connection.unregister()
        self._lose()

    def _lose(self) -> None:
        self._session.lost(self._server.clock())
        if self._session.joined:
            self._server.hosting.settle(self._session.room)


async def _refuse(socket: FramedSocket, code: CloseCode, reason: str) -> FramedSocket:
    """Close an accepted socket and wait a little for its peer to say goodbye."""
    socket.say_close(code, reason)
    try:
        async with asyncio.timeout(LINGER_SECONDS):
            while (await socket.receive()).type in (
                WSMsgType.TEXT,
                WSMsgType.BINARY,
                WSMsgType.PING,
                WSMsgType.PONG,
            ):
                pass
    except TimeoutError:
        pass
    socket.hang_up()
    return socket
