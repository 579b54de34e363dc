"""One connection's conversation: requests in, replies and effects out.

No socket, no clock. A session is greeted, joined, then over. Whoever drives it runs `receive` for one message
after the other, so that requests are answered in order, and performs the effects that it yields.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from signaling import effects
from signaling.chat import handlers as chat_handlers
from signaling.effects import Recover, Renew, Reply, Steps, append
from signaling.errors import CloseCode, HubbubError, bad_request, conflict, forbidden, not_found, rate_limited
from signaling.ids import validate_name
from signaling.limits import PATIENCE, REQUEST_BURST, REQUESTS_PER_SECOND, Bucket
from signaling.media import handlers as media_handlers
from signaling.messages import (
    MAX_CHAT_TEXT_BYTES,
    MAX_LARGE_MESSAGE_BYTES,
    MAX_MESSAGE_BYTES,
    MAX_PRESENCE_BYTES,
    AuthRefresh,
    Join,
    Leave,
    Ping,
    Refusal,
    Request,
    Signal,
    TooLarge,
    Unanswerable,
    decode,
)
from signaling.outbox import MAX_OUTBOX_BYTES, Outbox, frame
from signaling.participant import RESUME_SECONDS, Participant
from signaling.presence import handlers as presence_handlers
from signaling.room import Room, event_of
from signaling.tokens import Claims

Handler = Callable[["Session", Any], Steps[Reply]]
Observe = Callable[[str, str | None], None]


class Session:
    """`outbox` is where everything for this connection goes, replies and events."""

    def __init__(self, claims: Claims, outbox: Outbox, now: float, observe: Observe) -> None:
        """`observe` is told the type of every request, and the error code that it was refused with."""
        self._observe = observe
        self.claims = claims
        self.outbox = outbox
        self.now = now
        """Unix seconds of the message that is being handled."""
        self._room: Room | None = None
        self._participant: Participant | None = None
        self._requests = Bucket(REQUESTS_PER_SECOND, REQUEST_BURST, now)
        self._patience = Bucket(REQUESTS_PER_SECOND, PATIENCE, now)

    @classmethod
    def within(
        cls, room: Room, participant: Participant, outbox: Outbox, now: float, observe: Observe
    ) -> Session:
        """A second door of somebody who is in the room: the data channel `events`."""
        session = cls(participant.claims, outbox, now, observe)
        session._room, session._participant = room, participant
        participant.channel = outbox
        return session

    @property
    def joined(self) -> bool:
        return self._participant is not None

    @property
    def room(self) -> Room:
        """Raises HubbubError bad_request before `join`."""
        if self._room is None:
            raise bad_request("join a room first")
        return self._room

    @property
    def participant(self) -> Participant:
        """Raises HubbubError bad_request before `join`, conflict after the participant was removed."""
        if self._participant is None:
            raise bad_request("join a room first")
        if self._participant.leaving:
            raise conflict("the participant has left the room")
        return self._participant

    def receive(self, text: str, now: float) -> Steps[None]:
        """Handle one message: its reply is in the outbox when the steps are done."""
        self.now = now
        try:
            request = decode(text)
        except Unanswerable as problem:
            return self.outbox.close(CloseCode.BAD_MESSAGE, str(problem))
        except TooLarge as problem:
            return self.outbox.close(CloseCode.TOO_LARGE, str(problem))
        try:
            self._admit_request()
            if isinstance(request, Refusal):
                raise request.error
            reply = yield from handlers[type(request)](self, request)
        except HubbubError as error:
            self._observe(_name(request), error.code)
            self.outbox.unhold()
            self.outbox.push(frame({"re": request.id, "error": error.to_wire()}))
            if isinstance(request, Join) and error.code == "forbidden":
                self.outbox.close(CloseCode.FORBIDDEN, error.message)
            return None
        self._observe(_name(request), None)
        self._reply(request, reply)
        return None

    def attach(self, room: Room, participant: Participant) -> None:
        self._room, self._participant = room, participant

    def detach(self) -> None:
        self._room = self._participant = None

    def lost(self, now: float) -> None:
        """The connection is gone without `leave`."""
        if self._room is not None and self._participant is not None:
            self._room.lost(self._participant, self.outbox, now)

    def expel(self, code: CloseCode, reason: str) -> list[effects.Effect]:
        """The server ends this connection and whoever is behind it."""
        self.outbox.close(code, reason)
        if self._room is None or self._participant is None:
            return []
        return self._room.remove(self._participant, reason, code, reason)

    def _reply(self, request: Request, reply: Reply) -> None:
        message = frame({"re": request.id, **reply})
        if isinstance(request, Join):
            self.outbox.release(message)
            # Whoever resumes is told again what is in its slots: the reply has no room for it.
            for slot in self._participant.slots.values() if self._participant is not None else ():
                self.outbox.push(frame(slot))
        else:
            self.outbox.push(message)
        if isinstance(request, Leave):
            self.outbox.close(CloseCode.NORMAL, "left")

    def _admit_request(self) -> None:
        wait = self._requests.take(self.now)
        if not wait:
            return
        if self._patience.take(self.now):
            self.outbox.close(CloseCode.RATE_LIMITED, "too many requests after being told to wait")
        raise rate_limited(
            f"at most {REQUESTS_PER_SECOND:.0f} requests/s with bursts of {REQUEST_BURST:.0f}",
            retry_after_ms=max(1, int(wait * 1000)),
        )


def _name(request: Request | Refusal) -> str:
    """The type, of a closed set: what a client invents must not become a metric's label."""
    return "unknown" if isinstance(request, Refusal) else str(request.__struct_config__.tag)


