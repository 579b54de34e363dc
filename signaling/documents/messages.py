"""The Yjs messages of y-websocket: bytes to typed messages and back (y-protocols sync, awareness and auth).

Hocuspocus wraps the same bodies in its own frame: hocuspocus.py. The auth message of this door has a
direction: the server denies with sub-type 0, a client presents a new token with sub-type 0 or none.
"""

from __future__ import annotations

import msgspec

from signaling.documents.lib0 import Malformed, Reader, write_bytes, write_string, write_uint

SYNC, AWARENESS, AUTH, QUERY_AWARENESS = range(4)
STEP_1, STEP_2, UPDATE = range(3)
PERMISSION_DENIED = 0

# An awareness message about nobody: has no effect and counts as traffic. y-websocket clients drop a socket
# that was silent for 30 s, and do not see WebSocket pings.
KEEPALIVE = b"\x01\x01\x00"


class SyncStep1(msgspec.Struct, frozen=True, gc=False):
    """What the sender has. Asks for the rest."""

    state_vector: bytes


class SyncStep2(msgspec.Struct, frozen=True, gc=False):
    """The answer to a step 1: what the other one lacks."""

    update: bytes


class Update(msgspec.Struct, frozen=True, gc=False):
    update: bytes


class Awareness(msgspec.Struct, frozen=True, gc=False):
    payload: bytes


class QueryAwareness(msgspec.Struct, frozen=True, gc=False):
    pass


class Token(msgspec.Struct, frozen=True, gc=False):
    token: str


class Unknown(msgspec.Struct, frozen=True, gc=False):
    """A type of a later protocol: ignored, as y-websocket does."""

    type: int


Message = SyncStep1 | SyncStep2 | Update | Awareness | QueryAwareness | Token | Unknown


def parse(data: bytes) -> Message:
    """One message of a client. Bytes behind it are ignored. Raises Malformed."""
    reader = Reader(data)
    match reader.uint():
        case 0:
            return parse_sync(reader)
        case 1:
            return Awareness(reader.blob())
        case 2:
            return _parse_token(reader)
        case 3:
            return QueryAwareness()
        case other:
            return Unknown(other)


def parse_sync(reader: Reader) -> SyncStep1 | SyncStep2 | Update:
    match reader.uint():
        case 0:
            return SyncStep1(reader.blob())
        case 1:
            return SyncStep2(reader.blob())
        case 2:
            return Update(reader.blob())
        case other:
            raise Malformed(f"sync message of unknown type {other}")


def sync_step_1(state_vector: bytes) -> bytes:
    return b"\x00\x00" + write_bytes(state_vector)


def sync_step_2(update: bytes) -> bytes:
    return b"\x00\x01" + write_bytes(update)


def update(content: bytes) -> bytes:
    return b"\x00\x02" + write_bytes(content)


def awareness(payload: bytes) -> bytes:
    return b"\x01" + write_bytes(payload)


def permission_denied(reason: str) -> bytes:
    return b"\x02" + write_uint(PERMISSION_DENIED) + write_string(reason)


def token(value: str) -> bytes:
    """What a client sends to go on under a new token."""
    return b"\x02\x00" + write_string(value)


def _parse_token(reader: Reader) -> Token:
    """A sub-type 0 may stand before the token; no token is empty, so the two cannot be confused."""
    if reader.data[reader.position : reader.position + 1] == b"\x00":
        reader.position += 1
    return Token(reader.string())
