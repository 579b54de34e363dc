"""One document in memory: a Doc, the numbers of its log, its connections and their awareness.

No clock and no storage in here: whoever owns the document is told that there is something to store
(`Host.dirty`), and says when it is. Until then nothing is acknowledged and nobody else is told.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol
from weakref import ref

import msgspec
from pycrdt import Doc, Subscription, TransactionEvent
from pycrdt import get_update as difference_of

from signaling.documents import messages
from signaling.documents.awareness import Awareness
from signaling.documents.batch import Batch
from signaling.documents.lib0 import Malformed
from signaling.documents.update import EMPTY, NO_STATE, TooManyStructs, Walk, is_ahead, state_vector
from signaling.errors import too_large, unavailable
from signaling.storage.documents import Stored

# Structs that are read on the loop: about 5 ms. Larger updates are read in the workroom's process first.
MAX_STRUCTS_HERE = 2_000
# Shared types in one update that are taken without measuring how deep they are nested.
MAX_NESTED_HERE = 100
# Bytes of updates that wait for a disk that fails, beyond which edits are refused.
MAX_UNSTORED = 64 * 1024 * 1024
# A full state is kept for the next joiner when making it takes noticeable time: 100 KB take about 1 ms.
CACHED_FROM = 16 * 1024
# Updates behind a cached state that are sent along with it, before it is made anew.
MAX_CACHED_TAIL = 200


class Member(Protocol):
    """A connection to the document, whatever its door."""

    identity: str
    clients: set[int]

    def deliver(self, batch: Batch) -> None:
        """Updates and awareness of everybody, the member's own included."""

    def acknowledge(self) -> None:
        """One update or step 2 of this member is stored."""

    def expel(self, reason: str) -> None:
        """The document is gone, and so should the connection be."""


class Host(Protocol):
    """Who stores and schedules."""

    def dirty(self, document: Document) -> None:
        """There are entries to store."""

    def outgoing(self, document: Document) -> None:
        """There is something to send to the members."""


class Entry(msgspec.Struct, frozen=True):
    """An update on its way to the disk. `content` is empty where there is nothing new to store."""

    number: int
    content: bytes
    shared: bytes
    member: Member | None


class Missed(msgspec.Struct, frozen=True):
    """From where a slow member has to be told anew: what the Doc had, less what was still under way."""

    state: bytes
    updates: tuple[bytes, ...]


