"""One participant's media connection: its offers, its transport, what it publishes and the slots it receives in."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from rtc import answer, sdp
from rtc.channels import DataChannel
from rtc.errors import TransportError
from rtc.negotiation import (
    Permissions,
    Plan,
    Publication,
    Remote,
    SlotPlan,
    State,
    fingerprints,
    negotiate,
)
from rtc.plane import Plane, QueueFull, RoomId, SinkId, SourceId, TransportId
from rtc.sdp import Fingerprint
from rtc.tracks import Kind, Track, TrackInfo, default_source
from rtc.transport import Certificates, Transport, fingerprint_of


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
    """Values of `a=candidate:` lines."""


@dataclass(slots=True)
class Published:
    """A track with the plane's sources of its encodings, in the order of the offer."""

    track: Track
    publication: Publication
    sources: list[SourceId]
    muted_by_owner: bool = False


@dataclass(slots=True)
class Receiving:
    """A slot with its sink, what the policy put into it and what the peer was told of it last."""

    plan: SlotPlan
    sink: SinkId
    track: str | None = None
    since: float = float("-inf")
    source: SourceId | None = None
    max_height: int | None = None
    max_fps: int | None = None
    priority: int = 0
    told: tuple[str | None, str | None, int | None, bool] | None = None


@dataclass(slots=True)
class Link:
    """One DTLS association on one transport of the plane."""

    id: TransportId
    ufrag: str
    pwd: str
    remote: Remote
    fingerprint: Fingerprint
    dtls: Transport
    connected: bool = False


class Surroundings(Protocol):
    """What a peer needs of its conference."""

    plane: Plane
    room: RoomId
    certificates: Certificates

    def candidates(self) -> list[str]: ...
    def linked(self, peer: Peer, link: Link) -> None: ...
    def unlinked(self, peer: Peer, link: Link) -> None: ...
    def connected(self, peer: Peer) -> None: ...
    def lost(self, peer: Peer, reason: str) -> None: ...
    def channel_opened(self, peer: Peer, channel: DataChannel) -> None: ...
    def published(self, peer: Peer, published: Published) -> None: ...
    def updated(self, peer: Peer, published: Published) -> None: ...
    def unpublished(self, peer: Peer, published: Published) -> None: ...
    def receiving(self, peer: Peer, slot: Receiving) -> None: ...
    def stopped_receiving(self, peer: Peer, slot: Receiving) -> None: ...
    def settle(self) -> None: ...


