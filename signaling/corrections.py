"""Corrections of chat messages, as changes to a room's log: edit, delete, react.

Each answers a function that runs in the transaction of its own entry (signaling/entry.py, Revise), on the
thread of the store: it holds values, not participants.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from signaling.entry import Entry, Revise, Revision
from signaling.errors import conflict, forbidden, not_found

# Different reactions to one message: enough for people, and a bound for what a message can grow to.
MAX_REACTIONS = 50
# Identities that are named per reaction.
MAX_REACTING = 1_000
# Where a message keeps the offset of the entry that edited it last; not for clients.
EDIT = "edit"

Find = Callable[[int], Entry | None]
Message = dict[str, Any]


class Editor(msgspec.Struct, frozen=True):
    """Who corrects: `author` is {id, identity, name}."""

    author: dict[str, Any]
    moderates: bool
    at_ms: int

    @property
    def identity(self) -> str:
        identity: str = self.author["identity"]
        return identity

    def sees(self, entry: Entry) -> bool:
        return entry.to is None or self.identity in entry.to or self.author["id"] in entry.to


def edit(editor: Editor, offset: int, text: str, data: Any | None) -> Revise:
    """Authors edit their own messages, moderators everybody's. `data` None leaves the message's."""

    def revise(find: Find, place: int) -> Revision:
        entry, message = _own_message(find, editor, offset)
        superseded = _superseded(find, message, offset)
        message |= {"text": text, "edited": {"at_ms": editor.at_ms, "by": editor.identity}}
        if data is not None:
            message["data"] = data
        told = {"message": shown(entry, message), "by": editor.author}
        return Revision(told, entry.to, {offset: {**message, EDIT: place}, **superseded})

    return revise


def delete(editor: Editor, offset: int) -> Revise:
    """What stays is that there was a message, whose, and for whom."""

    def revise(find: Find, place: int) -> Revision:
        entry, message = _own_message(find, editor, offset)
        superseded = _superseded(find, message, offset)
        message = {"from": message["from"], "text": "", "data": None, "to": message["to"], "deleted": True}
        told = {"message": shown(entry, message), "by": editor.author}
        return Revision(told, entry.to, {offset: message, **superseded})

    return revise


def react(editor: Editor, offset: int, reaction: str, on: bool) -> Revise:
    """Whoever sees a message may react to it, with each reaction once."""

    def revise(find: Find, place: int) -> Revision:
        entry, message = _message(find, editor, offset)
        message["reactions"] = reacted(message.get("reactions", {}), reaction, editor.identity, on)
        told = {"message": {"offset": offset}, "reaction": reaction, "on": on, "from": editor.author}
        return Revision(told, entry.to, {offset: message})

    return revise


def shown(entry: Entry, message: Message) -> Message:
    """A message as clients get it."""
    fields = {name: value for name, value in message.items() if name != EDIT}
    return {"offset": entry.offset, "at_ms": entry.at_ms, **fields}


def reacted(reactions: dict[str, list[str]], reaction: str, identity: str, on: bool) -> dict[str, list[str]]:
    """Who reacted how, in the order in which they did. Raises HubbubError conflict at the limits."""
    people = [person for person in reactions.get(reaction, []) if person != identity]
    if on:
        people.append(identity)
    changed = {name: named for name, named in {**reactions, reaction: people}.items() if named}
    if len(changed) > MAX_REACTIONS or len(people) > MAX_REACTING:
        raise conflict(f"a message has at most {MAX_REACTIONS} reactions of {MAX_REACTING} people each")
    return changed


def _message(find: Find, editor: Editor, offset: int) -> tuple[Entry, Message]:
    entry = find(offset)
    if entry is None or entry.type != "chat" or not editor.sees(entry):
        raise not_found("offset is no message of this room, or it is not kept any more")
    message: Message = msgspec.json.decode(entry.data)
    if message.get("deleted"):
        raise not_found("offset is a message that was deleted")
    return entry, message


def _own_message(find: Find, editor: Editor, offset: int) -> tuple[Entry, Message]:
    entry, message = _message(find, editor, offset)
    if message["from"]["identity"] != editor.identity and not editor.moderates:
        raise forbidden("offset is another author's message, and the grant moderate is missing")
    return entry, message


def _superseded(find: Find, message: Message, offset: int) -> dict[int, Any]:
    """The entry of the edit before this correction loses its text: what was taken back is nowhere kept."""
    previous = message.pop(EDIT, None)
    if previous is None or find(previous) is None:
        return {}
    return {previous: {"message": {"offset": offset}, "superseded": True}}
