"""The media half of the room protocol: requests to the room's conference, and what the conference tells.

Pure: a conference is reached through effects only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rtc.conference import (
    MediaEvent,
    PeerLost,
    Quality,
    SlotChanged,
    Speakers,
    Track,
    TrackInfo,
    TrackPublished,
    TrackUnpublished,
    TrackUpdated,
)
from signaling import effects
from signaling.effects import Append, Effect, Mute, Offer, Reply, SetPolicy, Steps, Subscribe, Unsubscribe
from signaling.messages import MediaMute, MediaOffer, MediaPolicy, MediaSubscribe, MediaUnsubscribe
from signaling.participant import Participant, TrackView
from signaling.room import Room

if TYPE_CHECKING:
    from signaling.session import Session


def offer(session: Session, request: MediaOffer) -> Steps[Reply]:
    tracks = {mid: TrackInfo(told.source, told.name, told.muted) for mid, told in request.tracks.items()}
    answer = yield from effects.offer(Offer(session.room.name, session.participant.id, request.sdp, tracks))
    slots = [{"mid": slot.mid, "kind": slot.kind} for slot in answer.slots]
    return {"sdp": answer.sdp, "slots": slots, "tracks": answer.tracks}


def subscribe(session: Session, request: MediaSubscribe) -> Steps[Reply]:
    yield Subscribe(
        session.room.name,
        session.participant.id,
        request.mid,
        request.track,
        request.max_height,
        request.max_fps,
        request.priority,
    )
    return {}


def unsubscribe(session: Session, request: MediaUnsubscribe) -> Steps[Reply]:
    yield Unsubscribe(session.room.name, session.participant.id, request.mid)
    return {}


def policy(session: Session, request: MediaPolicy) -> Steps[Reply]:
    yield SetPolicy(session.room.name, session.participant.id, request.mode)
    return {}


def mute(session: Session, request: MediaMute) -> Steps[Reply]:
    """Mutes are the owner's; a moderator mutes others over HTTP."""
    yield Mute(session.room.name, request.track, request.muted, owner=session.participant.id)
    return {}


def view_of(track: Track) -> TrackView:
    return TrackView(track.id, track.kind, track.source, track.name, track.muted, track.simulcast)


def told(room: Room, event: MediaEvent) -> list[Effect]:
    """Pass on what a room's conference tells."""
    match event:
        case TrackPublished(peer, track):
            return [_logged(room, "track.published", peer, track)]
        case TrackUnpublished(peer, track):
            return [_logged(room, "track.unpublished", peer, track)]
        case TrackUpdated(peer, track):
            view = view_of(track)
            told = {"type": "track.updated", "participant": peer, "track": view}
            room.announce(told, about=peer, change=_replace(view))
        case SlotChanged():
            _tell_slot(room, event)
        case Speakers(levels):
            heard = [
                {"participant": level.peer_id, "level": round(level.level, 3), "speaking": level.speaking}
                for level in levels
                if room.find(level.peer_id) is not None
            ]
            room.announce({"type": "speakers", "levels": heard}, fleeting=True)
        case Quality(peer, score):
            told = {"type": "quality", "participant": peer, "score": score}
            room.announce(told, about=peer, fleeting=True)
        case PeerLost(peer, reason):
            return _peer_lost(room, peer, reason)
    return []


def _logged(room: Room, kind: str, peer: str, track: Track) -> Append:
    return Append(room.name, kind, {"participant": peer, "track": view_of(track)}, certain=True)


def _tell_slot(room: Room, event: SlotChanged) -> None:
    told = {
        "type": "slot",
        "mid": event.mid,
        "participant": event.participant,
        "track": event.track,
        "layer": event.layer,
        "paused": event.paused,
    }
    if (viewer := room.people.get(event.peer_id)) is not None:
        viewer.slots[event.mid] = told
    room.announce(told, about=event.participant, to=[event.peer_id])


def _replace(track: TrackView) -> Callable[[Participant], None]:
    def change(person: Participant) -> None:
        if track.id in person.view.tracks:
            person.view.put_track(track)

    return change


def _peer_lost(room: Room, peer: str, reason: str) -> list[Effect]:
    """Who is here by its media connection alone leaves with it; the others make a new offer."""
    person = room.find(peer)
    if person is None or not person.anchored:
        return []
    return room.remove(person, f"media {reason}")


handlers: dict[type, Callable[..., Steps[Reply]]] = {
    MediaOffer: offer,
    MediaSubscribe: subscribe,
    MediaUnsubscribe: unsubscribe,
    MediaPolicy: policy,
    MediaMute: mute,
}
