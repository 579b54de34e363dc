"""What a log holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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


class Revision(msgspec.Struct, frozen=True):
    """What an entry that corrects others does: `data` and `to` are its own, `changed` maps offsets to the
    data that takes the place of theirs."""

    data: Any
    to: tuple[str, ...] | None
    changed: dict[int, Any]


# Called within the transaction with a way to read the topic's entries by offset and the new entry's offset.
# Raises HubbubError to refuse, and then nothing is stored.
Revise = Callable[[Callable[[int], Entry | None], int], Revision]


class Draft(msgspec.Struct, frozen=True):
    """An entry on its way in. The same `key` of the same `sender` in one topic is stored once.

    With `revise` its data, and whom it is for, are found when it is stored.
    """

    topic: str
    type: str
    data: bytes
    at_ms: int
    to: tuple[str, ...] | None = None
    key: str | None = None
    sender: str = ""
    mark: Mark | None = None
    revise: Revise | None = None


class Stored(msgspec.Struct, frozen=True):
    """`fresh` unless a repeated key answered the first one's place. `changed` are the entries corrected."""

    entry: Entry
    fresh: bool
    changed: tuple[Entry, ...] = ()


class Page(msgspec.Struct, frozen=True):
    """What a read found: entries in the order of `seq`, up to and including seq `upto`.

    `complete` says that there was nothing behind. `gaps` are the topics that have lost entries between the
    position asked for and what is kept.
    """

    entries: list[Entry]
    gaps: frozenset[str]
    upto: int
    complete: bool
