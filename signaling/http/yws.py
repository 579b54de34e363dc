"""`/v1/docs/{name}` as a WebSocket: unmodified y-websocket clients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from aiohttp import web

from signaling.documents import messages
from signaling.documents.lib0 import Malformed
from signaling.documents.yws import YSession
from signaling.errors import CloseCode, HubbubError, forbidden
from signaling.http.authenticate import SUBPROTOCOL, claims_of, require_known_origin
from signaling.http.document_socket import MESSAGE_SLACK, DocumentSocket
from signaling.http.framing import FramedSocket
from signaling.ids import validate_name
from signaling.tokens import Claims

if TYPE_CHECKING:
    from signaling.server import Server

log = structlog.get_logger("hubbub.documents")


async def serve_yws(request: web.Request, server: Server) -> web.StreamResponse:
    """Refused access: the socket is accepted, told once, and then idles. Clients of 3.0.0 would come back
    for ever if it were closed."""
    require_known_origin(request, server)
    socket = FramedSocket((SUBPROTOCOL,), server.documents.limit + MESSAGE_SLACK)
    await socket.prepare(request)
    wire = DocumentSocket(socket, messages.KEEPALIVE)
    try:
        await _hold(request, server, wire)
    finally:
        wire.shut()
    return socket


async def _hold(request: web.Request, server: Server, wire: DocumentSocket) -> None:
    try:
        name = validate_name("document", request.match_info["name"])
        claims = claims_of(request, server)
        access = claims.doc_access(name)
        if access is None:
            raise forbidden("the token gives no access to this document")
    except HubbubError as refusal:
        wire.put(wire.frame(messages.permission_denied(refusal.message)))
        await wire.read(lambda _: None)
        return
    session = YSession(server.documents, wire, claims.sub)
    conversation = Conversation(server, wire, session, claims, name)
    try:
        await session.enter(name, access)
        await wire.read(conversation.take)
    except HubbubError as failure:
        wire.close(CloseCode.INTERNAL, failure.message)
    finally:
        conversation.end()


class Conversation:
    """A member that is let in: its messages, its token."""

    def __init__(
        self, server: Server, wire: DocumentSocket, session: YSession, claims: Claims, name: str
    ) -> None:
        self._server = server
        self._wire = wire
        self._session = session
        self._name = name
        self._connection = server.connections.register(claims, wire.close)

    async def take(self, data: bytes) -> None:
        try:
            message = messages.parse(data)
            if isinstance(message, messages.Token):
                self._refresh(message.token)
            else:
                await self._session.take(message)
        except Malformed as error:
            self._wire.close(CloseCode.BAD_MESSAGE, str(error))
        except Exception:
            # The border of the process: a bug of ours costs this connection, which comes back.
            log.exception("message_failed", door="yws")
            self._wire.close(CloseCode.INTERNAL, "the server failed at a message")

    def end(self) -> None:
        self._connection.unregister()
        self._session.leave()

    def _refresh(self, token: str) -> None:
        """A token that is no good is refused, and the old one lasts as long as it does."""
        try:
            claims = self._server.verify(token)
            access = claims.doc_access(self._name)
            if access is None or claims.sub != self._connection.claims.sub:
                raise forbidden("the new token gives no access to this document")
        except HubbubError as refusal:
            self._session.send(messages.permission_denied(refusal.message))
            return
        self._connection.refresh(claims)
        self._session.access = access
