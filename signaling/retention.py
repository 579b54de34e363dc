"""How much of which topic is kept, and where."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

import msgspec

from signaling.tokens import matches

DAY_MS = 24 * 3600 * 1000


class Retention(msgspec.Struct, frozen=True):
    """For the topics that `pattern` matches: exact, or ending in `*`.

    At most `entries` entries, none older than `age_ms`. `memory` topics are lost when the server ends.
    """

    pattern: str
    entries: int = 1_000
    age_ms: int = DAY_MS
    storage: Literal["disk", "memory"] = "disk"

    def __post_init__(self) -> None:
        if self.entries < 1 or self.age_ms < 1:
            raise ValueError(f"retention of {self.pattern}: entries and age_ms must be at least 1")


# Up to where an identity has read a room's chat: only the newest counts, for as long as tokens live.
READ_POSITIONS = Retention("read:*", entries=1, age_ms=30 * DAY_MS)


# Token streams end by themselves (signaling/streams.py); no entry may leave before its stream.
TOKEN_STREAMS = Retention("stream:*", entries=1_000_000, age_ms=2 * DAY_MS)


class Retentions:
    """The first pattern that matches a topic decides; `default` where none does."""

    def __init__(self, rules: Sequence[Retention] = (), default: Retention | None = None) -> None:
        self.rules = (READ_POSITIONS, *rules, TOKEN_STREAMS, default or Retention("*"))
        self.of = lru_cache(maxsize=4096)(self._of)

    def _of(self, topic: str) -> Retention:
        return next((rule for rule in self.rules if matches(rule.pattern, topic)), self.rules[-1])

    def oldest_ms(self, topic: str, now_ms: int) -> int:
        """Entries from before this time are not shown any more, deleted or not."""
        return now_ms - self.of(topic).age_ms


# How long the answer to an idempotency key is remembered: longer than any client retries.
KEY_AGE_MS = DAY_MS
# Keys that are remembered per topic, in entries since: what bounds them where somebody appends all day.
KEY_ENTRIES = 100_000
# A topic without entries that nobody appended to for so long is forgotten; no token lives longer.
IDLE_TOPIC_MS = 30 * DAY_MS
