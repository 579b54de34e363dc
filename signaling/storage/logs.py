"""What a store of logs offers; memory, SQLite and Redis each in a file of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from signaling.entry import Draft, Entry, Page, Stored

# How a position before everything that is kept is written: whoever starts there misses nothing.
EARLIEST = -1
# What one read answers at most. A reader that is catching up holds no more than this at a time.
PAGE_ENTRIES = 256
PAGE_BYTES = 256 * 1024

Appended = Callable[[Stored | None, Exception | None], None]
Visible = Callable[[Entry], bool]


class LogStore(Protocol):
    """Numbers and keeps entries. Everything that it says was stored is stored."""

    epoch: bytes
    """Random, made with the store: cursors of another one are foreign."""

    async def start(self) -> int:
        """Seq of the newest entry that was ever stored, 0 before the first."""

    def append(self, draft: Draft, done: Appended) -> None:
        """Order of calls is order of seqs. `done` is called on the loop, in that order, once it is stored
        or was refused. Raises HubbubError unavailable when nothing more is taken in."""

    async def read(self, after: Mapping[str, int], now_ms: int, limit: int = PAGE_ENTRIES) -> Page:
        """Entries of those topics behind the position of each (a seq, or EARLIEST)."""

    async def scan(self, prefix: str, after: int, limit: int = PAGE_ENTRIES) -> Page:
        """Entries of all topics that begin with `prefix`; its gaps are not told."""

    async def history(
        self, topic: str, before: int | None, limit: int, visible: Visible, now_ms: int
    ) -> tuple[list[Entry], bool]:
        """The newest `limit` visible entries before offset `before`, oldest first; whether there are more."""

    async def known(self, topic: str, sender: str, key: str, now_ms: int) -> Entry | None:
        """What an append with that key would answer instead of storing."""

    async def marks(self) -> list[tuple[str, str]]:
        """(topic, name) of every mark that is open."""

    async def trim(self, now_ms: int) -> None:
        """Delete what is not shown any more."""


def cut(entries: Iterator[Entry], limit: int) -> list[Entry]:
    """At least one entry where there is one; no more than a page."""
    taken: list[Entry] = []
    size = 0
    for entry in entries:
        taken.append(entry)
        size += entry.size
        if len(taken) >= limit or size >= PAGE_BYTES:
            break
    return taken
