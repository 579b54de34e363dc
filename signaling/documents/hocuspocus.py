"""Hocuspocus' frames: the address of a document, a type, then mostly the body that y-websocket has, too.

The address is the document's name, or name, NUL and session where one socket carries a document twice. The
sub-types of auth clash with those of y-protocols: 0 token, 1 denied, 2 authenticated.
"""

from __future__ import annotations

import msgspec

from signaling.documents import messages
from signaling.documents.lib0 import Malformed, Reader, write_string, write_uint

SYNC, AWARENESS, AUTH, QUERY_AWARENESS, SYNC_REPLY, STATELESS, BROADCAST_STATELESS, CLOSE, SYNC_STATUS = (
    range(9)
)
PONG = b"\x0a"
TOKEN, PERMISSION_DENIED, AUTHENTICATED = range(3)

# A frame to the document of no name: clients count it as traffic and find nobody to hand it to. They drop a
# socket that was silent for 30 s. (3.x raises at the ping of 4.x, so that cannot be used.)
KEEPALIVE = b"\x00"


class Ping(msgspec.Struct, frozen=True, gc=False):
    pass


class Pong(msgspec.Struct, frozen=True, gc=False):
    pass


class Close(msgspec.Struct, frozen=True, gc=False):
    """The client detaches from the document."""


class Stateless(msgspec.Struct, frozen=True, gc=False):
    payload: str


Body = messages.Message | Ping | Pong | Close | Stateless


def parse_address(frame: bytes) -> tuple[str, Reader]:
    """The address, and a reader behind it. Ping and Pong of the socket itself have none: see pulse.

    Raises Malformed.
    """
    reader = Reader(frame)
    return reader.string(), reader


def name_of(address: str) -> str:
    """The document's name, without the session."""
    return address.partition("\0")[0]


def pulse(frame: bytes) -> Ping | Pong | None:
    """The one-byte messages about the socket. No frame of a document is that short."""
    if frame == b"\x09":
        return Ping()
    return Pong() if frame == b"\x0a" else None


def parse_body(reader: Reader) -> Body:
    """What follows the address. Raises Malformed."""
    match reader.uint():
        case 0 | 4:
            return messages.parse_sync(reader)
        case 1:
            return messages.Awareness(reader.blob())
        case 2:
            return _parse_auth(reader)
        case 3:
            return messages.QueryAwareness()
        case 5:
            return Stateless(reader.string())
        case 6:
            raise Malformed("broadcasts are for servers")
        case 7:
            return Close()
        case other:
            return messages.Unknown(other)


def prefix(address: str) -> bytes:
    """Stands before every message of a document. Bodies of sync and awareness follow as y-websocket has them."""
    return write_string(address)


def authenticated(scope: str) -> bytes:
    """`scope` is `read-write` or `readonly`."""
    return write_uint(AUTH) + write_uint(AUTHENTICATED) + write_string(scope)


def permission_denied(reason: str) -> bytes:
    return write_uint(AUTH) + write_uint(PERMISSION_DENIED) + write_string(reason)


def token_request() -> bytes:
    """Asks the client for its present token: it answers with an auth message."""
    return write_uint(AUTH) + write_uint(TOKEN)


def sync_status(applied: bool) -> bytes:
    return write_uint(SYNC_STATUS) + write_uint(int(applied))


def stateless(payload: str) -> bytes:
    return write_uint(STATELESS) + write_string(payload)


def close(reason: str) -> bytes:
    """The server has detached the document; the socket lives on."""
    return write_uint(CLOSE) + write_string(reason)


def auth(token: str, version: str = "") -> bytes:
    """What a client sends."""
    return write_uint(AUTH) + write_uint(TOKEN) + write_string(token) + write_string(version)


def _parse_auth(reader: Reader) -> messages.Token:
    """Clients of 3.x and later append their version, which nobody needs."""
    if reader.uint() != TOKEN:
        raise Malformed("auth message of a kind that only servers send")
    return messages.Token(reader.string())
