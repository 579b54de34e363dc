"""What participants say of themselves: state, not log. The latest wins, at most 20 times a second each.

Clock-free: who owns it calls `tick` at `deadline()`.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Any

from signaling.effects import Reply, Steps
from signaling.messages import PresenceSet, Request

if TYPE_CHECKING:
    from signaling.session import Handler, Session

State = dict[str, Any]
# Seconds between two states of one participant that are told: 20 a second (design.md section 4).
PACE_SECONDS = 0.05
CLEARED: State = {}
# Times of states that were replaced meanwhile: kept until they come up, unless they are more than this.
OUTDATED_TIMES = 64


class _Pace:
    """One participant's states, told and to be told. Times are Unix seconds."""

    __slots__ = ("clears_at", "due_at", "told_at", "waiting")

    def __init__(self) -> None:
        self.told_at = float("-inf")
        self.waiting: State | None = None
        """Replaces what was told, at `due_at`; whatever comes before that replaces it in turn."""
        self.due_at: float | None = None
        self.clears_at: float | None = None

    @property
    def next_at(self) -> float | None:
        return min((at for at in (self.due_at, self.clears_at) if at is not None), default=None)


class Presence:
    """The states of a room's participants, by participant id."""

    def __init__(self) -> None:
        self._paces: dict[str, _Pace] = {}
        # (time, participant); outdated ones are skipped when met.
        self._times: list[tuple[float, str]] = []

    def set(self, participant: str, state: State, now: float, ttl_ms: int | None = None) -> State | None:
        """Replace a state, for `ttl_ms` if given. Answers what to tell now; None when it will be told later."""
        pace = self._paces.setdefault(participant, _Pace())
        pace.clears_at = None if ttl_ms is None else now + ttl_ms / 1000
        told = self._offer(pace, state, now)
        self._schedule(participant, pace)
        return told

    def forget(self, participant: str) -> None:
        """The participant has left."""
        self._paces.pop(participant, None)

    def deadline(self) -> float | None:
        """Unix seconds of the next `tick` that is of use."""
        while self._times:
            at, participant = self._times[0]
            pace = self._paces.get(participant)
            if pace is not None and pace.next_at is not None and pace.next_at <= at:
                return at
            heapq.heappop(self._times)
        return None

    def tick(self, now: float) -> list[tuple[str, State]]:
        """What is to be told now, as (participant, state)."""
        told = []
        while (at := self.deadline()) is not None and at <= now:
            _, participant = heapq.heappop(self._times)
            pace = self._paces[participant]
            if (state := self._due(pace, now)) is not None:
                told.append((participant, state))
            self._schedule(participant, pace)
        return told

    def _offer(self, pace: _Pace, state: State, now: float) -> State | None:
        if pace.due_at is None and now >= pace.told_at + PACE_SECONDS:
            pace.told_at = now
            return state
        pace.waiting = state
        # A wall clock that stepped back must not make anybody wait for more than one step of the pace.
        pace.due_at = (
            min(pace.told_at + PACE_SECONDS, now + PACE_SECONDS) if pace.due_at is None else pace.due_at
        )
        return None

    def _due(self, pace: _Pace, now: float) -> State | None:
        state = None
        if pace.due_at is not None and pace.due_at <= now:
            state, pace.waiting, pace.due_at, pace.told_at = pace.waiting, None, None, now
        if pace.clears_at is not None and pace.clears_at <= now:
            pace.clears_at = None
            # A state that was due in the same moment has ended with it.
            return self._offer(pace, CLEARED, now) if state is None else CLEARED
        return state

    def _schedule(self, participant: str, pace: _Pace) -> None:
        if (at := pace.next_at) is not None:
            heapq.heappush(self._times, (at, participant))
        if len(self._times) > OUTDATED_TIMES + 2 * len(self._paces):
            self._times = [
                (at, name) for name, pace in self._paces.items() if (at := pace.next_at) is not None
            ]
            heapq.heapify(self._times)


def presence_set(session: Session, request: PresenceSet) -> Steps[Reply]:
    session.room.set_presence(session.participant, request.state, session.now, request.ttl_ms)
    return {}
    yield  # a generator, as every handler


handlers: dict[type[Request], Handler] = {PresenceSet: presence_set}
