"""The rooms of this node, and the one place where what they decide is done."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import structlog

from rtc.conference import (
    ChannelOpened,
    Conference,
    DataChannel,
    MediaEngine,
    MediaEvent,
    NoSuchSlot,
    NoSuchTrack,
    NotPermitted,
    OfferError,
    Peer,
    RtcError,
    TrackPublished,
)
from signaling import effects, media
from signaling.connections import Connection
from signaling.effects import Append, Effect, Steps
from signaling.errors import CloseCode, HubbubError, bad_request, conflict, forbidden, not_found, unavailable
from signaling.eventlog import Entry, EventLog, Follower
from signaling.outbox import Frame
from signaling.participant import Participant
from signaling.room import Room
from signaling.tokens import Claims

log = structlog.get_logger("hubbub.rooms")
R = TypeVar("R")


class Hosted:
    """A room with what it needs of the world."""

    def __init__(self, room: Room, follower: Follower) -> None:
        self.room = room
        self.follower = follower
        self.conference: Conference | None = None
        self.peers: dict[str, Peer] = {}
        self.watched: dict[str, str] = {}
        """Participant id to the identity that its slots are for."""
        self.timer: asyncio.TimerHandle | None = None


class Hosting:
    """`verify` and `ice_servers` answer for the server; `clock` answers Unix seconds."""

    def __init__(
        self,
        *,
        events: EventLog,
        engine: MediaEngine | None,
        capacity: int,
        clock: Callable[[], float],
        verify: Callable[[str], Claims],
        ice_servers: Callable[[str], list[dict[str, Any]]],
        on_channel: Callable[[Room, Participant, DataChannel], None],
    ) -> None:
        self._events = events
        self._engine = engine
        self._capacity = capacity
        self._clock = clock
        self._verify = verify
        self._ice_servers = ice_servers
        self._on_channel = on_channel
        self._draining = False
        self._hosted: dict[str, Hosted] = {}
        self._opening: dict[str, asyncio.Task[None]] = {}
        self._writes: set[asyncio.Task[Entry | None]] = set()

    # -- rooms

    def __len__(self) -> int:
        return len(self._hosted)

    @property
    def rooms(self) -> list[Room]:
        return [hosted.room for hosted in self._hosted.values()]

    def find(self, name: str) -> Room | None:
        hosted = self._hosted.get(name)
        return None if hosted is None else hosted.room

    def conference(self, name: str) -> Conference | None:
        hosted = self._hosted.get(name)
        return None if hosted is None else hosted.conference

    async def enter(self, name: str) -> Room:
        """The room of that name, opened when nobody is in it. Admit somebody before the next await."""
        while True:
            hosted = self._hosted.get(name)
            if hosted is not None and not hosted.room.closed:
                return hosted.room
            if hosted is not None:
                await asyncio.gather(*self._writes, return_exceptions=True)
                self.settle(hosted.room)
            elif name not in self._opening:
                self._opening[name] = asyncio.create_task(self._open(name))
            if name in self._opening:
                await asyncio.shield(self._opening[name])

    async def _open(self, name: str) -> None:
        try:
            topic = f"room:{name}"
            cursor = await self._events.cursor(topic)
            room = Room(name, cursor, self._capacity)
            room.draining = self._draining
            follower = await self._events.follow({topic: cursor}, room.entry)
            self._hosted[name] = Hosted(room, follower)
        finally:
            del self._opening[name]

    def settle(self, room: Room) -> None:
        """After anything happened to a room: drop it when it is empty, else wake it at its next deadline."""
        hosted = self._hosted.get(room.name)
        if hosted is None or hosted.room is not room:
            return
        if hosted.timer is not None:
            hosted.timer.cancel()
            hosted.timer = None
        if room.empty:
            self._drop(hosted)
        elif (deadline := room.deadline()) is not None:
            delay = max(0.0, deadline - self._clock())
            hosted.timer = asyncio.get_running_loop().call_later(delay, self._tick, room)

    def _drop(self, hosted: Hosted) -> None:
        del self._hosted[hosted.room.name]
        hosted.follower.close()
        if hosted.conference is not None:
            hosted.conference.close()

    def _tick(self, room: Room) -> None:
        self.act(room, room.tick(self._clock()))

    def drain(self, notice: Frame) -> None:
        """Let no newcomers in, and tell everybody."""
        self._draining = True
        for hosted in self._hosted.values():
            hosted.room.draining = True
            hosted.room.broadcast(notice)

    async def close(self) -> None:
        """End every room and wait until its last events are stored."""
        self._draining = True
        for room in self.rooms:
            self.act(room, room.close(CloseCode.DRAINING, "the server is going down"))
        while self._writes:
            await asyncio.wait(self._writes)

    # -- effects

    async def run(self, steps: Steps[R], connection: Connection | None = None) -> R:
        """Perform what `steps` yields until they return. Raises the HubbubError that they end with."""
        result: Any = None
        failure: HubbubError | None = None
        while True:
            try:
                effect = steps.send(result) if failure is None else steps.throw(failure)
            except StopIteration as done:
                answer: R = done.value
                return answer
            result, failure = None, None
            try:
                result = await self._perform(effect, connection)
            except HubbubError as error:
                failure = error

    def act(self, room: Room, several: Iterable[Effect]) -> None:
        """Perform what a room decided without being asked: nobody waits for a result."""
        for effect in several:
            if isinstance(effect, Append):
                self._write(effect)
            else:
                self._steer(effect)
        self.settle(room)

    async def _perform(self, effect: Effect, connection: Connection | None) -> Any:
        match effect:
            case Append():
                # A request that is given up must not take back what is being stored.
                return await asyncio.shield(self._write(effect))
            case effects.Enter(room):
                return await self.enter(room)
            case effects.Recover(room, since, until):
                return await self._events.between(f"room:{room}", since, until)
            case effects.History(room, before, limit, types, viewer):
                return await self._events.history(f"room:{room}", before, limit, types, viewer)
            case effects.Known(room, sender, key):
                return await self._events.known(f"room:{room}", sender, key)
            case effects.Remember(topic, kind, data):
                return await self._events.append(topic, kind, data)
            case effects.Recall(topic):
                entries, _ = await self._events.history(topic, limit=1)
                return entries[-1] if entries else None
            case effects.Verify(token):
                return self._verify(token)
            case effects.Renew(claims):
                return None if connection is None else connection.refresh(claims)
            case effects.IceServers(identity):
                return self._ice_servers(identity)
            case effects.Offer(room, peer, sdp, tracks):
                with refusals():
                    return await self.peer(room, peer).offer(sdp, tracks)
            case _:
                return self._steer(effect)

    def _write(self, effect: Append) -> asyncio.Task[Entry | None]:
        """Log an event. Tasks start in the order of their making, which is the order of the log."""
        room = self._hosted[effect.room].room
        task = asyncio.create_task(self._log(room, effect, room.ordering.ticket()))
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)
        return task

    async def _log(self, room: Room, effect: Append, ticket: int) -> Entry | None:
        try:
            return await self._events.append(
                room.topic,
                effect.type,
                effect.data,
                key=effect.key,
                sender=effect.sender,
                to=effect.to,
                revise=effect.revise,
            )
        except HubbubError as error:
            if not effect.certain:
                raise
            log.error("event_not_logged", type=effect.type, error=error.message)
            room.unlogged(effect)
            return None
        finally:
            room.ordering.settle(ticket)
            self.settle(room)

    # -- media

    def peer(self, room: str, participant: str) -> Peer:
        """The participant's media connection, made when it is first needed. Raises HubbubError conflict."""
        hosted = self._hosted[room]
        person = hosted.room.people.get(participant)
        if person is None or person.leaving:
            raise conflict("the participant has left the room")
        if participant not in hosted.peers:
            may_publish, may_subscribe = person.may("publish"), person.may("subscribe")
            hosted.peers[participant] = self._conference(hosted).add_peer(
                participant, may_publish=may_publish, may_subscribe=may_subscribe
            )
        return hosted.peers[participant]

    def _conference(self, hosted: Hosted) -> Conference:
        if self._engine is None:
            raise unavailable("this server forwards no media")
        if hosted.conference is None:
            hosted.conference = self._engine.conference(partial(self._told, hosted.room))
        return hosted.conference

    def _told(self, room: Room, event: MediaEvent) -> None:
        if isinstance(event, ChannelOpened):
            if (person := room.find(event.peer_id)) is not None:
                self._on_channel(room, person, event.channel)
            return
        hosted = self._hosted[room.name]
        if isinstance(event, TrackPublished) and hosted.watched:
            self._pin(hosted)
        self.act(room, media.told(room, event))

    def _steer(self, effect: Effect) -> None:
        """Effects on the conference that are done at once."""
        match effect:
            case effects.RemovePeer(room, peer):
                hosted = self._hosted[room]
                hosted.watched.pop(peer, None)
                if hosted.peers.pop(peer, None) is not None:
                    self._conference(hosted).remove_peer(peer)
            case effects.SetPermissions(room, peer, may_publish, may_subscribe):
                hosted = self._hosted[room]
                if peer in hosted.peers:
                    self._conference(hosted).set_permissions(
                        peer, may_publish=may_publish, may_subscribe=may_subscribe
                    )
            case effects.Mute(room, track, muted, owner):
                _mute(self._hosted[room].conference, track, muted, owner)
            case effects.Watch(room, peer, identity):
                self.peer(room, peer)
                hosted = self._hosted[room]
                hosted.watched[peer] = identity
                self._pin(hosted)
            case effects.Subscribe() | effects.Unsubscribe() | effects.SetPolicy():
                self.peer(effect.room, effect.peer)
                with refusals():
                    _arrange(self._conference(self._hosted[effect.room]), effect)
            case _:
                raise AssertionError(f"{effect} is not for the conference")

    def _pin(self, hosted: Hosted) -> None:
        """Identities come and go: say anew which participants they are."""
        for peer, identity in hosted.watched.items():
            ids = frozenset(p.id for p in hosted.room.people.values() if p.identity == identity)
            self._conference(hosted).pin(peer, ids)


