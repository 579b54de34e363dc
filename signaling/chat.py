"""Chat and events between participants: what a room's log keeps of them.

A message is an entry `chat`. Correcting one is an entry of its own for those who follow, and changes the
message where it is kept: history shows every message as it is now, and what was deleted is gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from signaling import corrections, effects
from signaling.corrections import Editor
from signaling.effects import Append, History, Known, Remember, Reply, Steps, append
from signaling.entry import Entry, Revise
from signaling.errors import forbidden, not_found
from signaling.messages import (
    ChatDelete,
    ChatEdit,
    ChatHistory,
    ChatReact,
    ChatRead,
    ChatSend,
    EventSend,
    Request,
)
from signaling.participant import Participant

if TYPE_CHECKING:
    from signaling.session import Handler, Session

MESSAGES = frozenset({"chat"})


def chat_send(session: Session, request: ChatSend) -> Steps[Reply]:
    sender = _allowed(session.participant, "chat")
    if request.key is not None and request.to is not None:
        # After a restart the ids in `to` name nobody any more, but the message was sent.
        first = yield from effects.known(Known(session.room.name, sender.identity, request.key))
        if first is not None:
            return _place(first)
    message = {"from": author(sender), "text": request.text, "data": request.data, "to": request.to}
    audience = _audience(session, request.to)
    entry = yield from append(
        Append(session.room.name, "chat", message, request.key, sender.identity, audience)
    )
    return _place(entry)


def chat_history(session: Session, request: ChatHistory) -> Steps[Reply]:
    viewer = frozenset({session.participant.identity, session.participant.id})
    page = History(session.room.name, request.before, request.limit, MESSAGES, viewer)
    entries, more = yield from effects.history(page)
    messages = [corrections.shown(entry, msgspec.json.decode(entry.data)) for entry in entries]
    return {"messages": messages, "more": more, "read": (yield from _read_position(session))}


def chat_edit(session: Session, request: ChatEdit) -> Steps[Reply]:
    revise = corrections.edit(_editor(session), request.offset, request.text, request.data)
    return (yield from _correct(session, "chat.edited", revise))


def chat_delete(session: Session, request: ChatDelete) -> Steps[Reply]:
    revise = corrections.delete(_editor(session), request.offset)
    return (yield from _correct(session, "chat.deleted", revise))


def chat_react(session: Session, request: ChatReact) -> Steps[Reply]:
    revise = corrections.react(_editor(session), request.offset, request.reaction, request.on)
    return (yield from _correct(session, "chat.reacted", revise))


def chat_read(session: Session, request: ChatRead) -> Steps[Reply]:
    """How far this identity has read, on all of its devices. Nobody else is told."""
    reader = session.participant
    if request.offset is None:
        return {"offset": (yield from _read_position(session))}
    read = {"identity": reader.identity, "offset": request.offset}
    yield from effects.remember(Remember(_read_topic(session), "chat.read", read))
    devices = [person.id for person in session.room.present() if person.identity == reader.identity]
    session.room.announce({"type": "chat.read", **read}, reader.id, to=devices)
    return {"offset": request.offset}


def event_send(session: Session, request: EventSend) -> Steps[Reply]:
    sender = _allowed(session.participant, "chat", "publish")
    audience = _audience(session, request.to)
    event = {"name": request.name, "data": request.data, "from": author(sender)}
    if request.keep:
        kept = Append(session.room.name, "event", event, sender=sender.identity, to=audience)
        return {"offset": (yield from append(kept)).offset}
    listeners = None if request.to is None else [*request.to, sender.id]
    session.room.announce({"type": "event", **event}, sender.id, to=listeners, fleeting=True)
    return {}


def author(sender: Participant) -> dict[str, Any]:
    return {"id": sender.id, "identity": sender.identity, "name": sender.view.name}


def _allowed(sender: Participant, *grants: str) -> Participant:
    if not any(sender.may(grant) for grant in grants):
        raise forbidden(f"this needs the grant {' or '.join(grants)}")
    return sender


def _audience(session: Session, to: list[str] | None) -> tuple[str, ...] | None:
    """Who may see an event for the participants `to`, its sender included: identities, which outlive
    connections. Raises HubbubError not_found."""
    if to is None:
        return None
    people = [session.participant]
    for participant in to:
        person = session.room.find(participant)
        if person is None:
            raise not_found(f"to names nobody in this room: {participant[:64]}")
        people.append(person)
    return tuple(dict.fromkeys(person.identity for person in people))


def _read_topic(session: Session) -> str:
    return f"read:{session.room.name}/{session.participant.identity}"


def _read_position(session: Session) -> Steps[int | None]:
    """Offset of the newest message that the identity has read."""
    last = yield from effects.recall(_read_topic(session))
    return None if last is None else msgspec.json.decode(last.data)["offset"]


def _place(entry: Entry) -> Reply:
    return {"offset": entry.offset, "at_ms": entry.at_ms}


def _editor(session: Session) -> Editor:
    person = _allowed(session.participant, "chat", "moderate")
    return Editor(author(person), person.may("moderate"), int(session.now * 1000))


def _correct(session: Session, kind: str, revise: Revise) -> Steps[Reply]:
    identity = session.participant.identity
    return _place((yield from append(Append(session.room.name, kind, None, None, identity, revise=revise))))


handlers: dict[type[Request], Handler] = {
    ChatSend: chat_send,
    ChatHistory: chat_history,
    ChatEdit: chat_edit,
    ChatDelete: chat_delete,
    ChatReact: chat_react,
    ChatRead: chat_read,
    EventSend: event_send,
}
