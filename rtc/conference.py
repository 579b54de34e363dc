"""One room's media: its peers, their tracks, and who receives what.

`from rtc.conference import MediaEngine, Conference, ...`: this is what the signaling side uses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from rtc.channels import DataChannel
from rtc.errors import (
    ChannelFull,
    NoSuchPeer,
    NoSuchSlot,
    NoSuchTrack,
    NotPermitted,
    OfferError,
    RtcError,
    TransportError,
)
from rtc.events import (
    ChannelOpened,
    Level,
    MediaEvent,
    PeerConnected,
    PeerLost,
    Quality,
    SlotChanged,
    Speakers,
    TrackPublished,
    TrackUnpublished,
    TrackUpdated,
)
from rtc.tracks import Kind, Track, TrackInfo

__all__ = [
    "Answer",
    "ChannelFull",
    "ChannelOpened",
    "Conference",
    "DataChannel",
    "IceRestart",
    "Kind",
    "Level",
    "MediaEngine",
    "MediaEvent",
    "MediaSettings",
    "NoSuchPeer",
    "NoSuchSlot",
    "NoSuchTrack",
    "NotPermitted",
    "OfferError",
    "Peer",
    "PeerConnected",
    "PeerLost",
    "Policy",
    "Quality",
    "RtcError",
    "Slot",
    "SlotChanged",
    "Speakers",
    "Track",
    "TrackInfo",
    "TrackPublished",
    "TrackUnpublished",
    "TrackUpdated",
    "TransportError",
]

Policy = Literal["auto", "manual"]


@dataclass(frozen=True, slots=True)
class MediaSettings:
    """`addresses`: local addresses to bind, `0.0.0.0` and `::` allowed. `port` 0 takes a free one per worker.

    `public_ips` are announced instead of the interfaces' addresses; `loopback` announces 127.0.0.1 too
    (it always is where only loopback is bound).
    """

    addresses: tuple[str, ...] = ("0.0.0.0",)
    port: int = 7882
    workers: int = 0
    """0: one per core but one, at least one."""
    tcp: bool = True
    public_ips: tuple[str, ...] = ()
    loopback: bool = False


@dataclass(frozen=True, slots=True)
class Slot:
    """A recvonly section of the client's offer."""

    mid: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Answer:
    sdp: str
    slots: list[Slot]
    tracks: dict[str, str]
    """mid to track id, for every section that publishes."""


@dataclass(frozen=True, slots=True)
class IceRestart:
    """The server's side of an ICE restart by trickle-ice-sdpfrag (RFC 8840, RFC 9725 section 4.3.2)."""

    ufrag: str
    pwd: str
    candidates: list[str]
    """Values of `a=candidate:` lines, without the `candidate:` prefix's `a=`."""


class Peer:
    """One participant's media connection."""

    id: str

    async def offer(self, sdp: str, tracks: Mapping[str, TrackInfo]) -> Answer:
        """Answer an offer. Calls are serialised per peer.

        Raises OfferError (nothing changed), NotPermitted never: sections that the peer may not have are
        answered rejected (`publish`) or inactive (`subscribe`).
        """
        raise NotImplementedError

    def restart_ice(self, remote_ufrag: str, remote_pwd: str) -> IceRestart:
        """New server credentials, same DTLS association. Raises TransportError before the first offer."""
        raise NotImplementedError


class Conference:
    """One room. Every method is called on the loop's thread and returns at once unless `async`."""

    def add_peer(self, peer_id: str, *, may_publish: bool, may_subscribe: bool) -> Peer:
        """Raises ValueError when the id is taken."""
        raise NotImplementedError

    def remove_peer(self, peer_id: str) -> None:
        """Close the peer's transport and unpublish its tracks; an unknown id is ignored."""
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError

    def set_policy(self, peer_id: str, policy: Policy) -> None:
        raise NotImplementedError

    def pin(self, peer_id: str, participants: frozenset[str] | None) -> None:
        """Restrict the auto policy to tracks of these peers (WHEP's `?participant=`); None lifts it."""
        raise NotImplementedError

    def subscribe(
        self,
        peer_id: str,
        mid: str,
        track_id: str,
        max_height: int | None = None,
        max_fps: int | None = None,
        priority: int | None = None,
    ) -> None:
        """Pin a track into a slot. Raises NoSuchPeer, NoSuchSlot, NoSuchTrack, NotPermitted."""
        raise NotImplementedError

    def unsubscribe(self, peer_id: str, mid: str) -> None:
        """Empty a slot; under `auto` the policy may fill it again. Raises NoSuchPeer, NoSuchSlot."""
        raise NotImplementedError

    def mute(self, track_id: str, muted: bool, *, by_server: bool) -> None:
        """Stop or resume forwarding. A server-side mute is lifted only by the server. Raises NoSuchTrack."""
        raise NotImplementedError

    def set_permissions(self, peer_id: str, *, may_publish: bool, may_subscribe: bool) -> None:
        """Takes effect at once: tracks of a peer that may no longer publish are unpublished."""
        raise NotImplementedError

    def tracks(self) -> list[Track]:
        raise NotImplementedError

    async def stats(self, peer_id: str | None = None) -> dict[str, Any]:
        """Per peer id: transport, sources and slots. Raises NoSuchPeer."""
        raise NotImplementedError


class MediaEngine:
    """Owner of the plane. One per process."""

    def __init__(self, settings: MediaSettings) -> None:
        raise NotImplementedError

    async def start(self) -> None:
        """Bind the sockets. Raises OSError when a port is taken."""

    async def close(self) -> None:
        """End every transport and the plane's threads."""

    def conference(self, on_event: Callable[[MediaEvent], None]) -> Conference:
        raise NotImplementedError

    def ports(self) -> list[int]:
        raise NotImplementedError

    def counters(self) -> dict[str, int]:
        raise NotImplementedError
