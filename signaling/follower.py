"""One reader of some topics of the log, from its positions on and for as long as it likes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import structlog

from signaling.entry import Entry

log = structlog.get_logger("hubbub.log")

OnEntry = Callable[[Entry], None]
# Per topic whether it goes on without a hole; per store (epoch) the seq behind which the reader starts.
OnOpen = Callable[[Mapping[str, bool], Mapping[bytes, int]], None]
OnGap = Callable[[str], None]
Ready = Callable[[], Awaitable[None]]


class Follower:
    """What was told so far is in `seen` (epoch of a store -> seq). `close` ends it at once."""

    def __init__(
        self, topics: Mapping[str, bytes], on_entry: OnEntry, on_close: Callable[[Follower], None]
    ) -> None:
        """`topics` maps each topic to the epoch of its store."""
        self.topics = topics
        self.seen: dict[bytes, int] = {}
        """Positions of the stores that are followed live; the others are being caught up with."""
        self.closed = False
        self._on_entry = on_entry
        self._on_close = on_close

    def offer(self, entry: Entry) -> None:
        """A new entry of one of its topics. While it catches up it will meet the entry in the store."""
        seen = self.seen.get(entry.epoch)
        if seen is None or entry.seq <= seen:
            return
        self.seen[entry.epoch] = entry.seq
        self.tell(entry)

    def tell(self, entry: Entry) -> None:
        """Hand an entry to the reader. One that fails at it must not keep it from the readers behind."""
        if self.closed:
            return
        try:
            self._on_entry(entry)
        except Exception:
            log.exception("follower_failed", type=entry.type)

    def close(self) -> None:
        """No callback is called after this."""
        if not self.closed:
            self.closed = True
            self.seen.clear()
            self._on_close(self)
