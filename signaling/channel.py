"""A topic that somebody follows: its newest entries, and who is told of the next one."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from signaling.entry import Entry
    from signaling.follower import Follower

# What readers that come back after a short break get without a look at the disk. One reader's absence of a
# minute in a busy room.
TAIL_ENTRIES = 256
TAIL_BYTES = 256 * 1024


class Channel:
    """`since` is the seq behind which `tail` lacks no entry of the topic."""

    def __init__(self, published: int, kept: int) -> None:
        """`published` is the seq of the store's newest visible entry, `kept` how many the topic may show."""
        self.since = published
        self.followers: dict[Follower, None] = {}
        self._tail: deque[Entry] = deque()
        self._size = 0
        self._limit = min(TAIL_ENTRIES, kept)

    def publish(self, entry: Entry) -> None:
        self._tail.append(entry)
        self._size += entry.size
        while len(self._tail) > self._limit or (self._size > TAIL_BYTES and len(self._tail) > 1):
            self._drop()
        # A copy: who is told may close, or be the last to.
        for follower in tuple(self.followers):
            follower.offer(entry)

    def correct(self, entry: Entry) -> None:
        """Another entry changed this one after it was told: whoever comes now gets it as it is now."""
        for place, kept in enumerate(self._tail):
            if kept.seq == entry.seq:
                self._size += entry.size - kept.size
                self._tail[place] = entry

    def tail(self, position: int, oldest_ms: int) -> Iterable[Entry] | None:
        """Entries behind the seq `position`, or None where only the store can tell.

        Entries from before `oldest_ms` are not shown any more.
        """
        while self._tail and self._tail[0].at_ms < oldest_ms:
            self._drop()
        if position < self.since:
            return None
        return _behind(self._tail, position)

    def _drop(self) -> None:
        dropped = self._tail.popleft()
        self._size -= dropped.size
        self.since = dropped.seq


def _behind(tail: deque[Entry], position: int) -> Iterator[Entry]:
    behind: list[Entry] = []
    for entry in reversed(tail):
        if entry.seq <= position:
            break
        behind.append(entry)
    return reversed(behind)
