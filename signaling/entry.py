"""What a log holds."""

from __future__ import annotations

import msgspec

from signaling.cursors import EPOCH_BYTES, cursor_of


class Entry(msgspec.Struct, frozen=True):
    """One event of one topic, as it is kept.

    `offset` counts the topic's entries from 0; `seq` all entries of its store, whose epoch is `epoch`. `data`
    is JSON, encoded once. `to` are the identities (and participant ids) that may see it; None means everybody
    who may read the topic.
    """

    topic: str
    offset: int
    at_ms: int
    type: str
    data: msgspec.Raw
    to: tuple[str, ...] | None
    epoch: bytes = bytes(EPOCH_BYTES)
    seq: int = 0

    @property
    def cursor(self) -> str:
        """Resumes right behind this entry."""
        return cursor_of(self.topic, self.epoch, self.seq)

    @property
    def size(self) -> int:
        """Bytes that it takes, roughly; what buffers are bounded by."""
        return len(self.data) + OVERHEAD_BYTES

    def seen_by(self, identity: str) -> bool:
        return self.to is None or identity in self.to


# What an entry takes beside its data: the object, its strings, the place in a list.
OVERHEAD_BYTES = 256


class Mark(msgspec.Struct, frozen=True):
    """Something that an entry begins or ends, such as a participant's presence: remembered by the log, in the
    same transaction, for as long as it is open, however little history is kept."""

    name: str
    open: bool


class Draft(msgspec.Struct, frozen=True):
    """An entry on its way in. The same `key` of the same `sender` in one topic is stored once."""

    topic: str
    type: str
    data: bytes
    at_ms: int
    to: tuple[str, ...] | None = None
    key: str | None = None
    sender: str = ""
    mark: Mark | None = None


class Page(msgspec.Struct, frozen=True):
    """What a read found: entries in the order of `seq`, up to and including seq `upto`.

    `complete` says that there was nothing behind. `gaps` are the topics that have lost entries between the
    position asked for and what is kept.
    """

    entries: list[Entry]
    gaps: frozenset[str]
    upto: int
    complete: bool
