"""Keeps a room's events in one order although some of them wait for the disk.

Logged events are told when they are stored. An event that is not logged takes no such way, so it must not
overtake the logged ones that were decided before it: a slot must not name a track that nobody was told of.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

# Unlogged events that may wait for one slow write; beyond it those that only describe a moment are dropped.
MAX_WAITING = 1000


class Ordering:
    """Tickets are taken for logged events; everything else passes when no older ticket is open."""

    def __init__(self) -> None:
        self._last = 0
        self._open: dict[int, None] = {}
        self._waiting: deque[tuple[int, Callable[[], None]]] = deque()

    @property
    def idle(self) -> bool:
        return not self._open

    def ticket(self) -> int:
        """The place of a logged event. It must be settled, however its write ends."""
        self._last += 1
        self._open[self._last] = None
        return self._last

    def settle(self, ticket: int) -> None:
        """Called after the logged event was told; lets pass what waited for it."""
        del self._open[ticket]
        oldest = next(iter(self._open), self._last + 1)
        while self._waiting and self._waiting[0][0] < oldest:
            _, tell = self._waiting.popleft()
            tell()

    def after(self, tell: Callable[[], None], *, fleeting: bool = False) -> None:
        """Call `tell` now, or behind the logged events that are on their way.

        A `fleeting` event (levels, quality) is dropped when too many wait.
        """
        if self.idle:
            tell()
        elif not fleeting or len(self._waiting) < MAX_WAITING:
            self._waiting.append((self._last, tell))
