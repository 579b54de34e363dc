"""The log: every topic's events, numbered, kept for a while, read from any point on.

Reading from a cursor and following is one operation. Three rules make it exact under any interleaving:

1. A store numbers its entries in commit order, and they are published here, on the loop, in that order.
2. A follower is told entries in that order, each once: whatever is not above what it has seen is skipped.
3. It goes live in the same loop step in which it has seen everything that was published. Until then it reads
   pages of the store, or the tail that a followed topic keeps in memory.

What was deleted before a reader came to it is told as a gap, never passed over.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

import msgspec

from signaling.attendance import mark_of
from signaling.channel import Channel
from signaling.cursors import Cursor, cursor_of, tag_of
from signaling.entry import Draft, Entry, Mark, Page, Revise, Stored
from signaling.errors import HubbubError, bad_request, unavailable
from signaling.follower import Follower, OnEntry, OnGap, OnOpen, Ready
from signaling.retention import Retentions
from signaling.storage.database import Database
from signaling.storage.logs import EARLIEST, LogStore
from signaling.storage.memory import MemoryStore
from signaling.storage.sqlite import SqliteStore

__all__ = ["FROM_EARLIEST", "Entry", "EventLog", "Follower"]

# Where a follower may start instead of a cursor.
FROM_EARLIEST = "earliest"
# Seconds between deletions of what is not shown any more: history takes that much more room than it has to.
TRIM_SECONDS = 300.0


class Shelf:
    """A store with what of it is visible."""

    def __init__(self, store: LogStore) -> None:
        self.store = store
        self.published = 0
        """Seq of the newest entry that followers were told of."""
        self.channels: dict[str, Channel] = {}


class EventLog:
    """`start` before anything else. `clock` answers Unix seconds. Without a database all is in memory."""

    def __init__(
        self,
        database: Database | None = None,
        *,
        clock: Callable[[], float] = time.time,
        retentions: Retentions | None = None,
    ) -> None:
        self._clock = clock
        self.retentions = retentions or Retentions()
        self._memory = Shelf(MemoryStore(self.retentions))
        self._disk = self._memory
        if database is not None:
            self._disk = Shelf(SqliteStore(database, self.retentions))
        self._watchers: list[OnEntry] = []
        self._trimming: asyncio.Task[None] | None = None

    async def start(self) -> None:
        for shelf in self._shelves():
            shelf.published = await shelf.store.start()
        self._trimming = asyncio.create_task(self._trim())

    async def close(self) -> None:
        if self._trimming is not None:
            self._trimming.cancel()
            with suppress(asyncio.CancelledError):
                await self._trimming

    # -- writing

    async def append(
        self,
        topic: str,
        type: str,
        data: Any,
        *,
        key: str | None = None,
        sender: str | None = None,
        to: tuple[str, ...] | None = None,
        revise: Revise | None = None,
        mark: Mark | None = None,
    ) -> Entry:
        """Store an event; answers it when it is stored and every follower was told.

        The order of calls is the order of offsets. The same `key` of the same `sender` answers the first
        entry's place again. With `revise` it corrects earlier entries, and gets `data` and `to` from there.
        With `mark` it begins or ends something; events of rooms do so by themselves.
        Raises HubbubError unavailable when it could not be stored, bad_request when `data` cannot be read,
        and what `revise` refuses it with.
        """
        draft = Draft(
            topic,
            type,
            _readable(msgspec.json.encode(data)),
            self.now_ms(),
            to,
            key,
            sender or "",
            mark or mark_of(topic, type, data),
            revise,
        )
        shelf = self._shelf(topic)
        stored: asyncio.Future[Entry] = asyncio.get_running_loop().create_future()

        def done(result: Stored | None, failure: Exception | None) -> None:
            if result is not None and result.fresh:
                self._publish(shelf, result)
            if stored.done():
                return
            if result is not None:
                stored.set_result(result.entry)
            else:
                stored.set_exception(failure or unavailable("the event could not be stored"))

        shelf.store.append(draft, done)
        return await stored

    def _publish(self, shelf: Shelf, stored: Stored) -> None:
        entry = stored.entry
        shelf.published = entry.seq
        channel = shelf.channels.get(entry.topic)
        if channel is not None:
            for corrected in stored.changed:
                channel.correct(corrected)
            channel.publish(entry)
        for watch in self._watchers:
            watch(entry)

    # -- reading

    async def cursor(self, topic: str) -> str:
        """The cursor behind everything that was published."""
        shelf = self._shelf(topic)
        return cursor_of(topic, shelf.store.epoch, shelf.published)

    async def history(
        self,
        topic: str,
        before: int | None = None,
        limit: int = 200,
        types: frozenset[str] | None = None,
        viewer: frozenset[str] | None = None,
    ) -> tuple[list[Entry], bool]:
        """The newest `limit` entries before offset `before`, oldest first, and whether there are more.

        Only of `types`, and only what one of the names in `viewer` may see, where these are given.
        """

        def visible(entry: Entry) -> bool:
            return (types is None or entry.type in types) and (
                viewer is None or entry.to is None or not viewer.isdisjoint(entry.to)
            )

        return await self._shelf(topic).store.history(topic, before, limit, visible, self.now_ms())

    async def known(self, topic: str, sender: str, key: str) -> Entry | None:
        """The entry that an append with this key would answer with, instead of storing another one."""
        return await self._shelf(topic).store.known(topic, sender, key, self.now_ms())

    async def between(self, topic: str, since: str, until: int) -> list[Entry] | None:
        """Entries behind the cursor `since` up to and including offset `until`.

        None when these cannot be had without a hole: the cursor is garbage, another topic's, or too old.
        """
        shelf = self._shelf(topic)
        cursor = Cursor.parse(since)
        if cursor is None or cursor.tag != tag_of(topic):
            return None
        position = cursor.positions.get(shelf.store.epoch)
        if position is None or position > shelf.published:
            return None
        found: list[Entry] = []
        while True:
            page = await self._page(shelf, {topic: position})
            if page.gaps:
                return None
            found += (entry for entry in page.entries if entry.offset <= until)
            if page.complete or (page.entries and page.entries[-1].offset >= until):
                return found
            position = page.upto

    async def follow(
        self,
        topics: Mapping[str, str | None],
        on_entry: OnEntry,
        *,
        on_open: OnOpen | None = None,
        on_gap: OnGap | None = None,
        ready: Ready | None = None,
    ) -> Follower:
        """Tell `on_entry` every entry of `topics` behind where each starts, and then every new one.

        A start is a cursor, FROM_EARLIEST, or None for what is new from now on. Answers when the follower is
        live. `on_open` is told first, per topic, whether it goes on without a hole; then `on_gap` for each
        that does not, before what is kept of it. `ready` is awaited after every page of old entries: that is
        where a reader holds back what it cannot take yet.
        """
        starts = {topic: self._start(topic, since) for topic, since in topics.items()}
        epochs = {topic: self._shelf(topic).store.epoch for topic in topics}
        follower = Follower(epochs, on_entry, self._unfollow)
        for topic in topics:
            self._channel(topic).followers[follower] = None
        try:
            await _CatchUp(self, follower, starts, on_open, on_gap, ready).run()
        except BaseException:
            follower.close()
            raise
        return follower

    def watch(self, on_entry: OnEntry) -> Callable[[], None]:
        """Tell `on_entry` of every entry of every topic from now on; answers how to stop that, any number of times."""

        def unwatch() -> None:
            if on_entry in self._watchers:
                self._watchers.remove(on_entry)

        self._watchers.append(on_entry)
        return unwatch

    async def scan(self, prefix: str, cursor: str | None) -> tuple[list[Entry], str, bool]:
        """A page of entries of all disk topics that begin with `prefix`, behind `cursor` (None: from now on).

        Answers (entries, the cursor behind them, whether that was all). Holes are not told: whoever reads
        this way keeps up, or says by itself what it gave up.
        """
        shelf = self._disk
        parsed = Cursor.parse(cursor) if cursor is not None else None
        position = parsed.positions.get(shelf.store.epoch) if parsed is not None else shelf.published
        page = await shelf.store.scan(prefix, EARLIEST if position is None else position)
        return page.entries, cursor_of(prefix, shelf.store.epoch, page.upto), page.complete

    async def marks(self) -> list[tuple[str, str]]:
        """(topic, name) of what entries began and none has ended (signaling/attendance.py)."""
        return [mark for shelf in self._shelves() for mark in await shelf.store.marks()]

    # -- inside

    def now_ms(self) -> int:
        return int(self._clock() * 1000)

    def _shelves(self) -> Iterable[Shelf]:
        return dict.fromkeys((self._disk, self._memory))

    def _shelf(self, topic: str) -> Shelf:
        return self._memory if self.retentions.of(topic).storage == "memory" else self._disk

    def _channel(self, topic: str) -> Channel:
        shelf = self._shelf(topic)
        channel = shelf.channels.get(topic)
        if channel is None:
            channel = Channel(shelf.published, self.retentions.of(topic).entries)
            shelf.channels[topic] = channel
        return channel

    def _unfollow(self, follower: Follower) -> None:
        for topic in follower.topics:
            channels = self._shelf(topic).channels
            channel = channels[topic]
            channel.followers.pop(follower, None)
            if not channel.followers:
                del channels[topic]

    def _start(self, topic: str, since: str | None) -> tuple[int, bool]:
        """(seq to start behind, whether that has no hole before the store is asked)."""
        shelf = self._shelf(topic)
        if since is None:
            return shelf.published, True
        if since == FROM_EARLIEST:
            return EARLIEST, True
        cursor = Cursor.parse(since)
        position = None if cursor is None else cursor.positions.get(shelf.store.epoch)
        if position is None or position > shelf.published:
            return EARLIEST, False
        return position, True

    async def _page(self, shelf: Shelf, after: Mapping[str, int]) -> Page:
        return self._tails(shelf, after) or await shelf.store.read(after, self.now_ms())

    def _tails(self, shelf: Shelf, after: Mapping[str, int]) -> Page | None:
        """What is behind those positions, where memory has all of it."""
        tails: list[Iterable[Entry]] = []
        for topic, position in after.items():
            channel = shelf.channels.get(topic)
            oldest_ms = self.retentions.oldest_ms(topic, self.now_ms())
            tail = None if channel is None else channel.tail(position, oldest_ms)
            if tail is None:
                return None
            tails.append(tail)
        entries = list(heapq.merge(*tails, key=lambda entry: entry.seq))
        return Page(entries, frozenset(), shelf.published, complete=True)

    async def _trim(self) -> None:
        while True:
            await asyncio.sleep(TRIM_SECONDS)
            for shelf in self._shelves():
                # Storage that fails is told to those who write; what is deleted late does no harm.
                with suppress(HubbubError):
                    await shelf.store.trim(self.now_ms())


def _readable(data: bytes) -> bytes:
    """JSON that was taken over from a client as it is, made fit for every reader.

    Line breaks have no place in `data:` lines; in JSON they are between tokens only, where nothing depends on
    them. What is no UTF-8, or a number beyond every reader's, is refused (HubbubError bad_request).
    """
    try:
        msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise bad_request(f"data is not JSON that can be read: {problem}") from problem
    return data.translate(None, b"\r\n")


class _CatchUp:
    """From a follower's starts to the moment when it is live in every store."""

    def __init__(
        self,
        log: EventLog,
        follower: Follower,
        starts: Mapping[str, tuple[int, bool]],
        on_open: OnOpen | None,
        on_gap: OnGap | None,
        ready: Ready | None,
    ) -> None:
        self._log = log
        self._follower = follower
        self._on_open = on_open
        self._on_gap = on_gap
        self._ready = ready
        self._lost = {topic for topic, (_, whole) in starts.items() if not whole}
        self._after: dict[Shelf, dict[str, int]] = {}
        for topic, (position, _) in starts.items():
            self._after.setdefault(log._shelf(topic), {})[topic] = position

    async def run(self) -> None:
        pages = {shelf: await self._read(shelf) for shelf in self._after}
        gaps = self._lost.union(*(page.gaps for page in pages.values() if page is not None))
        if self._on_open is not None:
            positions = {shelf.store.epoch: self._position(shelf, page) for shelf, page in pages.items()}
            self._on_open({topic: topic not in gaps for topic in self._follower.topics}, positions)
        self._tell_gaps(gaps)
        for shelf, page in pages.items():
            await self._pass(shelf, page)

    def _position(self, shelf: Shelf, page: Page | None) -> int:
        """Where the reader is before the first entry, as a seq: behind everything that it must not miss."""
        lowest = min(self._after[shelf].values())
        if lowest != EARLIEST:
            return lowest
        assert page is not None, "memory never holds the beginning of a store"
        return page.entries[0].seq - 1 if page.entries else page.upto

    async def _read(self, shelf: Shelf) -> Page | None:
        """A page from the store; None where memory has all that is to come."""
        after = self._after[shelf]
        if self._log._tails(shelf, after) is not None:
            return None
        return await shelf.store.read(after, self._log.now_ms())

    async def _pass(self, shelf: Shelf, page: Page | None) -> None:
        while page is not None and not self._follower.closed:
            self._replay(shelf, page)
            if self._ready is not None:
                await self._ready()
            page = await self._read(shelf)
            if page is not None:
                self._tell_gaps(page.gaps)
        # No await from here on: what is published next finds the follower live.
        last = self._log._tails(shelf, self._after[shelf])
        if last is None:
            return await self._pass(shelf, await self._read(shelf))
        self._replay(shelf, last)
        if not self._follower.closed:
            self._follower.seen[shelf.store.epoch] = max(shelf.published, *self._after[shelf].values())
        return None

    def _replay(self, shelf: Shelf, page: Page) -> None:
        for entry in page.entries:
            self._follower.tell(entry)
        after = self._after[shelf]
        for topic, position in after.items():
            after[topic] = max(position, page.upto)

    def _tell_gaps(self, topics: Iterable[str]) -> None:
        if self._on_gap is not None:
            for topic in sorted(topics):
                self._on_gap(topic)
