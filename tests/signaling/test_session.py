"""Sessions and rooms without a loop, a clock or a socket: effects are performed by hand."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import msgspec

from rtc.conference import (
    Answer,
    PeerLost,
    Slot,
    SlotChanged,
    Track,
    TrackPublished,
    TrackUnpublished,
    TrackUpdated,
)
from signaling import effects, media
from signaling.effects import Append, Effect
from signaling.errors import CloseCode, HubbubError, unavailable
from signaling.eventlog import Entry
from signaling.messages import Request
from signaling.outbox import Outbox
from signaling.participant import RESUME_SECONDS
from signaling.room import Room
from signaling.session import Session, handlers
from signaling.tokens import Claims

NOW = 1_800_000_000.0
CAMERA = Track("t-1", "", "0", "video", "camera", None, muted=False, simulcast=True)


class Reader:
    """A door that reads everything at once."""

    def __init__(self) -> None:
        self.outbox = Outbox(self)

    def wake(self) -> None:
        pass

    def flush(self) -> None:
        pass

    def read(self) -> list[dict[str, Any]]:
        return [json.loads(frame.payload) for frame in self.outbox.take()]

    def types(self) -> list[str]:
        return [message.get("type", "reply") for message in self.read()]


class World:
    """One room and its log, performing what sessions and the room ask for."""

    def __init__(self, capacity: int = 10) -> None:
        self.room = Room("demo", "start", capacity)
        self.entries: list[Entry] = []
        self.done: list[Effect] = []
        self.broken = False
        self.claims: dict[str, Claims] = {}

    def perform(self, effect: Effect) -> Any:
        self.done.append(effect)
        match effect:
            case Append():
                return self.append(effect)
            case effects.Enter():
                return self.room
            case effects.Recover(_, since, until):
                return (
                    None
                    if since == "garbage"
                    else [e for e in self.entries if int(since) < e.offset <= until]
                )
            case effects.Verify(token):
                return self.claims[token]
            case effects.IceServers():
                return []
            case effects.Offer():
                return Answer("v=0", [Slot("1", "video")], {"0": "t-1"})
        return None

    def append(self, effect: Append) -> Entry | None:
        ticket = self.room.ordering.ticket()
        try:
            if self.broken and not effect.certain:
                raise unavailable("storage is full")
            if self.broken:
                self.room.unlogged(effect)
                return None
            raw = msgspec.Raw(msgspec.json.encode(effect.data))
            number = len(self.entries)
            entry = Entry(self.room.topic, number, 0, effect.type, raw, effect.to, b"epoch", number)
            self.entries.append(entry)
            self.room.entry(entry)
            return entry
        finally:
            self.room.ordering.settle(ticket)

    def act(self, several: list[Effect]) -> None:
        for effect in several:
            self.perform(effect)


class Person:
    def __init__(self, world: World, identity: str = "ann", **claims: Any) -> None:
        self.world = world
        self.reader = Reader()
        grants = frozenset({"publish", "subscribe", "chat"})
        claims = {"room": "demo", "grants": grants, "exp": NOW + 3600, **claims}
        self.observed: list[tuple[str, str | None]] = []
        self.session = Session(
            Claims(sub=identity, **claims), self.reader.outbox, NOW, lambda *seen: self.observed.append(seen)
        )

    def ask(self, kind: str, now: float = NOW, **fields: Any) -> dict[str, Any]:
        """The reply; events before it stay unread in `early`."""
        steps = self.session.receive(json.dumps({"id": 1, "type": kind, **fields}), now)
        result: Any = None
        failure: HubbubError | None = None
        while True:
            try:
                effect = steps.send(result) if failure is None else steps.throw(failure)
            except StopIteration:
                break
            result = failure = None
            try:
                result = self.world.perform(effect)
            except HubbubError as error:
                failure = error
        messages = self.reader.read()
        (reply,) = [message for message in messages if "re" in message]
        self.early = messages[: messages.index(reply)]
        self.late = messages[messages.index(reply) + 1 :]
        return reply

    def join(self, **fields: Any) -> dict[str, Any]:
        reply = self.ask("join", room="demo", **fields)
        assert "error" not in reply
        return reply

    @property
    def id(self) -> str:
        return self.session.participant.id


def test_every_request_of_the_protocol_has_a_handler() -> None:
    assert {kind for kind in Request.__subclasses__() if kind not in handlers} == set()


def test_joined_is_told_to_the_others_and_the_reply_comes_before_any_event() -> None:
    world = World()
    ann, bob = Person(world), Person(world, "bob")
    assert ann.join()["participants"] == []
    reply = bob.join()
    assert (bob.early, bob.late) == ([], [])
    assert [other["identity"] for other in reply["participants"]] == ["ann"]
    assert ann.reader.types() == ["participant.joined"]


def test_a_join_that_cannot_be_stored_is_refused_and_leaves_nothing() -> None:
    world = World()
    world.broken = True
    ann = Person(world)
    assert ann.ask("join", room="demo")["error"]["code"] == "unavailable"
    assert world.room.empty
    world.broken = False
    assert ann.join()["participants"] == []


def test_leaving_is_told_even_when_it_cannot_be_stored() -> None:
    world = World()
    ann, bob = Person(world), Person(world, "bob")
    ann.join()
    bob.join()
    world.broken = True
    assert bob.ask("leave") == {"re": 1}
    (_, left) = ann.reader.read()
    assert left == {"type": "participant.left", "id": left["id"], "reason": "left"}
    assert bob.reader.outbox.closing is not None
    assert bob.reader.outbox.closing.code is CloseCode.NORMAL


def test_a_room_is_empty_when_the_last_one_left() -> None:
    world = World()
    ann = Person(world)
    ann.join()
    assert not world.room.empty
    ann.ask("leave")
    assert world.room.empty


def test_whoever_is_lost_lapses_after_the_time_to_resume() -> None:
    world = World()
    ann = Person(world)
    ann.join()
    ann.session.lost(NOW)
    assert world.room.deadline() == NOW + RESUME_SECONDS
    assert world.room.tick(NOW + RESUME_SECONDS - 1) == []
    world.act(world.room.tick(NOW + RESUME_SECONDS))
    assert world.room.empty
    assert world.entries[-1].type == "participant.left"


def test_the_time_to_resume_ends_with_the_token() -> None:
    world = World()
    ann = Person(world, exp=NOW + 5)
    ann.join()
    ann.session.lost(NOW)
    assert world.room.deadline() == NOW + 5


def test_a_resumed_session_takes_over_and_is_told_its_slots() -> None:
    world = World()
    ann, again = Person(world), Person(world)
    session = ann.join()["session"]
    world.act(media.told(world.room, SlotChanged(ann.id, "3", None, None, None, paused=False)))
    assert ann.reader.types() == ["slot"]
    assert again.join(resume=session)["session"] == session
    assert [event["type"] for event in again.late] == ["slot"]
    assert ann.reader.outbox.closing is not None
    assert ann.reader.outbox.closing.code is CloseCode.RESUMED_ELSEWHERE
    ann.session.lost(NOW)
    assert world.room.deadline() is None
    assert [entry.type for entry in world.entries] == ["participant.joined"]


def test_a_newer_token_on_resuming_counts() -> None:
    world = World()
    ann = Person(world)
    session = ann.join()["session"]
    again = Person(world, grants=frozenset({"subscribe"}), name="Ann")
    again.join(resume=session)
    assert again.session.participant.grants == frozenset({"subscribe"})
    assert effects.SetPermissions("demo", again.id, may_publish=False, may_subscribe=True) in world.done


def test_what_was_missed_is_replayed_up_to_the_cursor_of_the_reply() -> None:
    world = World()
    ann, bob = Person(world), Person(world, "bob")
    ann.join()
    bob.join()
    world.append(Append("demo", "chat", {"text": "secret"}, to=(bob.id,)))
    world.append(Append("demo", "chat", {"text": "open"}))
    again = Person(world)
    reply = again.join(since="0")
    texts = [event["message"]["text"] for event in reply["events"] if event["type"] == "chat"]
    assert texts == ["open"]
    assert reply["recovered"] is True
    assert reply["events"][-1]["cursor"] == reply["room"]["cursor"]


def test_a_private_event_reaches_only_those_it_is_for() -> None:
    world = World()
    people = [Person(world, name) for name in ("ann", "bob", "cat")]
    for person in people:
        person.join()
        person.reader.read()
    for person in people:
        person.reader.read()
    world.append(Append("demo", "chat", {"text": "psst"}, to=(people[0].id, "cat")))
    assert [person.reader.types() for person in people] == [["chat"], [], ["chat"]]


def test_a_revoked_newcomer_is_gone_before_it_was_there() -> None:
    """The connection ends while the joined event is being stored."""
    world = World()
    bob, ann = Person(world, "bob"), Person(world)
    bob.join()
    steps = ann.session.receive('{"id":1,"type":"join","room":"demo"}', NOW)
    assert next(steps) == effects.Enter("demo")
    joined = steps.send(world.room)
    assert isinstance(joined, Append)
    leaving = ann.session.expel(CloseCode.UNAUTHORIZED, "token was revoked")
    joining = world.append(joined)
    world.act(leaving)
    result: Any = joining
    with suppress(StopIteration):
        while True:
            result = world.perform(steps.send(result))
    assert bob.reader.types() == ["participant.joined", "participant.left"]
    assert not any(person.identity == "ann" for person in world.room.people.values())


def test_an_offer_is_answered_with_slots_and_tracks() -> None:
    world = World()
    ann = Person(world)
    ann.join()
    reply = ann.ask("media.offer", sdp="v=0", tracks={"0": {"source": "camera"}})
    assert reply == {"re": 1, "sdp": "v=0", "slots": [{"mid": "1", "kind": "video"}], "tracks": {"0": "t-1"}}


def test_tracks_come_and_go_in_order_and_are_in_the_state_of_whoever_joins() -> None:
    world = World()
    ann, bob = Person(world), Person(world, "bob")
    ann.join()
    world.act(media.told(world.room, TrackPublished(ann.id, CAMERA)))
    (seen,) = bob.join()["participants"]
    wire = {"id": "t-1", "kind": "video", "source": "camera", "name": None, "muted": False, "simulcast": True}
    assert seen["tracks"] == [wire]
    world.act(media.told(world.room, TrackUpdated(ann.id, CAMERA.with_mute(owner=True, server=False))))
    world.act(media.told(world.room, TrackUnpublished(ann.id, CAMERA)))
    updated, unpublished = bob.reader.read()
    assert (updated["type"], updated["track"]) == ("track.updated", {**wire, "muted": True})
    assert (unpublished["type"], unpublished["participant"]) == ("track.unpublished", ann.id)


def test_a_slot_is_told_after_the_track_that_is_in_it() -> None:
    world = World()
    ann, bob = Person(world), Person(world, "bob")
    ann.join()
    bob.join()
    (published,) = media.told(world.room, TrackPublished(ann.id, CAMERA))
    assert isinstance(published, Append)
    ticket = world.room.ordering.ticket()
    media.told(world.room, SlotChanged(bob.id, "1", ann.id, "t-1", 0, paused=False))
    assert bob.reader.types() == []
    world.append(published)
    world.room.ordering.settle(ticket)
    assert bob.reader.types() == ["track.published", "slot"]


def test_nothing_is_told_of_somebody_who_left() -> None:
    world = World()
    ann, bob = Person(world), Person(world, "bob")
    ann.join()
    bob.join()
    gone = bob.id
    bob.ask("leave")
    ann.reader.read()
    media.told(world.room, SlotChanged(ann.id, "1", gone, "t-1", 0, paused=False))
    assert ann.reader.types() == []


def test_a_participant_by_media_alone_leaves_with_it() -> None:
    world = World()
    claims = Claims(sub="camera", exp=NOW + 60, room="demo")
    person, joined = world.room.admit(claims, anchored=True)
    world.append(joined)
    world.act(media.told(world.room, PeerLost(person.id, "consent")))
    assert world.room.empty
    ann = Person(world)
    ann.join()
    assert media.told(world.room, PeerLost(ann.id, "consent")) == []


def test_a_second_door_sees_the_room_without_a_newcomer() -> None:
    world = World()
    ann = Person(world)
    joined = ann.join()
    door = Person(world)
    participant, outbox = ann.session.participant, door.reader.outbox
    door.session = Session.within(world.room, participant, outbox, NOW, lambda *_: None)
    again = door.join()
    assert again["participant"] == joined["participant"]
    assert len(world.entries) == 1
    assert door.ask("join", room="other")["error"]["code"] == "bad_request"
    ann.session.lost(NOW)
    assert world.room.deadline() is None
    door.session.lost(NOW)
    assert world.room.deadline() == NOW + RESUME_SECONDS


def test_types_that_clients_invent_do_not_become_labels() -> None:
    ann = Person(World())
    ann.ask("dance")
    ann.ask("ping")
    assert ann.observed == [("unknown", "bad_request"), ("ping", None)]
