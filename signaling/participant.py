"""One participant: who it is, what the others see of it, and through which doors it is told things."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from signaling.errors import CloseCode
from signaling.outbox import Frame, Outbox
from signaling.tokens import Claims

# How long a participant whose socket was lost may resume (protocol section 3).
RESUME_SECONDS = 30.0


class TrackView(msgspec.Struct, frozen=True):
    """A track as it is told to clients."""

    id: str
    kind: str
    source: str
    name: str | None
    muted: bool
    simulcast: bool


class View:
    """A participant as it is told to clients: changed only when the change is told.

    Encoded once per change: everybody who joins a large room is told of everybody in it.
    """

    def __init__(
        self,
        participant_id: str,
        identity: str,
        name: str | None,
        meta: dict[str, Any],
        presence: dict[str, Any] | None = None,
    ) -> None:
        self.id = participant_id
        self.identity = identity
        self.name = name
        self.meta = meta
        self.presence = presence
        self.tracks: dict[str, TrackView] = {}
        self._encoded: msgspec.Raw | None = None

    def change(self, **fields: Any) -> None:
        """Replace `name`, `meta` or `presence`."""
        for field, value in fields.items():
            setattr(self, field, value)
        self._encoded = None

    def put_track(self, track: TrackView) -> None:
        self.tracks[track.id] = track
        self._encoded = None

    def drop_track(self, track_id: str) -> None:
        self.tracks.pop(track_id, None)
        self._encoded = None

    def brief(self) -> dict[str, Any]:
        """Who it is, without its state."""
        return {"id": self.id, "identity": self.identity, "name": self.name, "meta": self.meta}

    def whole(self) -> dict[str, Any]:
        return {**self.brief(), "presence": self.presence, "tracks": list(self.tracks.values())}

    def encoded(self) -> msgspec.Raw:
        """`whole` as JSON."""
        if self._encoded is None:
            self._encoded = msgspec.Raw(msgspec.json.encode(self.whole()))
        return self._encoded


class Arrival(msgspec.Struct, frozen=True):
    """The room at the moment when a participant became present: its events go on from here."""

    cursor: str
    offset: int
    others: list[msgspec.Raw]


class Participant:
    """`socket` and `channel` are where it is reached: a WebSocket, and a data channel named `events`."""

    def __init__(self, view: View, claims: Claims, secret: str, *, anchored: bool = False) -> None:
        self.view = view
        self.claims = claims
        self.grants = claims.grants
        self._secret = secret
        self.anchored = anchored
        """Lives as long as its media connection (WHIP, WHEP), whatever becomes of its doors."""
        self.slots: dict[str, dict[str, Any]] = {}
        """By mid, the last `slot` event it was told: told again when it resumes."""
        self.socket: Outbox | None = None
        self.channel: Outbox | None = None
        self.present = False
        """From when `participant.joined` was told until `participant.left` is."""
        self.arrival: Arrival | None = None
        self.leaving = False
        self.on_leaving: Callable[[], None] | None = None
        """Called once, when it begins to leave."""
        self.lapses_at: float | None = None
        """Unix seconds when it leaves unless it resumes; None while it is reachable."""

    @property
    def id(self) -> str:
        return self.view.id

    @property
    def identity(self) -> str:
        return self.view.identity

    @property
    def session(self) -> str:
        """What `resume` has to present: a credential."""
        return f"{self.id}.{self._secret}"

    def may(self, grant: str) -> bool:
        return grant in self.grants

    def seen_by(self, to: tuple[str, ...] | None) -> bool:
        """Whether an event for `to` (participant ids and identities; None: everybody) is meant for it."""
        return to is None or self.id in to or self.identity in to

    def tell(self, frame: Frame) -> None:
        if self.socket is not None:
            self.socket.push(frame)
        if self.channel is not None:
            self.channel.push(frame)

    def detach(self, outbox: Outbox, now: float) -> None:
        """A door is gone. Without another one the time to resume begins."""
        if self.socket is outbox:
            self.socket = None
        if self.channel is outbox:
            self.channel = None
        if self.socket is None and self.channel is None and not self.anchored:
            # Its media runs on meanwhile, but never longer than its token.
            self.lapses_at = min(now + RESUME_SECONDS, self.claims.exp)

    def close_doors(self, code: CloseCode, reason: str) -> None:
        for outbox in (self.socket, self.channel):
            if outbox is not None:
                outbox.close(code, reason)
        self.socket = self.channel = None
