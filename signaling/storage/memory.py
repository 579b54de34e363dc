"""Logs that end with the process: for topics that say so, and for servers without a disk."""

from __future__ import annotations

import heapq
import secrets
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping
from itertools import islice

import msgspec

from signaling.cursors import EPOCH_BYTES
from signaling.entry import Draft, Entry, Page, Stored
from signaling.errors import HubbubError
from signaling.retention import IDLE_TOPIC_MS, KEY_AGE_MS, KEY_ENTRIES, Retentions
from signaling.storage.logs import EARLIEST, PAGE_ENTRIES, Appended, Visible, cut


class Topic:
    """One topic's kept entries, oldest first."""

    def __init__(self, trimmed: int) -> None:
        self.entries: deque[Entry] = deque()
        self.next = 0
        """Offset of the entry to come."""
        self.last_ms = 0
        self.trimmed = trimmed
        """Seq of the newest entry that was deleted."""
        self.keys: OrderedDict[tuple[str, str], Entry] = OrderedDict()
        self.marks: dict[str, None] = {}

    def place(self, offset: int) -> int:
        return offset - (self.next - len(self.entries))

    def find(self, offset: int) -> Entry | None:
        place = self.place(offset)
        return self.entries[place] if 0 <= place < len(self.entries) else None

    def trim(self, limit: int, oldest_ms: int) -> None:
        while self.entries and (len(self.entries) > limit or self.entries[0].at_ms < oldest_ms):
            self.trimmed = self.entries.popleft().seq

    def trim_keys(self, oldest_ms: int) -> None:
        while self.keys:
            first = next(iter(self.keys.values()))
            if first.at_ms >= oldest_ms and first.offset >= self.next - KEY_ENTRIES:
                return
            self.keys.popitem(last=False)


class MemoryStore:
    """A LogStore. Topics that are empty and idle are forgotten by `trim`."""

    def __init__(self, retentions: Retentions) -> None:
        self.epoch = secrets.token_bytes(EPOCH_BYTES)
        self._retentions = retentions
        self._topics: dict[str, Topic] = {}
        self._last = 0
        # Seq of the newest deleted entry of the topics that are forgotten.
        self._forgotten = 0

    async def start(self) -> int:
        return self._last

    def append(self, draft: Draft, done: Appended) -> None:
        topic = self._topics.get(draft.topic)
        if topic is None:
            topic = self._topics[draft.topic] = Topic(self._forgotten)
        known = topic.keys.get((draft.sender, draft.key)) if draft.key is not None else None
        if known is not None and known.at_ms >= draft.at_ms - KEY_AGE_MS:
            return done(Stored(known, fresh=False), None)
        try:
            stored = self._add(topic, draft)
        except HubbubError as refusal:
            return done(None, refusal)
        return done(stored, None)

    def _add(self, topic: Topic, draft: Draft) -> Stored:
        data, to, changed = revised(draft, topic.find, topic.next)
        self._last += 1
        # Never backwards in one topic, so that the old ones are always at its beginning.
        topic.last_ms = max(topic.last_ms, draft.at_ms)
        entry = Entry(
            draft.topic,
            topic.next,
            topic.last_ms,
            draft.type,
            msgspec.Raw(data),
            to,
            self.epoch,
            self._last,
        )
        topic.next += 1
        topic.entries.append(entry)
        if draft.key is not None:
            topic.keys[draft.sender, draft.key] = entry
            topic.keys.move_to_end((draft.sender, draft.key))
        if draft.mark is not None and draft.mark.open:
            topic.marks[draft.mark.name] = None
        elif draft.mark is not None:
            topic.marks.pop(draft.mark.name, None)
        for correction in changed:
            topic.entries[topic.place(correction.offset)] = correction
        self._trim(draft.topic, topic, draft.at_ms)
        return Stored(entry, fresh=True, changed=changed)

    async def read(self, after: Mapping[str, int], now_ms: int, limit: int = PAGE_ENTRIES) -> Page:
        gaps: set[str] = set()
        runs: list[Iterator[Entry]] = []
        for name, position in after.items():
            topic = self._topics.get(name)
            trimmed = self._forgotten
            if topic is not None:
                self._trim(name, topic, now_ms)
                trimmed = topic.trimmed
                runs.append(_behind(topic, position))
            if position != EARLIEST and trimmed > position:
                gaps.add(name)
        return self._page(heapq.merge(*runs, key=_seq), limit, frozenset(gaps))

    async def scan(self, prefix: str, after: int, limit: int = PAGE_ENTRIES) -> Page:
        runs = [_behind(topic, after) for name, topic in self._topics.items() if name.startswith(prefix)]
        return self._page(heapq.merge(*runs, key=_seq), limit, frozenset())

    def _page(self, entries: Iterator[Entry], limit: int, gaps: frozenset[str]) -> Page:
        taken = cut(entries, limit)
        complete = next(entries, None) is None
        return Page(taken, gaps, self._last if complete else taken[-1].seq, complete)

    async def history(
        self, topic: str, before: int | None, limit: int, visible: Visible, now_ms: int
    ) -> tuple[list[Entry], bool]:
        kept = self._topics.get(topic)
        if kept is None:
            return [], False
        self._trim(topic, kept, now_ms)
        backwards = (
            e for e in reversed(kept.entries) if (before is None or e.offset < before) and visible(e)
        )
        found = list(islice(backwards, limit + 1))
        return found[limit - 1 :: -1] if len(found) > limit else found[::-1], len(found) > limit

    async def known(self, topic: str, sender: str, key: str, now_ms: int) -> Entry | None:
        kept = self._topics.get(topic)
        entry = None if kept is None else kept.keys.get((sender, key))
        return None if entry is None or entry.at_ms < now_ms - KEY_AGE_MS else entry

    async def marks(self) -> list[tuple[str, str]]:
        return [(name, mark) for name, topic in self._topics.items() for mark in topic.marks]

    async def trim(self, now_ms: int) -> None:
        for name, topic in list(self._topics.items()):
            self._trim(name, topic, now_ms)
            topic.trim_keys(now_ms - KEY_AGE_MS)
            if not topic.entries and not topic.marks and topic.last_ms < now_ms - IDLE_TOPIC_MS:
                self._forgotten = max(self._forgotten, topic.trimmed)
                del self._topics[name]

    def _trim(self, name: str, topic: Topic, now_ms: int) -> None:
        topic.trim(self._retentions.of(name).entries, self._retentions.oldest_ms(name, now_ms))


def revised(
    draft: Draft, find: Callable[[int], Entry | None], offset: int
) -> tuple[bytes, tuple[str, ...] | None, tuple[Entry, ...]]:
    """(data, to, corrected entries) of a draft that is about to get `offset`. Raises what it is refused by."""
    if draft.revise is None:
        return draft.data, draft.to, ()
    revision = draft.revise(find, offset)
    changed = []
    for number, data in revision.changed.items():
        before = find(number)
        assert before is not None, "a revision corrects what it has read"
        changed.append(msgspec.structs.replace(before, data=msgspec.Raw(msgspec.json.encode(data))))
    return msgspec.json.encode(revision.data), revision.to, tuple(changed)


def _seq(entry: Entry) -> int:
    return entry.seq


def _behind(topic: Topic, position: int) -> Iterator[Entry]:
    """Searched from the end: readers are rarely far behind."""
    skip = len(topic.entries)
    for entry in reversed(topic.entries):
        if entry.seq <= position:
            break
        skip -= 1
    # A copy: what is appended while the page is made must not disturb the iteration.
    return iter(list(islice(topic.entries, skip, None)))
