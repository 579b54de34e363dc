"""What the deciding code asks of the world, as values.

Handlers of requests are generators (`Steps`): they yield an effect, are resumed with its result or with the
HubbubError it failed with, and return the reply. signaling/hosting.py performs them; tests do so by hand.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from rtc.conference import Answer, TrackInfo

if TYPE_CHECKING:
    from signaling.entry import Entry, Revise
    from signaling.room import Room
    from signaling.tokens import Claims

R = TypeVar("R")
Steps = Generator["Effect", Any, R]
Reply = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Enter:
    """Result: the Room of that name, made when nobody is in it."""

    room: str


@dataclass(frozen=True, slots=True)
class Append:
    """Log an event of a room. Result: its Entry, once it is stored and the room has been told.

    `key` makes it idempotent per `sender`. `to` are the participant ids and identities that may see it.
    What is `certain` has happened whether it can be stored or not (somebody left): it never fails, its result
    is None when it was told without being logged. With `revise` the event corrects earlier ones.
    """

    room: str
    type: str
    data: Any
    key: str | None = None
    sender: str | None = None
    to: tuple[str, ...] | None = None
    certain: bool = False
    revise: Revise | None = None


@dataclass(frozen=True, slots=True)
class Recover:
    """Result: the entries after cursor `since` up to offset `until`; None where they have a hole."""

    room: str
    since: str
    until: int


@dataclass(frozen=True, slots=True)
class History:
    """Result: `(entries, more)`, newest `limit` before offset `before`, oldest first."""

    room: str
    before: int | None
    limit: int
    types: frozenset[str] | None = None
    viewer: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """Result: the Entry that an Append with this key would answer with, or None."""

    room: str
    sender: str
    key: str


@dataclass(frozen=True, slots=True)
class Remember:
    """Log something of which only the newest counts. Result: its Entry, once it is stored."""

    topic: str
    type: str
    data: Any


@dataclass(frozen=True, slots=True)
class Recall:
    """Result: the newest Entry of that topic, or None."""

    topic: str


@dataclass(frozen=True, slots=True)
class Verify:
    """Result: the Claims of a token."""

    token: str


@dataclass(frozen=True, slots=True)
class Renew:
    """The connection lives on under newer claims. No result."""

    claims: Claims


@dataclass(frozen=True, slots=True)
class IceServers:
    """Result: the list of ICE servers for an identity, with fresh credentials."""

    identity: str


@dataclass(frozen=True, slots=True)
class RemovePeer:
    """End a participant's media connection, if it has one. Peers are made by the first media effect."""

    room: str
    peer: str


@dataclass(frozen=True, slots=True)
class SetPermissions:
    room: str
    peer: str
    may_publish: bool
    may_subscribe: bool


@dataclass(frozen=True, slots=True)
class Offer:
    """Result: an Answer of rtc."""

    room: str
    peer: str
    sdp: str
    tracks: Mapping[str, TrackInfo] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Subscribe:
    room: str
    peer: str
    mid: str
    track: str
    max_height: int | None = None
    max_fps: int | None = None
    priority: int | None = None


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    room: str
    peer: str
    mid: str


@dataclass(frozen=True, slots=True)
class SetPolicy:
    room: str
    peer: str
    policy: Literal["auto", "manual"]


@dataclass(frozen=True, slots=True)
class Watch:
    """Let the auto policy fill a participant's slots with tracks of one identity only."""

    room: str
    peer: str
    identity: str


@dataclass(frozen=True, slots=True)
class Mute:
    """By the track's `owner`, or by the server where that is None."""

    room: str
    track: str
    muted: bool
    owner: str | None = None


Effect = (
    Enter
    | Append
    | Recover
    | History
    | Known
    | Remember
    | Recall
    | Verify
    | Renew
    | IceServers
    | RemovePeer
    | SetPermissions
    | Offer
    | Subscribe
    | Unsubscribe
    | SetPolicy
    | Watch
    | Mute
)


def each(several: Iterable[Effect]) -> Steps[None]:
    """Perform effects whose results are of no interest."""
    for effect in several:  # noqa: UP028
        # Not `yield from`: a list cannot be sent the results.
        yield effect


def enter(room: str) -> Steps[Room]:
    result: Room = yield Enter(room)
    return result


def append(effect: Append) -> Steps[Entry]:
    result: Entry = yield effect
    return result


def recover(effect: Recover) -> Steps[list[Entry] | None]:
    result: list[Entry] | None = yield effect
    return result


def history(effect: History) -> Steps[tuple[list[Entry], bool]]:
    result: tuple[list[Entry], bool] = yield effect
    return result


def known(effect: Known) -> Steps[Entry | None]:
    result: Entry | None = yield effect
    return result


def remember(effect: Remember) -> Steps[Entry]:
    result: Entry = yield effect
    return result


def recall(topic: str) -> Steps[Entry | None]:
    result: Entry | None = yield Recall(topic)
    return result


def verify(token: str) -> Steps[Claims]:
    result: Claims = yield Verify(token)
    return result


def ice_servers(identity: str) -> Steps[list[dict[str, Any]]]:
    result: list[dict[str, Any]] = yield IceServers(identity)
    return result


def offer(effect: Offer) -> Steps[Answer]:
    result: Answer = yield effect
    return result
