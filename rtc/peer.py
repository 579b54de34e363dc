"""One participant's media connection: its offers, its transport, what it publishes and the slots it receives in."""

from __future__ import annotations

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
    asks,
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
    """A track with the plane's sources of its encodings, lowest first as far as is known."""

    track: Track
    publication: Publication
    sources: list[SourceId]
    muted_by_owner: bool = False
    heights: dict[SourceId, int] = field(default_factory=dict)

    def learn(self, source: SourceId, height: int) -> bool:
        """The picture height of an encoding. Answers whether that changed their order.

        RIDs come in any order: browsers are told lowest first, OBS sends the highest first.
        """
        self.heights[source] = height
        if len(self.heights) < len(self.sources):
            return False
        ordered = sorted(self.sources, key=self.heights.__getitem__)
        changed, self.sources = ordered != self.sources, ordered
        return changed


@dataclass(slots=True)
class Receiving:
    """A slot with its sink, what the policy put into it and what the peer was told of it last."""

    plan: SlotPlan
    sink: SinkId
    track: str | None = None
    since: float = float("-inf")
    source: SourceId | None = None
    """What is on air, as far as it belongs to `track`."""
    max_height: int | None = None
    max_fps: int | None = None
    priority: int = 0
    told: tuple[str | None, str | None, int | None, bool] = (None, None, None, False)

    def forget_limits(self) -> None:
        self.max_height, self.max_fps, self.priority = None, None, 0


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
    """DTLS is done and there is a path."""
    lost: bool = False
    """It was connected, and consent has expired since."""