def join(session: Session, request: Join) -> Steps[Reply]:
    name = validate_name("room", request.room, slash=False)
    if session.joined:
        return (yield from _look_around(session, name, request.since))
    if not session.claims.may_join(name):
        raise forbidden("the token's room claim does not cover this room")
    room = yield from effects.enter(name)
    session.outbox.hold()
    participant = request.resume and room.resume(request.resume, session.claims, session.outbox)
    if participant:
        session.attach(room, participant)
        yield from _adopt(session, session.claims)
    else:
        participant = yield from _newcomer(session, room, request)
    return (yield from _welcome(session, room, participant, request.since))


def _look_around(session: Session, name: str, since: str | None) -> Steps[Reply]:
    """`join` on the data channel of somebody who is in the room already: the reply, without a newcomer."""
    participant = session.participant
    if participant.channel is not session.outbox or session.room.name != name:
        raise bad_request("this connection has joined a room already")
    session.outbox.hold()
    session.room.arrive(participant)
    return (yield from _welcome(session, session.room, participant, since))


def _newcomer(session: Session, room: Room, request: Join) -> Steps[Participant]:
    participant, joined = room.admit(session.claims, request.presence)
    participant.socket = session.outbox
    # Attached before it is told of, so that a connection that ends meanwhile takes the newcomer with it.
    session.attach(room, participant)
    try:
        yield from append(joined)
    except HubbubError:
        room.dismiss(participant)
        session.detach()
        raise
    return participant


def _welcome(session: Session, room: Room, participant: Participant, since: str | None) -> Steps[Reply]:
    arrival = participant.arrival
    assert arrival is not None, "whoever was told of has arrived"
    recovered = None
    if since is not None:
        recovered = yield from effects.recover(Recover(room.name, since, arrival.offset))
    seen = [event_of(entry) for entry in recovered or () if participant.seen_by(entry.to)]
    return {
        "session": participant.session,
        "participant": participant.view.brief(),
        "room": {"name": room.name, "cursor": arrival.cursor},
        "participants": arrival.others,
        "recovered": recovered is not None,
        "events": seen,
        "ice_servers": (yield from effects.ice_servers(participant.identity)),
        "limits": LIMITS,
    }


def leave(session: Session, _: Leave) -> Steps[Reply]:
    yield from effects.each(session.room.remove(session.participant, "left"))
    return {}


def ping(session: Session, _: Ping) -> Steps[Reply]:
    return {"at_ms": int(session.now * 1000)}
    yield  # a generator, as every handler


def auth_refresh(session: Session, request: AuthRefresh) -> Steps[Reply]:
    """A newer token of the same identity takes over, with what it grants from now on."""
    claims = yield from effects.verify(request.token)
    if claims.sub != session.claims.sub:
        raise forbidden("token claim sub must stay the same identity")
    if session.joined and not claims.may_join(session.room.name):
        raise forbidden("the token's room claim does not cover this room")
    session.claims = claims
    yield Renew(claims)
    if session.joined:
        yield from _adopt(session, claims)
    return {}


def _adopt(session: Session, claims: Claims) -> Steps[None]:
    """What a newer token says replaces what the participant had; the same one changes nothing."""
    participant = session.participant
    if claims == participant.claims:
        return
    participant.claims = claims
    changed = session.room.change(participant, grants=claims.grants, name=claims.name, meta=claims.meta)
    yield from effects.each(changed)


def signal(session: Session, request: Signal) -> Steps[Reply]:
    sender = session.participant
    if session.room.find(request.to) is None:
        raise not_found("to names nobody in this room")
    session.room.announce(
        {"type": "signal", "from": sender.id, "data": request.data}, sender.id, to=[request.to]
    )
    return {}
    yield


LIMITS: Mapping[str, Any] = {
    "message_bytes": MAX_MESSAGE_BYTES,
    "large_message_bytes": MAX_LARGE_MESSAGE_BYTES,
    "chat_text_bytes": MAX_CHAT_TEXT_BYTES,
    "presence_bytes": MAX_PRESENCE_BYTES,
    "outbox_bytes": MAX_OUTBOX_BYTES,
    "requests_per_second": int(REQUESTS_PER_SECOND),
    "request_burst": int(REQUEST_BURST),
    "resume_ms": int(RESUME_SECONDS * 1000),
}

handlers: dict[type[Request], Handler] = {
    Join: join,
    Leave: leave,
    Ping: ping,
    AuthRefresh: auth_refresh,
    Signal: signal,
    **media_handlers,
    **chat_handlers,
    **presence_handlers,
}
