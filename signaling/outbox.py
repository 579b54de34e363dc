"""What one reader has still to be told. Bounded in bytes; a reader that is too slow is closed with 4508.

The outbox decides, its door (WebSocket or data channel) writes. No frame is encoded twice: a broadcast pushes
one Frame to all.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from signaling.errors import CloseCode

MAX_OUTBOX_BYTES = 1024 * 1024


class Frame:
    """One encoded message. `wire` is for the door: the same bytes in its own framing, made at first use."""

    __slots__ = ("payload", "wire")

    def __init__(self, payload: bytes) -> None:
        self.payload = payload
        self.wire: bytes | None = None


def frame(fields: Mapping[str, Any]) -> Frame:
    return Frame(msgspec.json.encode(fields))


@dataclass(frozen=True, slots=True)
class Closing:
    code: CloseCode
    reason: str


class Door(Protocol):
    """Who writes what an outbox holds."""

    def wake(self) -> None:
        """There is something to take: do so before the loop turn ends, together with what it still brings."""

    def flush(self) -> None:
        """Take now what the reader's transport accepts."""


class Outbox:
    """Frames in order, then at most one Closing. After that nothing more is taken in."""

    def __init__(self, door: Door, limit: int = MAX_OUTBOX_BYTES) -> None:
        self._door = door
        self._limit = limit
        self._frames: deque[Frame] = deque()
        self._held: list[Frame] | None = None
        self.size = 0
        """Bytes of payload that are waiting."""
        self.closing: Closing | None = None

    def push(self, frame: Frame) -> None:
        """Queue a frame. Before a reader is given up its door may once more write what came before."""
        if self.closing is not None:
            return
        if self._full_for(frame):
            self._door.flush()
            if self._full_for(frame):
                self._give_up()
                return
        self.size += len(frame.payload)
        if self._held is not None:
            self._held.append(frame)
            return
        self._frames.append(frame)
        if len(self._frames) == 1:
            self._door.wake()

    def hold(self) -> None:
        """Keep back what is pushed from now on, until `release`: a join's reply precedes its events."""
        self._held = []

    def release(self, first: Frame) -> None:
        """Queue `first`, then what was held."""
        held, self._held = self._held or [], None
        if self.closing is None:
            self._frames.extend((first, *held))
            self.size += len(first.payload)
            self._door.wake()

    def unhold(self) -> None:
        """Give up holding: what was held is queued, if anything was."""
        held, self._held = self._held or [], None
        if held and self.closing is None:
            self._frames.extend(held)
            self._door.wake()

    def close(self, code: CloseCode, reason: str) -> None:
        """Close behind the frames that are queued. The first reason stands."""
        if self.closing is None:
            self.closing = Closing(code, reason)
            self._door.wake()

    def take(self) -> list[Frame]:
        """Everything that waits, in order; the door's to write."""
        taken, self._frames = list(self._frames), deque()
        self.size = sum(len(frame.payload) for frame in self._held or ())
        return taken

    def peek(self) -> Frame | None:
        """The next frame, for doors that may be refused it; `drop_first` when it was written."""
        return self._frames[0] if self._frames else None

    def drop_first(self) -> None:
        self.size -= len(self._frames.popleft().payload)

    def _full_for(self, frame: Frame) -> bool:
        """A frame that is larger than the limit by itself may still go to a reader that waits for it."""
        return self.size > 0 and self.size + len(frame.payload) > self._limit

    def _give_up(self) -> None:
        self._frames = deque()
        self._held = None
        self.size = 0
        self.close(CloseCode.TOO_SLOW, f"more than {self._limit} bytes were waiting to be read")
