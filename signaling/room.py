"""A room: who is in it, what of it is told to whom, in which order.

What participants see is the fold of the room's events: it changes when an event is told, never before. Logged
events (joined, left, published, unpublished, chat, kept events) are told by `entry`, which the room's reader
of the log calls; the others go through `announce` and never overtake the logged ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from hmac import compare_digest
from typing import TYPE_CHECKING, Any

import msgspec

from signaling import effects
from signaling.effects import Append, Effect
from signaling.errors import CloseCode, HubbubError, conflict, unavailable
from signaling.ids import new_id, new_secret
from signaling.ordering import Ordering
from signaling.outbox import Frame, Outbox, frame
from signaling.participant import Arrival, Participant, TrackView, View
from signaling.presence import Presence
from signaling.tokens import Claims

if TYPE_CHECKING:
    from signaling.eventlog import Entry


class Room:
    """Clock-free: whoever hosts it calls `tick` at `deadline()`."""

    def __init__(self, name: str, cursor: str, capacity: int) -> None:
        self.name = name
        self.cursor = cursor
        """Cursor behind the last logged event that was told."""
        self.offset = -1
        """Offset of that event; -1 before the first."""
        self.capacity = capacity
        self.people: dict[str, Participant] = {}
        """Everybody admitted: joining, present or leaving."""
        self._lapsing: dict[str, Participant] = {}
        """Those whose doors are gone and who may still resume."""
        self.closed = False
        self.draining = False
        self.ordering = Ordering()
        self._presence = Presence()

    @property
    def topic(self) -> str:
        return f"room:{self.name}"

    @property
    def empty(self) -> bool:
        return not self.people and self.ordering.idle

    def present(self) -> Iterator[Participant]:
        return (person for person in self.people.values() if person.present)

    def find(self, participant_id: str) -> Participant | None:
        person = self.people.get(participant_id)
        return person if person is not None and person.present else None

    # -- coming and going

    def admit(
        self, claims: Claims, presence: dict[str, Any] | None = None, *, anchored: bool = False
    ) -> tuple[Participant, Append]:
        """A newcomer, and the event that makes it present once it is told.

        Raises HubbubError room_full, conflict, unavailable.
        """
        if self.closed:
            raise conflict("the room is being closed")
        if self.draining:
            raise unavailable("the server is draining: nobody new is let in", retry_after_ms=1000)
        if len(self.people) >= self.capacity:
            raise HubbubError("room_full", f"room has its limit of {self.capacity} participants")
        view = View(new_id("p"), claims.sub, claims.name, claims.meta, presence)
        person = Participant(view, claims, new_secret(), anchored=anchored)
        self.people[person.id] = person
        return person, Append(self.name, "participant.joined", {"participant": view.whole()})

    def dismiss(self, person: Participant) -> None:
        """Forget a newcomer whose joining could not be stored."""
        self.people.pop(person.id, None)

    def resume(self, session: str, claims: Claims, outbox: Outbox) -> Participant | None:
        """The participant that the secret `session` belongs to, reached through `outbox` from now on."""
        person = self.find(session.partition(".")[0])
        if person is None or person.leaving or person.identity != claims.sub:
            return None
        if not compare_digest(person.session.encode(), session.encode()):
            return None
        if person.socket is not None:
            person.socket.close(CloseCode.RESUMED_ELSEWHERE, "resumed by a newer connection")
        person.socket = outbox
        person.lapses_at = None
        self._lapsing.pop(person.id, None)
        self.arrive(person)
        return person

    def arrive(self, person: Participant) -> None:
        """Note the state of the room and where its events go on from, for the reply to a join."""
        others = [
            other.view.encoded() for other in self.people.values() if other.present and other is not person
        ]
        person.arrival = Arrival(self.cursor, self.offset, others)

    def lost(self, person: Participant, outbox: Outbox, now: float) -> None:
        """A door of the participant is gone."""
        person.detach(outbox, now)
        if person.lapses_at is not None and not person.leaving:
            self._lapsing[person.id] = person

    def remove(
        self, person: Participant, reason: str, code: CloseCode | None = None, message: str = ""
    ) -> list[Effect]:
        """End a participant: its doors (when a code is given), its media, then `participant.left`."""
        if person.leaving or person.id not in self.people:
            return []
        person.leaving = True
        self._lapsing.pop(person.id, None)
        if person.on_leaving is not None:
            person.on_leaving()
        if code is not None:
            person.close_doors(code, message or reason)
        left = Append(self.name, "participant.left", {"id": person.id, "reason": reason}, certain=True)
        return [effects.RemovePeer(self.name, person.id), left]

    def change(
        self, person: Participant, *, grants: frozenset[str], name: str | None, meta: dict[str, Any]
    ) -> list[Effect]:
        """New grants take effect at once; everybody is told when something changed."""
        if (person.grants, person.view.name, person.view.meta) == (grants, name, meta):
            return []
        person.grants = grants

        def rename(person: Participant) -> None:
            person.view.change(name=name, meta=meta)

        def updated(person: Participant) -> dict[str, Any]:
            whole = {**person.view.whole(), "grants": sorted(person.grants)}
            return {"type": "participant.updated", "participant": whole}

        self.announce(updated, person.id, change=rename)
        permissions = (person.may("publish"), person.may("subscribe"))
        return [effects.SetPermissions(self.name, person.id, *permissions)]

    def close(self, code: CloseCode, reason: str, event: dict[str, Any] | None = None) -> list[Effect]:
        """End everybody; `event` is told before the sockets close."""
        self.closed = True
        if event is not None:
            self.broadcast(frame(event))
        return [
            effect
            for person in list(self.people.values())
            for effect in self.remove(person, reason, code, reason)
        ]

    def deadline(self) -> float | None:
        """Unix seconds of the next `tick` that is of use."""
        times = [person.lapses_at or 0.0 for person in self._lapsing.values()]
        if (due := self._presence.deadline()) is not None:
            times.append(due)
        return min(times, default=None)

    def tick(self, now: float) -> list[Effect]:
        for participant, state in self._presence.tick(now):
            self._tell_presence(participant, state)
        lapsed = [person for person in self._lapsing.values() if (person.lapses_at or 0.0) <= now]
        return [effect for person in lapsed for effect in self.remove(person, "lost")]

    # -- what is told

    def entry(self, entry: Entry) -> None:
        """A logged event is stored: fold it, tell it."""
        self.cursor, self.offset = entry.cursor, entry.offset
        newcomer = self._fold(entry.type, msgspec.json.decode(entry.data))
        self.broadcast(frame_of(entry), entry.to)
        if newcomer is not None:
            newcomer.present = True
            self.arrive(newcomer)

    def unlogged(self, lost: Append) -> None:
        """A logged event that could not be stored. What it says has happened, so it is told all the same."""
        data = msgspec.json.decode(msgspec.json.encode(lost.data))
        self._fold(lost.type, data)
        self.broadcast(frame({"type": lost.type, **data}), lost.to)

    def announce(
        self,
        event: dict[str, Any] | Callable[[Participant], dict[str, Any]],
        about: str | None = None,
        *,
        to: Iterable[str] | None = None,
        change: Callable[[Participant], None] | None = None,
        fleeting: bool = False,
    ) -> None:
        """Tell an event that is not logged, in its order.

        It is dropped when the participant that it is `about` is gone by then. `change` alters that
        participant's view in the same moment; an `event` that is a function is asked after that.
        `to` are participant ids; None means everybody.
        """

        def tell() -> None:
            told = event
            if about is not None:
                person = self.find(about)
                if person is None or person.leaving:
                    return
                if change is not None:
                    change(person)
                if callable(told):
                    told = told(person)
            assert not callable(told), "only an event about somebody is a function of it"
            self.broadcast(frame(told), None if to is None else tuple(to))

        self.ordering.after(tell, fleeting=fleeting)

    def set_presence(
        self, person: Participant, state: dict[str, Any], now: float, ttl_ms: int | None = None
    ) -> None:
        """Told now, or a little later together with what comes until then (signaling/presence.py)."""
        told = self._presence.set(person.id, state, now, ttl_ms)
        if told is not None:
            self._tell_presence(person.id, told)

    def _tell_presence(self, participant: str, state: dict[str, Any]) -> None:
        def keep(person: Participant) -> None:
            person.view.change(presence=state)

        event = {"type": "presence", "participant": participant, "state": state}
        self.announce(event, participant, change=keep)

    def broadcast(self, message: Frame, to: tuple[str, ...] | None = None) -> None:
        for person in self.people.values():
            if person.present and (to is None or person.seen_by(to)):
                person.tell(message)

    def _fold(self, kind: str, data: Any) -> Participant | None:
        """Apply a logged event to what people see; answers the newcomer of a `participant.joined`."""
        match kind:
            case "participant.joined":
                return self.people.get(data["participant"]["id"])
            case "participant.left":
                self._gone(data["id"])
            case "track.published" if person := self.people.get(data["participant"]):
                track = msgspec.convert(data["track"], TrackView)
                person.view.put_track(track)
            case "track.unpublished" if person := self.people.get(data["participant"]):
                person.view.drop_track(data["track"]["id"])
        return None

    def _gone(self, participant_id: str) -> None:
        person = self.people.pop(participant_id, None)
        self._presence.forget(participant_id)
        if person is not None:
            person.present = False


def event_of(entry: Entry) -> dict[str, Any]:
    """A logged event as clients get it, live and in `events` of a join."""
    stamp = {"offset": entry.offset, "at_ms": entry.at_ms}
    data = msgspec.json.decode(entry.data)
    if entry.type == "chat":
        return {"type": "chat", "message": {**stamp, **data}, "cursor": entry.cursor}
    fields = data if isinstance(data, dict) else {"data": data}
    return {**fields, "type": entry.type, **stamp, "cursor": entry.cursor}


def frame_of(entry: Entry) -> Frame:
    return frame(event_of(entry))
