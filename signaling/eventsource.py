"""Server-sent events as bytes (HTML standard, section 9.2.6): blocks of fields, ended by an empty line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from signaling.entry import Entry
from signaling.outbox import Frame

KEEPALIVE = Frame(b":\n\n")
# Types of blocks that are the stream's own: nobody publishes events of these.
OWN_TYPES = frozenset({"open", "gap"})


def block(event: str, data: bytes, cursor: str = "", retry_ms: int | None = None) -> Frame:
    """One event. `data` is JSON on one line; `event` and `cursor` have no line breaks either."""
    retry = f"retry: {retry_ms}\n" if retry_ms is not None else ""
    identity = f"id: {cursor}\n" if cursor else ""
    return Frame(b"%b%bevent: %b\ndata: %b\n\n" % (retry.encode(), identity.encode(), event.encode(), data))


def entry_block(entry: Entry, cursor: str) -> Frame:
    """An entry of a log, with the position behind it."""
    data = b'{"topic":%b,"offset":%d,"at_ms":%d,"data":%b}' % (
        msgspec.json.encode(entry.topic),
        entry.offset,
        entry.at_ms,
        bytes(entry.data),
    )
    return block(entry.type, data, cursor)


def token_block(entry: Entry) -> Frame:
    """An entry of a token stream: its offset is the id."""
    return block(entry.type, bytes(entry.data), str(entry.offset))


class Blocks:
    """Encodes an entry once for all of its readers: they are told of it one after the other."""

    def __init__(self, encode: Callable[[Entry], Frame]) -> None:
        self._encode = encode
        self._entry: Entry | None = None
        self._frame: Frame | None = None

    def of(self, entry: Entry) -> Frame:
        if self._frame is None or entry is not self._entry:
            self._entry, self._frame = entry, self._encode(entry)
        return self._frame


def told(event: str, data: Any, cursor: str = "", retry_ms: int | None = None) -> Frame:
    """An event of the stream itself."""
    return block(event, msgspec.json.encode(data), cursor, retry_ms)


def position(cursor: str) -> Frame:
    """Moves the reader's position without firing an event: what it did not see was not for it."""
    return Frame(b":\nid: %b\n\n" % cursor.encode())


def retry(after_ms: int) -> Frame:
    """How long the reader is to wait before it connects again."""
    return Frame(b"retry: %d\n\n" % after_ms)


def try_later(retry_ms: int) -> Frame:
    """All that an overloaded server says: browsers stop for ever at any status but 200."""
    return Frame(b"retry: %d\n: overloaded, try again later\n\n" % retry_ms)