@dataclass(slots=True)
class Peer:
    """Made by Conference.add_peer. `number` tells the plane which sources share a clock."""

    id: str
    number: int
    around: Surroundings
    permissions: Permissions
    link: Link | None = None
    publications: dict[str, Published] = field(default_factory=dict)
    slots: dict[str, Receiving] = field(default_factory=dict)
    pins: dict[str, str] = field(default_factory=dict)
    state: State = field(default_factory=State)
    closed: bool = False
    session_id: int = field(default_factory=lambda: secrets.randbits(62))
    version: int = 0
    endings: set[asyncio.Task[None]] = field(default_factory=set)

    async def offer(self, sdp_text: str, tracks: Mapping[str, TrackInfo]) -> Answer:
        """Answer an offer. An offer with another DTLS fingerprint is one of a new RTCPeerConnection.

        Raises OfferError (nothing changed) and TransportError (the plane is overloaded or the peer is closed).
        Sections that the peer may not have are answered rejected (publishing) or inactive (slots).
        """
        if self.closed:
            raise TransportError("the peer is closed")
        description = sdp.parse(sdp_text)
        anew = self.link is None or self.link.remote.fingerprints != fingerprints(description)
        plan, state = negotiate(
            description, State() if anew else self.state, self.permissions, lambda: secrets.randbits(31) | 1
        )
        try:
            return self._apply(plan, state, tracks, anew=anew)
        except QueueFull as full:
            self.unlink()
            raise TransportError("the data plane is overloaded") from full

    def restart_ice(self, remote_ufrag: str, remote_pwd: str) -> IceRestart:
        """New server credentials, same DTLS association. Raises TransportError before the first offer."""
        if self.link is None:
            raise TransportError("there is no transport to restart")
        self._restart(self.link, replace(self.link.remote, ufrag=remote_ufrag, pwd=remote_pwd))
        return IceRestart(self.link.ufrag, self.link.pwd, self.around.candidates())

    def unlink(self) -> None:
        """End the transport, with everything that runs over it. The peer may make a new offer."""
        link, self.link = self.link, None
        for published in list(self.publications.values()):
            self._unpublish(published)
        for slot in list(self.slots.values()):
            self._stop_receiving(slot)
        if link is not None:
            self.around.plane.close_transport(link.id)
            self.around.unlinked(self, link)
            task = asyncio.ensure_future(link.dtls.close())
            self.endings.add(task)
            task.add_done_callback(self.endings.discard)

    def close(self) -> None:
        self.closed = True
        self.unlink()

    def stop_publishing(self) -> None:
        for published in list(self.publications.values()):
            self._unpublish(published)

    def stop_subscribing(self) -> None:
        for slot in list(self.slots.values()):
            self._stop_receiving(slot)

    # -- an answered offer

    def _apply(self, plan: Plan, state: State, tracks: Mapping[str, TrackInfo], *, anew: bool) -> Answer:
        if anew:
            self.unlink()
            self.link = self._connect(plan.remote)
            self.around.linked(self, self.link)
        assert self.link is not None
        link = self.link
        if (link.remote.ufrag, link.remote.pwd) != (plan.remote.ufrag, plan.remote.pwd):
            self._restart(link, plan.remote)
        self.state = state
        self.version += 1
        self.around.plane.set_extensions(link.id, incoming=plan.incoming, outgoing=plan.outgoing)
        self._publish(link, plan, tracks)
        self._receive(link, plan)
        if plan.sctp_port is not None:
            link.dtls.open_data(plan.sctp_port, plan.max_message_size)
        self.around.settle()
        return Answer(
            sdp=self._text(plan, link),
            slots=[Slot(slot.mid, slot.kind) for slot in plan.slots],
            tracks={mid: published.track.id for mid, published in self.publications.items()},
        )

    def _text(self, plan: Plan, link: Link) -> str:
        local = answer.Local(
            session_id=self.session_id,
            version=self.version,
            ufrag=link.ufrag,
            pwd=link.pwd,
            fingerprint=link.fingerprint,
            candidates=tuple(self.around.candidates()),
        )
        return answer.write(plan, local)

    def _connect(self, remote: Remote) -> Link:
        plane = self.around.plane
        ufrag, pwd = credentials()
        handle = plane.add_transport(self.around.room, ufrag, pwd)
        certificate = self.around.certificates.current()

        def lost(reason: str) -> None:
            if self.link is not None and self.link.id == handle:
                self.around.lost(self, reason)

        dtls = Transport(
            certificate=certificate,
            remote_fingerprints=remote.fingerprints,
            send=lambda datagram: self._send(handle, datagram),
            on_keys=lambda profile, **keys: plane.set_srtp(handle, profile, **keys),
            on_connected=lambda: self._connected(handle),
            on_lost=lost,
            on_channel=lambda channel: self.around.channel_opened(self, channel),
        )
        return Link(handle, ufrag, pwd, remote, fingerprint_of(certificate), dtls)

    def _send(self, handle: TransportId, datagram: bytes) -> None:
        """DTLS repeats what is lost, here too."""
        try:
            self.around.plane.send_dtls(handle, datagram)
        except QueueFull:
            return

    def _connected(self, handle: TransportId) -> None:
        if self.link is not None and self.link.id == handle:
            self.link.connected = True
            self.around.connected(self)

    def _restart(self, link: Link, remote: Remote) -> None:
        link.ufrag, link.pwd = credentials()
        link.remote = remote
        self.around.plane.restart_ice(link.id, link.ufrag, link.pwd)

    # -- what it publishes

    def _publish(self, link: Link, plan: Plan, tracks: Mapping[str, TrackInfo]) -> None:
        offered = {publication.mid: publication for publication in plan.publications}
        for mid, published in list(self.publications.items()):
            if offered.get(mid) != published.publication:
                self._unpublish(published)
        for mid, publication in offered.items():
            known = self.publications.get(mid)
            if known is None:
                self._add(link, publication, tracks.get(mid))
            elif mid in tracks:
                self._update(known, tracks[mid])

    def _add(self, link: Link, publication: Publication, info: TrackInfo | None) -> None:
        info = info or TrackInfo(default_source(publication.kind))
        track = Track(
            id=f"tr_{secrets.token_urlsafe(9)}",
            peer_id=self.id,
            mid=publication.mid,
            kind=publication.kind,
            source=info.source,
            name=info.name,
            muted=info.muted,
            simulcast=len(publication.encodings) > 1,
        )
        sources = [
            self.around.plane.add_source(
                link.id,
                kind=publication.kind,
                mid=publication.mid,
                payloads=publication.payloads,
                participant=self.number,
                rid=encoding.rid,
                ssrc=encoding.ssrc,
                rtx_ssrc=encoding.rtx_ssrc,
            )
            for encoding in publication.encodings
        ]
        published = Published(track, publication, sources, muted_by_owner=info.muted)
        self.publications[publication.mid] = published
        self._pause(published)
        self.around.published(self, published)

    def _update(self, published: Published, info: TrackInfo) -> None:
        track = replace(published.track, source=info.source, name=info.name)
        published.muted_by_owner = info.muted
        self.change(published, track.with_mute(owner=info.muted, server=track.muted_by_server))

    def change(self, published: Published, track: Track) -> None:
        """Take over what is said of a track; others hear of it where it is new."""
        if track != published.track:
            published.track = track
            self._pause(published)
            self.around.updated(self, published)

    def _pause(self, published: Published) -> None:
        for source in published.sources:
            self.around.plane.pause_source(source, published.track.muted)

    def _unpublish(self, published: Published) -> None:
        if self.publications.get(published.publication.mid) is not published:
            return
        del self.publications[published.publication.mid]
        for source in published.sources:
            self.around.plane.remove_source(source)
        self.around.unpublished(self, published)

    # -- what it receives

    def _receive(self, link: Link, plan: Plan) -> None:
        offered = {slot.mid: slot for slot in plan.slots}
        for mid, slot in list(self.slots.items()):
            if offered.get(mid) != slot.plan:
                self._stop_receiving(slot)
        for mid, slot_plan in offered.items():
            if mid not in self.slots:
                self._start_receiving(link, slot_plan)

    def _start_receiving(self, link: Link, plan: SlotPlan) -> None:
        repaired = any(payload.rtx_pt is not None for payload in plan.payloads)
        sink = self.around.plane.add_sink(
            link.id,
            kind=plan.kind,
            mid=plan.mid,
            ssrc=plan.identity.ssrc,
            payloads=plan.payloads,
            rtx_ssrc=plan.identity.rtx_ssrc if repaired else None,
        )
        self.slots[plan.mid] = slot = Receiving(plan, sink)
        self.around.receiving(self, slot)

    def _stop_receiving(self, slot: Receiving) -> None:
        del self.slots[slot.plan.mid]
        self.pins.pop(slot.plan.mid, None)
        self.around.plane.remove_sink(slot.sink)
        self.around.stopped_receiving(self, slot)


def credentials() -> tuple[str, str]:
    """A user name fragment that no other transport of the plane has, and a password (RFC 8839 section 5.4)."""
    return secrets.token_hex(6), secrets.token_hex(16)
