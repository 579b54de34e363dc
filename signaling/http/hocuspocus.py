"""`/v1/hocuspocus`: unmodified Hocuspocus clients, several documents on one socket."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog
from aiohttp import web

from signaling.connections import Connection
from signaling.documents import hocuspocus, messages
from signaling.documents.hocuspocus_session import HocuspocusSession
from signaling.documents.lib0 import Malformed
from signaling.documents.session import Access
from signaling.errors import CloseCode, HubbubError, forbidden
from signaling.http.authenticate import SUBPROTOCOL, require_known_origin, token_of
from signaling.http.document_socket import MESSAGE_SLACK, DocumentSocket
from signaling.http.endpoints import Endpoint
from signaling.http.framing import FramedSocket
from signaling.ids import validate_name
from signaling.tokens import Claims

if TYPE_CHECKING:
    from signaling.server import Server

log = structlog.get_logger("hubbub.documents")
# Before a document's token has come (protocol section 6).
MAX_PENDING_DOCUMENTS = 100
MAX_PENDING_MESSAGES = 1_000
MAX_PENDING_BYTES = 5 * 1024 * 1024
AUTHENTICATE_SECONDS = 10.0
# Documents on one socket in all.
MAX_DOCUMENTS = 1_000
# Seconds before a token expires at which the client is asked for its present one, at most.
ASK_AHEAD_SECONDS = 60.0
ASK_AHEAD_SHARE = 0.25


def routes(server: Server) -> list[Endpoint]:
    async def serve(request: web.Request) -> web.StreamResponse:
        require_known_origin(request, server)
        socket = FramedSocket((SUBPROTOCOL,), server.documents.limit + MESSAGE_SLACK)
        await socket.prepare(request)
        wire = DocumentSocket(socket, hocuspocus.KEEPALIVE)
        conversation = Conversation(server, wire, token_of(request, server) or "")
        try:
            await wire.read(conversation.take)
        finally:
            conversation.end()
            wire.shut()
        return socket

    return [Endpoint("GET", "/v1/hocuspocus", serve, "Yjs sync, Hocuspocus clients", "token message", (101,))]


class Admitted:
    """A document of this socket whose token was accepted."""

    def __init__(self, session: HocuspocusSession, connection: Connection) -> None:
        self.session = session
        self.connection = connection
        self.asking: asyncio.TimerHandle | None = None

    def end(self) -> None:
        if self.asking is not None:
            self.asking.cancel()
        self.connection.unregister()
        self.session.leave()


class Conversation:
    """One socket. `fallback` is the token of the upgrade request, for clients that send an empty one."""

    def __init__(self, server: Server, wire: DocumentSocket, fallback: str) -> None:
        self._server = server
        self._wire = wire
        self._fallback = fallback
        self._admitted: dict[str, Admitted] = {}
        self._pending: dict[str, list[bytes]] = {}
        self._pending_messages = 0
        self._pending_bytes = 0
        self._denied: set[str] = set()
        loop = asyncio.get_running_loop()
        self._deadline = loop.call_later(AUTHENTICATE_SECONDS, self._too_late)

    async def take(self, frame: bytes) -> None:
        try:
            await self._take(frame)
        except Malformed as error:
            self._wire.close(CloseCode.BAD_MESSAGE, str(error))
        except Exception:
            # The border of the process: a bug of ours costs this connection, which comes back.
            log.exception("message_failed", door="hocuspocus")
            self._wire.close(CloseCode.INTERNAL, "the server failed at a message")

    def end(self) -> None:
        self._deadline.cancel()
        for admitted in self._admitted.values():
            admitted.end()
        self._admitted.clear()
        self._pending.clear()

    async def _take(self, frame: bytes) -> None:
        match hocuspocus.pulse(frame):
            case hocuspocus.Ping():
                self._wire.put(self._wire.frame(hocuspocus.PONG))
                return
            case hocuspocus.Pong():
                return
        address, reader = hocuspocus.parse_address(frame)
        admitted = self._admitted.get(address)
        start = reader.position
        body = hocuspocus.parse_body(reader)
        if isinstance(body, messages.Token):
            await self._authenticate(address, body.token)
        elif admitted is None:
            self._wait(address, frame[start:])
        elif isinstance(body, hocuspocus.Close):
            self._admitted.pop(address).end()
        elif not isinstance(body, hocuspocus.Stateless | hocuspocus.Ping | hocuspocus.Pong):
            await admitted.session.take(body)

    def _wait(self, address: str, body: bytes) -> None:
        """Keep what comes before the token; what comes for a denied document is dropped."""
        if address in self._denied:
            return
        self._pending.setdefault(address, []).append(body)
        self._pending_messages += 1
        self._pending_bytes += len(body)
        if (
            len(self._pending) > MAX_PENDING_DOCUMENTS
            or self._pending_messages > MAX_PENDING_MESSAGES
            or self._pending_bytes > MAX_PENDING_BYTES
        ):
            self._wire.close(CloseCode.RATE_LIMITED, "too much before authentication")

    async def _authenticate(self, address: str, token: str) -> None:
        waiting = self._pending.pop(address, [])
        self._pending_messages -= len(waiting)
        self._pending_bytes -= sum(map(len, waiting))
        try:
            name = validate_name("document", hocuspocus.name_of(address))
            claims = self._server.verify(token or self._fallback)
            access = claims.doc_access(name)
            if access is None:
                raise forbidden("the token gives no access to this document")
            await self._admit(address, name, claims, access)
        except HubbubError as refusal:
            self._deny(address, refusal.message)
            return
        for body in waiting:
            await self._take(hocuspocus.prefix(address) + body)

    async def _admit(self, address: str, name: str, claims: Claims, access: Access) -> None:
        self._denied.discard(address)
        admitted = self._admitted.get(address)
        if admitted is not None:
            if claims.sub != admitted.connection.claims.sub:
                raise forbidden("the new token is somebody else's")
            admitted.connection.refresh(claims)
            admitted.session.refresh(access)
        else:
            admitted = await self._enter(address, name, claims, access)
        self._ask_ahead(address, admitted, claims)

    async def _enter(self, address: str, name: str, claims: Claims, access: Access) -> Admitted:
        if len(self._admitted) >= MAX_DOCUMENTS:
            raise forbidden(f"at most {MAX_DOCUMENTS} documents share a socket")
        session = HocuspocusSession(self._server.documents, self._wire, claims.sub, address)
        await session.enter(name, access)
        self._deadline.cancel()
        connection = self._server.connections.register(
            claims, lambda code, reason: self._expelled(address, code, reason)
        )
        admitted = self._admitted[address] = Admitted(session, connection)
        return admitted

    def _ask_ahead(self, address: str, admitted: Admitted, claims: Claims) -> None:
        """Ask for a new token a little before this one expires: clients get them from a function."""
        if admitted.asking is not None:
            admitted.asking.cancel()
        left = claims.exp - self._server.clock()
        wait = left - min(ASK_AHEAD_SECONDS, left * ASK_AHEAD_SHARE)
        admitted.asking = asyncio.get_running_loop().call_later(
            wait, admitted.session.send, hocuspocus.token_request()
        )

    def _deny(self, address: str, reason: str) -> None:
        """For this document alone."""
        if (admitted := self._admitted.pop(address, None)) is not None:
            admitted.end()
        self._denied.add(address)
        if len(self._denied) > MAX_PENDING_DOCUMENTS:
            self._wire.close(CloseCode.RATE_LIMITED, "too many documents were denied")
            return
        denial = hocuspocus.prefix(address) + hocuspocus.permission_denied(reason)
        self._wire.put(self._wire.frame(denial))

    def _expelled(self, address: str, code: CloseCode, reason: str) -> None:
        """The token is no good any more. The socket goes with its last document."""
        self._deny(address, reason)
        if not self._admitted:
            self._wire.close(code, reason)

    def _too_late(self) -> None:
        if not self._admitted:
            self._wire.close(CloseCode.HEARTBEAT_LOST, "no document was authenticated in time")