class Surroundings(Protocol):
    """What a peer needs of its conference."""

    plane: Plane
    room: RoomId
    certificates: Certificates

    def candidates(self) -> list[str]: ...
    def linked(self, peer: Peer, link: Link) -> None: ...
    def unlinked(self, link: Link) -> None: ...
    def connected(self, peer: Peer) -> None: ...
    def lost(self, peer: Peer, reason: str) -> None: ...
    def channel_opened(self, peer: Peer, channel: DataChannel) -> None: ...
    def published(self, peer: Peer, published: Published) -> None: ...
    def updated(self, peer: Peer, published: Published) -> None: ...
    def sends_anew(self, peer: Peer, published: Published, before: list[SourceId]) -> None: ...
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
    parked: dict[str, Receiving] = field(default_factory=dict)
    """Slots that are inactive for now. Their sinks stay: a new one under the old SSRC would begin its SRTP index
    anew, which repeats initialization vectors and which receivers take for a replay."""
    pins: dict[str, str] = field(default_factory=dict)
    state: State = field(default_factory=State)
    closed: bool = False
    session_id: int = field(default_factory=lambda: secrets.randbits(62))
    version: int = 0

    @property
    def is_lost(self) -> bool:
        return self.link is not None and self.link.lost

    async def offer(self, sdp_text: str, tracks: Mapping[str, TrackInfo]) -> Answer:
        """Answer an offer. An offer with another DTLS fingerprint is one of a new RTCPeerConnection.

        Raises OfferError (nothing changed) and TransportError (the plane is overloaded or the peer is closed).
        Sections that the peer may not have are answered rejected (publishing) or inactive (slots).
        """
        if self.closed:
            raise TransportError("the peer is closed")
        description = sdp.parse(sdp_text)
        anew = asks(description) and (
            self.link is None or self.link.remote.fingerprints != fingerprints(description)
        )
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
        self.stop_publishing()
        for mid in [*self.slots, *self.parked]:
            self._remove_slot(mid)
        if link is not None:
            self.around.unlinked(link)

    def close(self) -> None:
        self.closed = True
        self.unlink()

    def stop_publishing(self) -> None:
        for published in list(self.publications.values()):
            self._unpublish(published)

    def stop_subscribing(self) -> None:
        for mid in list(self.slots):
            self._park(mid)

    # -- called by the conference with the plane's events

    def path_selected(self) -> None:
        """The first path, another one, or one again after consent was lost."""
        if self.link is not None:
            self._perhaps_connected(self.link)

    def path_lost(self) -> None:
        """Consent expired (RFC 7675). The association stays: an ICE restart or the old path may bring it back."""
        if self.link is not None and self.link.connected:
            self.link.connected, self.link.lost = False, True
            self.around.lost(self, "consent")

    # -- an answered offer

    def _apply(self, plan: Plan, state: State, tracks: Mapping[str, TrackInfo], *, anew: bool) -> Answer:
        self.version += 1
        if plan.remote is None:
            self.unlink()
            return Answer(self._text(plan, None), [], {})
        link = self._linked(plan.remote, anew=anew)
        self.state = state
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

    def _linked(self, remote: Remote, *, anew: bool) -> Link:
        if self.link is None or anew:
            self.unlink()
            self.link = self._connect(remote)
            self.around.linked(self, self.link)
        elif (self.link.remote.ufrag, self.link.remote.pwd) != (remote.ufrag, remote.pwd):
            self._restart(self.link, remote)
        return self.link

    def _text(self, plan: Plan, link: Link | None) -> str:
        local = None
        if link is not None:
            candidates = tuple(self.around.candidates())
            local = answer.Local(link.ufrag, link.pwd, link.fingerprint, candidates)
        return answer.write(plan, local, session_id=self.session_id, version=self.version)

    def _connect(self, remote: Remote) -> Link:
        plane = self.around.plane
        ufrag, pwd = credentials()
        handle = plane.add_transport(self.around.room, ufrag, pwd)
        certificate = self.around.certificates.current()

        def current() -> Link | None:
            return self.link if self.link is not None and self.link.id == handle else None

        def connected() -> None:
            if (link := current()) is not None:
                self._perhaps_connected(link)

        def lost(reason: str) -> None:
            if current() is not None:
                self.unlink()
                self.around.lost(self, reason)

        dtls = Transport(
            certificate=certificate,
            remote_fingerprints=remote.fingerprints,
            send=lambda datagram: plane.send_dtls(handle, datagram),
            on_keys=lambda profile, **keys: plane.set_srtp(handle, profile, **keys),
            on_connected=connected,
            on_lost=lost,
            on_channel=lambda channel: self.around.channel_opened(self, channel),
        )
        return Link(handle, ufrag, pwd, remote, fingerprint_of(certificate), dtls)

    def _perhaps_connected(self, link: Link) -> None:
        if link.dtls.connected and not link.connected:
            link.connected, link.lost = True, False
            self.around.connected(self)

    def _restart(self, link: Link, remote: Remote) -> None:
        link.ufrag, link.pwd = credentials()
        link.remote = remote
        self.around.plane.restart_ice(link.id, link.ufrag, link.pwd)

    # -- what it publishes

    def _publish(self, link: Link, plan: Plan, tracks: Mapping[str, TrackInfo]) -> None:
        offered = {publication.mid: publication for publication in plan.publications}
        for mid, published in list(self.publications.items()):
            if mid not in offered or offered[mid].kind != published.track.kind:
                self._unpublish(published)
        for mid, publication in offered.items():
            known = self.publications.get(mid)
            if known is None:
                self._add(link, publication, tracks.get(mid))
                continue
            if not publication.sends_like(known.publication):
                self._send_anew(link, known, publication)
            if mid in tracks:
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
        sources = self._sources(link, publication)
        published = Published(track, publication, sources, muted_by_owner=info.muted)
        self.publications[publication.mid] = published
        self._pause(published)
        self.around.published(self, published)

    def _sources(self, link: Link, publication: Publication) -> list[SourceId]:
        return [
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

    def _send_anew(self, link: Link, published: Published, publication: Publication) -> None:
        """The same track in other encodings or codecs."""
        before = published.sources
        for source in before:
            self.around.plane.remove_source(source)
        published.publication, published.heights = publication, {}
        published.sources = self._sources(link, publication)
        self._pause(published)
        self.around.sends_anew(self, published, before)
        self.change(published, replace(published.track, simulcast=len(publication.encodings) > 1))

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
        for mid in [*self.slots, *self.parked]:
            slot = self.slots.get(mid) or self.parked[mid]
            if self.state.slots.get(mid) != slot.plan:
                self._remove_slot(mid)
            elif mid not in offered and mid in self.slots:
                self._park(mid)
        for mid, slot_plan in offered.items():
            if mid in self.parked:
                self._take_up(mid, self.parked.pop(mid))
            elif mid not in self.slots:
                self._take_up(mid, Receiving(slot_plan, self._sink(link, slot_plan)))

    def _sink(self, link: Link, plan: SlotPlan) -> SinkId:
        repaired = any(payload.rtx_pt is not None for payload in plan.payloads)
        return self.around.plane.add_sink(
            link.id,
            kind=plan.kind,
            mid=plan.mid,
            ssrc=plan.identity.ssrc,
            payloads=plan.payloads,
            rtx_ssrc=plan.identity.rtx_ssrc if repaired else None,
        )

    def _take_up(self, mid: str, slot: Receiving) -> None:
        self.slots[mid] = slot
        self.around.receiving(self, slot)

    def _park(self, mid: str) -> None:
        slot = self.slots.pop(mid)
        self.pins.pop(mid, None)
        slot.forget_limits()
        self.around.plane.route(slot.sink, [])
        self.around.stopped_receiving(self, slot)
        self.parked[mid] = slot

    def _remove_slot(self, mid: str) -> None:
        if mid in self.slots:
            self._park(mid)
        slot = self.parked.pop(mid)
        self.around.plane.remove_sink(slot.sink)


def credentials() -> tuple[str, str]:
    """A user name fragment that no other transport of the plane has, and a password (RFC 8839 section 5.4)."""
    return secrets.token_hex(6), secrets.token_hex(16)