class Document:
    """`limit` is in bytes of the encoded state."""

    def __init__(self, name: str, host: Host, limit: int) -> None:
        self.name = name
        self.limit = limit
        self.members: dict[Member, None] = {}
        self.editors = 0
        """Server-side users that hold it without a connection."""
        self.awareness = Awareness()
        self.number = 0
        self.stored = 0
        """Number of the last update that is committed."""
        self.snapshot_size = 0
        self.log_size = 0
        self.log_length = 0
        self.nested = 0
        """Shared types that came since the nesting was last measured: how much deeper it can have become."""
        self.unstored: deque[Entry] = deque()
        self.unstored_size = 0
        self.failing = False
        """The last attempt to store failed. Nothing is acknowledged until one succeeds."""
        self.deleted = False
        self.changed_ms: int | None = None
        self._host = host
        self._outgoing: list[bytes] = []
        self._told: dict[Member, int] = {}
        self._moved: dict[int, None] = {}
        self._pending: dict[int, bytes] = {}
        self._cached: bytes | None = None
        self._tail: list[bytes] = []
        self._events: list[bytes] = []
        self._receiving = False
        self.doc: Doc[Any] = Doc()
        self._subscription = self._observe()

    @property
    def size(self) -> int:
        """Upper bound of the encoded state in bytes: exact after a compaction."""
        return self.snapshot_size + self.log_size

    @property
    def in_use(self) -> bool:
        return bool(self.members or self.editors or self.unstored)

    # ------------------------------------------------------------------ state

    def restore(self, stored: Stored) -> None:
        """Become what was stored. Raises HubbubError unavailable when that cannot be read."""
        try:
            with engine_contained():
                if stored.snapshot:
                    self._replay(0, stored.snapshot)
                for number, content in stored.updates:
                    self._replay(number, content)
        except (Malformed, EngineBroken) as error:
            raise unavailable(f"this document cannot be read: {error}") from error
        self.number = max(stored.last, self.number)
        self.stored = stored.last
        self.snapshot_size = len(stored.snapshot)
        self.log_size = stored.size - len(stored.snapshot)
        self.log_length = len(stored.updates)
        if len(stored.snapshot) >= CACHED_FROM and len(stored.updates) <= MAX_CACHED_TAIL:
            self._cached = stored.snapshot
            self._tail = [content for _, content in stored.updates]

    def renew(self, stored: Stored) -> None:
        """Replace a Doc that a hostile update has broken."""
        self.close()
        self.doc = Doc()
        self._subscription = self._observe()
        self._pending.clear()
        self._cached, self._tail = None, []
        self.restore(stored)

    def close(self) -> None:
        """Give the Doc's memory back: pycrdt lets go of an observer at the next transaction only."""
        self.doc.unobserve(self._subscription)
        with self.doc.transaction():
            pass

    def state(self) -> bytes:
        """The state vector."""
        return self.doc.get_state()

    def full(self) -> list[bytes]:
        """Updates that together are the whole state: one, or a cached one and what came since."""
        if self._cached is None or len(self._tail) > MAX_CACHED_TAIL:
            with engine_contained():
                encoded = self.doc.get_update()
            self._tail = []
            self._cached = encoded if len(encoded) >= CACHED_FROM else None
            return [encoded]
        return [self._cached, *self._tail]

    def drop_cache(self) -> None:
        self._cached, self._tail = None, []

    def difference(self, state: bytes) -> list[bytes]:
        """What a peer with that state vector lacks. Raises Malformed."""
        if state == NO_STATE or not state_vector(state):
            return self.full()
        with engine_contained():
            return [self.doc.get_update(state)]

    def holds(self, update: bytes) -> bool:
        """Whether the update would change nothing. Raises Malformed.

        Deletions of what is there count as changes unless applying them to a copy is silent.
        """
        if update == EMPTY:
            return True
        walk(update)
        state = self.state()
        with engine_contained():
            left = difference_of(update, state)
        if is_ahead(left, state_vector(state)):
            return False
        if left == EMPTY:
            return True
        copy: Doc[Any] = Doc()
        with engine_contained():
            for part in self.full():
                copy.apply_update(part)
            before = copy.get_update()
            copy.apply_update(update)
            return copy.get_update() == before

    def numbers_pending(self) -> frozenset[int]:
        """Updates in the log that wait for others which have not come: compaction keeps them."""
        self._settle_pending()
        return frozenset(self._pending)

    # ---------------------------------------------------------------- receive

    def receive(self, update: bytes, member: Member | None) -> None:
        """Apply an update that `walk` has passed, and queue it to be stored.

        Raises Malformed (the sender's fault), EngineBroken (renew the document), HubbubError too_large or
        unavailable (refused; nothing changed).
        """
        if update == EMPTY:
            self._enqueue(b"", b"", member)
            return
        self._refuse(update)
        self._events.clear()
        self._receiving = True
        try:
            with engine_contained():
                self.doc.apply_update(update)
        finally:
            self._receiving = False
        events = self._events
        if len(events) == 1 and events[0] == update:
            self._enqueue(update, update, member)
            return
        self._enqueue_partly(update, list(events), member)

    def _refuse(self, update: bytes) -> None:
        if self.deleted:
            raise unavailable("this document was deleted")
        if self.unstored_size + len(update) > MAX_UNSTORED:
            raise unavailable("storage fails: edits are refused until it works again")
        # What only deletes (no structs) is always welcome: it is how a document becomes smaller.
        if self.size + len(update) > self.limit and update[0] != 0:
            raise too_large(f"the document would be larger than its limit of {self.limit} bytes")

    def _enqueue_partly(self, update: bytes, events: list[bytes], member: Member | None) -> None:
        """Some of it was known, or it waits for what has not come, or it let other things in."""
        if self._is_pending(update):
            self._enqueue(update, b"", member)
            self._pending[self.number] = update
            for event in events:
                self._enqueue(event, event, None)
            return
        for event in events[:-1]:
            self._enqueue(event, event, None)
        last = events[-1] if events else b""
        self._enqueue(last, last, member)

    def _is_pending(self, update: bytes) -> bool:
        state = self.state()
        with engine_contained():
            left = difference_of(update, state)
        return is_ahead(left, state_vector(state))

    def _settle_pending(self) -> None:
        self._pending = {
            number: update for number, update in self._pending.items() if self._is_pending(update)
        }

    def _enqueue(self, content: bytes, shared: bytes, member: Member | None) -> None:
        if content:
            self.number += 1
            self.log_size += len(content)
            self.log_length += 1
            if self._cached is not None and shared:
                self._tail.append(shared)
        self.unstored.append(Entry(self.number, content, shared, member))
        self.unstored_size += len(content)
        self._host.dirty(self)

    def _observe(self) -> Subscription:
        """pycrdt's observers keep alive what they hold, so the callback holds no Document."""
        return self.doc.observe(_Recorder(self))

    def observed(self, update: bytes) -> None:
        """A transaction has changed the Doc: one of `receive`, or else one of server-side code."""
        if self._receiving:
            self._events.append(update)
        else:
            self._enqueue(update, update, None)

    def _replay(self, number: int, update: bytes) -> None:
        self._events.clear()
        self._receiving = True
        try:
            self.doc.apply_update(update)
        finally:
            self._receiving = False
        if number and self._events != [update] and self._is_pending(update):
            self._pending[number] = update

    # ----------------------------------------------------------------- stored

    def committed(self, count: int) -> None:
        """The first `count` entries are on disk: acknowledge them and send them on."""
        for _ in range(count):
            entry = self.unstored.popleft()
            self.unstored_size -= len(entry.content)
            self.stored = entry.number
            if entry.shared:
                self._outgoing.append(messages.update(entry.shared))
            if entry.member is not None and entry.member in self.members:
                self._tell(entry.member)
                entry.member.acknowledge()
        if self._outgoing:
            self._host.outgoing(self)

    def _tell(self, member: Member) -> None:
        """Its own echo is a writer's acknowledgement: it does not wait for the others' turn."""
        told = self._told.get(member, 0)
        if told < len(self._outgoing):
            self._told[member] = len(self._outgoing)
            member.deliver(Batch(self._outgoing[told:]))

    def send(self) -> None:
        """Tell every member what it has not been told yet."""
        outgoing, told, moved = self._outgoing, self._told, self._moved
        self._outgoing, self._told, self._moved = [], {}, {}
        awareness = [messages.awareness(self.awareness.encode(moved))] if moved else []
        batches = {0: Batch([*outgoing, *awareness])}
        for member in list(self.members):
            start = told.get(member, 0)
            if start not in batches:
                batches[start] = Batch([*outgoing[start:], *awareness])
            batch = batches[start]
            if batch.messages:
                member.deliver(batch)

    def missed(self, member: Member) -> Missed:
        """Where to begin again for a member that gets no more for now; it has had all delivered so far."""
        told = self._told.get(member, 0)
        waiting = list(self._outgoing[told:])
        waiting += [messages.update(entry.shared) for entry in self.unstored if entry.shared]
        return Missed(self.state(), tuple(waiting))

    def resynchronise(self, missed: Missed) -> Batch:
        """Everything since then, and all awareness."""
        parts = [messages.update(part) for part in self.difference(missed.state)]
        return Batch([*parts, *missed.updates, *self.greeting()])

    def compacted(self, snapshot: int, count: int, dropped: int) -> None:
        """The log has a snapshot of that size instead of `count` updates of `dropped` bytes."""
        self.snapshot_size = snapshot
        self.log_size -= dropped
        self.log_length -= count
        self.nested = 0

    # -------------------------------------------------------------- awareness

    def greeting(self) -> list[bytes]:
        """All awareness, for who joins."""
        return [messages.awareness(self.awareness.encode())] if len(self.awareness) else []

    def notice(self, payload: bytes, member: Member) -> None:
        """An awareness message. Raises Malformed."""
        self._move(self.awareness.receive(payload, member))

    def join(self, member: Member) -> None:
        """What is under way comes with the next turn; having it twice, by step 2 too, does no harm."""
        self.members[member] = None

    def leave(self, member: Member) -> None:
        if self.members.pop(member, member) is None:
            self._told.pop(member, None)
            self._move(self.awareness.leave(member))

    def _move(self, clients: list[int]) -> None:
        if clients:
            self._moved.update(dict.fromkeys(clients))
            self._host.outgoing(self)


class EngineBroken(Exception):
    """pycrdt panicked: its Doc cannot be trusted any more."""


class _Recorder:
    """The observer of a Doc: copies each update out and returns, since a transaction in it would raise."""

    def __init__(self, document: Document) -> None:
        self._document = ref(document)

    def __call__(self, event: TransactionEvent) -> None:
        if (document := self._document()) is not None:
            document.observed(event.update)


@contextmanager
def engine_contained() -> Iterator[None]:
    """pycrdt's refusals as Malformed, its panics as EngineBroken."""
    try:
        yield
    except ValueError as error:
        raise Malformed(str(error)) from error
    except RuntimeError as error:
        raise EngineBroken(str(error)) from error
    except BaseException as error:
        # pyo3's PanicException cannot be imported, and is no Exception, so that nobody catches it by accident.
        if type(error).__name__ != "PanicException":
            raise
        raise EngineBroken(str(error)) from error


def walk(update: bytes) -> int:
    """Read an update before it is applied; answers how many shared types it brings.

    Raises Malformed, or TooManyStructs when that has to be done elsewhere.
    """
    read = Walk(update, limit=MAX_STRUCTS_HERE).run()
    if read.nested > MAX_NESTED_HERE:
        raise TooManyStructs
    return read.nested