def _mute(conference: Conference | None, track_id: str, muted: bool, owner: str | None) -> None:
    tracks = [] if conference is None else conference.tracks()
    track = next((track for track in tracks if track.id == track_id), None)
    if conference is None or track is None:
        raise not_found("track is not published in this room")
    if owner is not None and track.peer_id != owner:
        raise forbidden("track belongs to another participant")
    conference.mute(track_id, muted, by_server=owner is None)


def _arrange(
    conference: Conference, effect: effects.Subscribe | effects.Unsubscribe | effects.SetPolicy
) -> None:
    match effect:
        case effects.Subscribe():
            conference.subscribe(
                effect.peer, effect.mid, effect.track, effect.max_height, effect.max_fps, effect.priority
            )
        case effects.Unsubscribe():
            conference.unsubscribe(effect.peer, effect.mid)
        case effects.SetPolicy():
            conference.set_policy(effect.peer, effect.policy)


@contextmanager
def refusals() -> Iterator[None]:
    """What rtc refuses, as what clients are told."""
    try:
        yield
    except OfferError as error:
        raise bad_request(str(error)) from error
    except NoSuchSlot as error:
        raise not_found("mid is no slot of this connection") from error
    except NoSuchTrack as error:
        raise not_found("track is not published in this room, or is not of the slot's kind") from error
    except NotPermitted as error:
        raise forbidden("the token does not grant this (publish, subscribe)") from error
    except RtcError as error:
        raise conflict(f"media connection: {error}") from error
