"""Who is in which room, as the log remembers it: `participant.left` comes exactly once, whatever happens.

Joining opens a mark in the transaction that logs it and leaving closes it. Marks that are open when a server
starts belong to those who were in its rooms when it was killed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from signaling.entry import Mark

if TYPE_CHECKING:
    from signaling.eventlog import EventLog

PREFIX = "room:"
# `reason` of those whose server ended without a word.
REASON_SERVER_LOST = "server_lost"


def mark_of(topic: str, kind: str, data: Any) -> Mark | None:
    """What an event of a room says of somebody's presence."""
    if not topic.startswith(PREFIX):
        return None
    if kind == "participant.joined":
        return Mark(data["participant"]["id"], open=True)
    if kind == "participant.left":
        return Mark(data["id"], open=False)
    return None


async def clear(log: EventLog) -> int:
    """Log `participant.left` for everybody whom an earlier run left behind. Before any room is opened."""
    left = [mark for mark in await log.marks() if mark[0].startswith(PREFIX)]
    for topic, participant in left:
        await log.append(topic, "participant.left", {"id": participant, "reason": REASON_SERVER_LOST})
    return len(left)
