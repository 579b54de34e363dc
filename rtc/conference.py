"""One room's media: its peers, their tracks, and who receives what.

`from rtc.conference import MediaEngine, Conference, ...`: this is what the signaling side uses.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, Literal

from rtc.channels import DataChannel
from rtc.engine import MediaEngine, MediaSettings
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
from rtc.negotiation import Permissions
from rtc.peer import Answer, IceRestart, Link, Peer, Published, Receiving, Slot
from rtc.plane import SinkId, SourceId, SpeakerLevel, StatsReady
from rtc.quality import LossMeter, score
from rtc.subscription import ReceiveSlot, Voices, assign, manual
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


class Conference:
    """One room. Every method is called on the loop's thread and returns at once unless `async`."""

    def __init__(self, engine: MediaEngine, on_event: Callable[[MediaEvent], None]) -> None:
        self.plane = engine.plane
        self.certificates = engine.certificates
        self.room = self.plane.add_room()
        self.peers: dict[str, Peer] = {}
        self._engine = engine
        self._on_event = on_event
        self._numbers = itertools.count(1)
        self._tracks: dict[str, tuple[Peer, Published]] = {}
        self._sources: dict[SourceId, tuple[Peer, Published, int]] = {}
        self._sinks: dict[SinkId, tuple[Peer, Receiving]] = {}
        self._policies: dict[str, Policy] = {}
        self._only: dict[str, frozenset[str]] = {}
        self._last_spoke: dict[str, float] = {}
        self._speaking: frozenset[str] = frozenset()
        self._losses: dict[str, LossMeter] = {}
        self._scores: dict[str, int] = {}
        self._closed = False

    # -- called by signaling

    def add_peer(self, peer_id: str, *, may_publish: bool, may_subscribe: bool) -> Peer:
        """Raises ValueError when the id is taken."""
        if peer_id in self.peers:
            raise ValueError(f"peer {peer_id} is in the conference already")
        peer = Peer(peer_id, next(self._numbers), self, Permissions(may_publish, may_subscribe))
        self.peers[peer_id] = peer
        return peer

    def remove_peer(self, peer_id: str) -> None:
        """Close the peer's transport and unpublish its tracks; an unknown id is ignored."""
        peer = self.peers.pop(peer_id, None)
        if peer is None:
            return
        peer.close()
        self._policies.pop(peer_id, None)
        self._only.pop(peer_id, None)
        self._last_spoke.pop(peer_id, None)
        self._losses.pop(peer_id, None)
        self._scores.pop(peer_id, None)
        self.settle()

    def close(self) -> None:
        for peer_id in list(self.peers):
            self.remove_peer(peer_id)
        if not self._closed:
            self._closed = True
            self._engine.forget(self)
            self.plane.remove_room(self.room)

    def set_policy(self, peer_id: str, policy: Policy) -> None:
        """Raises NoSuchPeer."""
        self._peer(peer_id)
        self._policies[peer_id] = policy
        self.settle()

    def pin(self, peer_id: str, participants: frozenset[str] | None) -> None:
        """Restrict the auto policy to tracks of these peers (WHEP's `?participant=`); None lifts it."""
        self._peer(peer_id)
        if participants is None:
            self._only.pop(peer_id, None)
        else:
            self._only[peer_id] = participants
        self.settle()

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
        peer = self._peer(peer_id)
        if not peer.permissions.subscribe:
            raise NotPermitted("subscribe")
        slot = self._slot(peer, mid)
        _, published = self._published(track_id)
        if published.track.kind != slot.plan.kind:
            raise NoSuchTrack(f"slot {mid} is for {slot.plan.kind}, the track is {published.track.kind}")
        limits = (max_height, max_fps, priority or 0)
        changed = limits != (slot.max_height, slot.max_fps, slot.priority)
        slot.max_height, slot.max_fps, slot.priority = limits
        # A track is in one slot of a viewer: pinned anew, it leaves the old one.
        for other, pinned in list(peer.pins.items()):
            if pinned == track_id and other != mid:
                del peer.pins[other]
        peer.pins[mid] = track_id
        stays = slot.track == track_id
        self.settle()
        if stays and changed:
            self._route(slot)

    def unsubscribe(self, peer_id: str, mid: str) -> None:
        """Empty a slot; under `auto` the policy may fill it again. Raises NoSuchPeer, NoSuchSlot."""
        peer = self._peer(peer_id)
        slot = self._slot(peer, mid)
        slot.max_height, slot.max_fps, slot.priority = None, None, 0
        peer.pins.pop(mid, None)
        self.settle()

    def mute(self, track_id: str, muted: bool, *, by_server: bool) -> None:
        """Stop or resume forwarding. A server-side mute is lifted only by the server. Raises NoSuchTrack."""
        peer, published = self._published(track_id)
        track = published.track
        if not by_server:
            published.muted_by_owner = muted
        server = muted if by_server else track.muted_by_server
        peer.change(published, track.with_mute(owner=published.muted_by_owner, server=server))

    def set_permissions(self, peer_id: str, *, may_publish: bool, may_subscribe: bool) -> None:
        """Takes effect at once: tracks of a peer that may no longer publish are unpublished."""
        peer = self._peer(peer_id)
        peer.permissions = Permissions(may_publish, may_subscribe)
        if not may_publish:
            peer.stop_publishing()
        if not may_subscribe:
            peer.stop_subscribing()
        self.settle()

    def tracks(self) -> list[Track]:
        return [published.track for _, published in self._tracks.values()]

    async def stats(self, peer_id: str | None = None) -> dict[str, Any]:
        """Per peer id: transport, sources and slots. Raises NoSuchPeer, and TimeoutError after five seconds."""
        wanted = self.peers if peer_id is None else {peer_id: self._peer(peer_id)}
        report = await self._engine.statistics(self.room)
        return {each.id: self._stats_of(each, report) for each in list(wanted.values())}

    def _peer(self, peer_id: str) -> Peer:
        peer = self.peers.get(peer_id)
        if peer is None:
            raise NoSuchPeer(peer_id)
        return peer

    def _slot(self, peer: Peer, mid: str) -> Receiving:
        slot = peer.slots.get(mid)
        if slot is None:
            raise NoSuchSlot(mid)
        return slot

    def _published(self, track_id: str) -> tuple[Peer, Published]:
        found = self._tracks.get(track_id)
        if found is None:
            raise NoSuchTrack(track_id)
        return found

    # -- called by peers (rtc.peer.Surroundings)

    def candidates(self) -> list[str]:
        return self._engine.candidates(self.room)

    def linked(self, peer: Peer, link: Link) -> None:
        self._engine.transports[link.id] = (self, peer)

    def unlinked(self, peer: Peer, link: Link) -> None:
        self._engine.transports.pop(link.id, None)

    def connected(self, peer: Peer) -> None:
        self._on_event(PeerConnected(peer.id))

    def lost(self, peer: Peer, reason: str) -> None:
        peer.unlink()
        self._on_event(PeerLost(peer.id, reason))
        self.settle()

    def channel_opened(self, peer: Peer, channel: DataChannel) -> None:
        self._on_event(ChannelOpened(peer.id, channel))

    def published(self, peer: Peer, published: Published) -> None:
        self._tracks[published.track.id] = (peer, published)
        for index, source in enumerate(published.sources):
            self._sources[source] = (peer, published, index)
        self._on_event(TrackPublished(peer.id, published.track))

    def updated(self, peer: Peer, published: Published) -> None:
        self._on_event(TrackUpdated(peer.id, published.track))
        for viewer, slot in list(self._sinks.values()):
            if slot.track == published.track.id:
                self._tell(viewer, slot, paused=published.track.muted)

    def unpublished(self, peer: Peer, published: Published) -> None:
        self._tracks.pop(published.track.id, None)
        for source in published.sources:
            self._sources.pop(source, None)
        for viewer in self.peers.values():
            for mid in [mid for mid, pinned in viewer.pins.items() if pinned == published.track.id]:
                del viewer.pins[mid]
        self._on_event(TrackUnpublished(peer.id, published.track))
        self.settle()

    def receiving(self, peer: Peer, slot: Receiving) -> None:
        self._sinks[slot.sink] = (peer, slot)
        self._engine.sinks[slot.sink] = self

    def stopped_receiving(self, peer: Peer, slot: Receiving) -> None:
        self._sinks.pop(slot.sink, None)
        self._engine.sinks.pop(slot.sink, None)

    # -- who is in which slot

    def settle(self) -> None:
        """Bring every slot to what the policies say now."""
        for peer in list(self.peers.values()):
            self._settle(peer)

    def _settle(self, viewer: Peer) -> None:
        if not viewer.slots:
            return
        only = self._only.get(viewer.id)
        tracks = [
            published.track
            for owner, published in self._tracks.values()
            if owner is not viewer and (only is None or owner.id in only)
        ]
        slots = [
            ReceiveSlot(mid, slot.plan.kind, slot.plan.identity.pair) for mid, slot in viewer.slots.items()
        ]
        if self._policies.get(viewer.id) == "manual":
            wanted = manual(slots, tracks, viewer.pins)
        else:
            wanted = assign(
                slots,
                tracks,
                current={mid: slot.track for mid, slot in viewer.slots.items() if slot.track},
                pins=viewer.pins,
                voices=Voices(self._last_spoke, self._speaking),
                since={mid: slot.since for mid, slot in viewer.slots.items()},
                now=self._engine.now(),
            )
        # Emptied first, so that no track is in two slots for a moment.
        for mid, slot in viewer.slots.items():
            if slot.track is not None and wanted.get(mid) is None:
                self._empty(viewer, slot)
        for mid, track in wanted.items():
            if viewer.slots[mid].track != track:
                self._fill(viewer, viewer.slots[mid], track)

    def _empty(self, viewer: Peer, slot: Receiving) -> None:
        slot.track = slot.source = None
        self.plane.route(slot.sink, [])
        self._tell(viewer, slot, paused=False)

    def _fill(self, viewer: Peer, slot: Receiving, track_id: str) -> None:
        _, published = self._tracks[track_id]
        was_empty = slot.track is None
        slot.track, slot.source, slot.since = track_id, None, self._engine.now()
        if published.track.muted and not was_empty:
            # Nothing will come that the switch could wait for: the old picture has to end here.
            self.plane.route(slot.sink, [])
        self._route(slot)
        if was_empty or published.track.muted:
            self._tell(viewer, slot, paused=published.track.muted)

    def _route(self, slot: Receiving) -> None:
        if slot.track is None:
            return
        _, published = self._tracks[slot.track]
        self.plane.route(
            slot.sink,
            published.sources,
            max_height=slot.max_height,
            max_fps=slot.max_fps,
            priority=slot.priority,
        )

    def _tell(self, viewer: Peer, slot: Receiving, *, paused: bool) -> None:
        owner = self._tracks[slot.track][0].id if slot.track in self._tracks else None
        layer = self._layer(slot)
        told = (owner, slot.track, layer, paused)
        if told != slot.told:
            slot.told = told
            self._on_event(SlotChanged(viewer.id, slot.plan.mid, owner, slot.track, layer, paused))

    def _layer(self, slot: Receiving) -> int | None:
        found = self._sources.get(slot.source) if slot.source is not None else None
        return found[2] if found and slot.plan.kind == "video" else None

    # -- called by the engine with the plane's events

    def switched(self, sink: SinkId, source: SourceId | None) -> None:
        if sink not in self._sinks or source not in self._sources:
            return  # emptied, which was told at once, or gone since
        viewer, slot = self._sinks[sink]
        _, published, _ = self._sources[source]
        if published.track.id == slot.track:
            slot.source = source
            self._tell(viewer, slot, paused=published.track.muted)

    def spoke(self, levels: Sequence[SpeakerLevel]) -> None:
        heard: dict[str, tuple[int, bool]] = {}
        for source, level, speaking in levels:
            if source in self._sources:
                peer = self._sources[source][0].id
                before = heard.get(peer, (127, False))
                heard[peer] = (min(level, before[0]), speaking or before[1])
        speaking_now = frozenset(peer for peer, (_, speaking) in heard.items() if speaking)
        now = self._engine.now()
        self._last_spoke.update(dict.fromkeys(speaking_now | self._speaking, now))
        changed, self._speaking = speaking_now != self._speaking, speaking_now
        self._on_event(
            Speakers([Level(peer, 1 - level / 127, speaking) for peer, (level, speaking) in heard.items()])
        )
        if changed or any(self._unheard(viewer) for viewer in self.peers.values()):
            self.settle()

    def _unheard(self, viewer: Peer) -> bool:
        """Whether somebody speaks whom this viewer has in no slot, because the dwelling time was not over."""
        heard = {
            self._tracks[slot.track][0].id for slot in viewer.slots.values() if slot.track in self._tracks
        }
        return bool(viewer.slots) and not self._speaking <= heard | {viewer.id}

    def worker_failed(self) -> None:
        """The plane's room is gone with everything in it; a new one takes the next offers."""
        self.room = self.plane.add_room()
        for peer in list(self.peers.values()):
            if peer.link is not None:
                self.lost(peer, "worker_failed")

    # -- statistics

    def measure(self, report: StatsReady) -> None:
        """Tell connection qualities that changed."""
        for peer in list(self.peers.values()):
            if peer.link is None or not peer.link.connected:
                continue
            stats = self._stats_of(peer, report)
            lost = self._losses.setdefault(peer.id, LossMeter()).fraction(stats["sources"])
            value = score(stats["transport"], stats["slots"], lost)
            if self._scores.get(peer.id) != value:
                self._scores[peer.id] = value
                self._on_event(Quality(peer.id, value))

    def _stats_of(self, peer: Peer, report: StatsReady) -> dict[str, Any]:
        handle = peer.link.id if peer.link is not None else None
        transport = next((each for each in report.transports if each["transport"] == handle), {})
        sources = [
            {**each, "track": found[1].track.id, "mid": found[1].track.mid, "layer": found[2]}
            for each in report.sources
            if (found := self._sources.get(each["source"])) and found[0] is peer
        ]
        slots = [
            {**each, "mid": held[1].plan.mid, "track": held[1].track}
            for each in report.sinks
            if (held := self._sinks.get(each["sink"])) and held[0] is peer
        ]
        return {
            "transport": transport,
            "sources": sources,
            "slots": slots,
            "quality": self._scores.get(peer.id),
        }
