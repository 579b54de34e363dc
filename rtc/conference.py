"""One room's media: its peers, their tracks, and who receives what.

`from rtc.conference import MediaEngine, Conference, ...`: this is what the signaling side uses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

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
from rtc.subscription import MIN_DWELL
from rtc.switchboard import Policy, Switchboard
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


class Conference:
    """One room. Every method is called on the loop's thread and returns at once unless `async`."""

    def __init__(self, engine: MediaEngine, on_event: Callable[[MediaEvent], None]) -> None:
        self.plane = engine.plane
        self.certificates = engine.certificates
        self.room = self.plane.add_room()
        self.peers: dict[str, Peer] = {}
        self._engine = engine
        self._on_event = on_event
        self._tracks: dict[str, tuple[Peer, Published]] = {}
        self._sources: dict[SourceId, tuple[Peer, Published]] = {}
        self._switchboard = Switchboard(self, self._tell_slot)
        self._losses: dict[str, LossMeter] = {}
        self._scores: dict[str, int] = {}
        self._unsettled = False
        self._dwelling = False
        self._closed = False

    # -- called by signaling

    def add_peer(self, peer_id: str, *, may_publish: bool, may_subscribe: bool) -> Peer:
        """Raises ValueError when the id is taken."""
        if peer_id in self.peers:
            raise ValueError(f"peer {peer_id} is in the conference already")
        peer = Peer(peer_id, self._engine.number(), self, Permissions(may_publish, may_subscribe))
        self.peers[peer_id] = peer
        return peer

    def remove_peer(self, peer_id: str) -> None:
        """Close the peer's transport and unpublish its tracks; an unknown id is ignored."""
        peer = self.peers.pop(peer_id, None)
        if peer is None:
            return
        peer.close()
        self._switchboard.forget_peer(peer_id)
        self._losses.pop(peer_id, None)
        self._scores.pop(peer_id, None)

    def close(self) -> None:
        for peer_id in list(self.peers):
            self.remove_peer(peer_id)
        if not self._closed:
            self._closed = True
            self._engine.forget(self)

    def set_policy(self, peer_id: str, policy: Policy) -> None:
        """Raises NoSuchPeer."""
        self._switchboard.set_policy(self._peer(peer_id), policy)
        self.settle()

    def pin(self, peer_id: str, participants: frozenset[str] | None) -> None:
        """Restrict the auto policy to tracks of these peers (WHEP's `?participant=`); None lifts it."""
        self._switchboard.restrict(self._peer(peer_id), participants)
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
        self._switchboard.subscribe(peer, slot, track_id, (max_height, max_fps, priority or 0))
        self.settle()

    def unsubscribe(self, peer_id: str, mid: str) -> None:
        """Empty a slot; under `auto` the policy may fill it again. Raises NoSuchPeer, NoSuchSlot."""
        peer = self._peer(peer_id)
        self._slot(peer, mid)
        self._switchboard.unpin(peer, mid)
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
        """Takes effect at once: tracks of a peer that may no longer publish are unpublished.

        What was taken away needs a new offer after it is given back. Raises NoSuchPeer.
        """
        peer = self._peer(peer_id)
        peer.permissions = Permissions(may_publish, may_subscribe)
        if not may_publish:
            peer.stop_publishing()
        if not may_subscribe:
            peer.stop_subscribing()

    def tracks(self) -> list[Track]:
        return [published.track for _, published in self._tracks.values()]

    async def stats(self, peer_id: str | None = None) -> dict[str, Any]:
        """Per peer id: transport, sources and slots. Raises NoSuchPeer, and TimeoutError after five seconds."""
        wanted = list(self.peers.values()) if peer_id is None else [self._peer(peer_id)]
        report = await self._engine.statistics(self.room)
        return {each.id: self._stats_of(each, report) for each in wanted}

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
        self._engine.link(peer, link)

    def unlinked(self, link: Link) -> None:
        self._engine.unlink(link, self.room)

    def connected(self, peer: Peer) -> None:
        self._on_event(PeerConnected(peer.id))
        self._reachable(peer)

    def lost(self, peer: Peer, reason: str) -> None:
        self._on_event(PeerLost(peer.id, reason))
        self._reachable(peer)

    def channel_opened(self, peer: Peer, channel: DataChannel) -> None:
        self._on_event(ChannelOpened(peer.id, channel))

    def published(self, peer: Peer, published: Published) -> None:
        self._tracks[published.track.id] = (peer, published)
        self._own(peer, published)
        self._on_event(TrackPublished(peer.id, published.track))
        self.settle()

    def updated(self, peer: Peer, published: Published) -> None:
        self._on_event(TrackUpdated(peer.id, published.track))
        self._switchboard.updated(published)
        self.settle()

    def sends_anew(self, peer: Peer, published: Published, before: list[SourceId]) -> None:
        self._disown(before)
        self._own(peer, published)
        self._switchboard.reroute(published)

    def unpublished(self, peer: Peer, published: Published) -> None:
        del self._tracks[published.track.id]
        self._disown(published.sources)
        self._on_event(TrackUnpublished(peer.id, published.track))
        self._switchboard.unpublished(published.track.id)
        self.settle()

    def receiving(self, peer: Peer, slot: Receiving) -> None:
        self._engine.own(self, [slot.sink])
        self._switchboard.add(peer, slot)
        self.settle()

    def stopped_receiving(self, peer: Peer, slot: Receiving) -> None:
        self._switchboard.remove(peer, slot)
        self._engine.disown([slot.sink])

    def settle(self) -> None:
        """Bring every slot to what the policies say, once for all that one turn of the loop brought."""
        if not self._unsettled:
            self._unsettled = True
            self._engine.soon(self._settle)

    def _own(self, peer: Peer, published: Published) -> None:
        self._engine.own(self, published.sources)
        self._sources.update(dict.fromkeys(published.sources, (peer, published)))

    def _disown(self, sources: Sequence[SourceId]) -> None:
        self._engine.disown(sources)
        for source in sources:
            self._sources.pop(source, None)

    def _reachable(self, peer: Peer) -> None:
        for published in peer.publications.values():
            self._switchboard.updated(published)

    # -- called by the switchboard (rtc.switchboard.Stage)

    def now(self) -> float:
        return self._engine.now()

    def published_tracks(self) -> Mapping[str, tuple[Peer, Published]]:
        return self._tracks

    def published_by(self, source: SourceId) -> tuple[Peer, Published] | None:
        return self._sources.get(source)

    def _settle(self) -> None:
        self._unsettled = False
        self._switchboard.settle(self.peers.values())

    def _tell_slot(self, event: SlotChanged) -> None:
        if event.peer_id in self.peers:  # nothing is told to who leaves
            self._on_event(event)

    # -- called by the engine with the plane's events

    def switched(self, sink: SinkId, source: SourceId | None) -> None:
        self._switchboard.switched(sink, source)

    def layer(self, source: SourceId, height: int) -> None:
        found = self._sources.get(source)
        if found is not None and found[1].learn(source, height):
            self._switchboard.reroute(found[1])

    def spoke(self, levels: Sequence[SpeakerLevel]) -> None:
        heard: dict[str, tuple[int, bool]] = {}
        speaking_tracks = set()
        for source, level, speaking in levels:
            if source in self._sources:
                peer, published = self._sources[source]
                before = heard.get(peer.id, (127, False))
                heard[peer.id] = (min(level, before[0]), speaking or before[1])
                speaking_tracks |= {published.track.id} if speaking else set()
        self._on_event(
            Speakers([Level(peer, 1 - level / 127, speaking) for peer, (level, speaking) in heard.items()])
        )
        self._switchboard.heard(frozenset(speaking_tracks))
        self._let_speak()

    def _let_speak(self) -> None:
        """Levels that stay the same are not told again: who has to wait for a slot is remembered here."""
        missing = self._switchboard.missing_speakers()
        self._switchboard.settle(missing)
        if self._switchboard.missing_speakers() and not self._dwelling:
            self._dwelling = True
            self._engine.later(MIN_DWELL, self._dwelt)

    def _dwelt(self) -> None:
        self._dwelling = False
        if not self._closed:
            self._let_speak()

    def worker_failed(self) -> None:
        """The plane's room is gone with everything in it; a new one takes the next offers."""
        self.room = self.plane.add_room()
        for peer in list(self.peers.values()):
            if peer.link is not None:
                peer.unlink()
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
        return {
            "transport": next((each for each in report.transports if each["transport"] == handle), {}),
            "sources": [self._source_stats(each) for each in report.sources if each["transport"] == handle],
            "slots": [self._slot_stats(each) for each in report.sinks if each["transport"] == handle],
            "quality": self._scores.get(peer.id),
        }

    def _source_stats(self, stats: Mapping[str, Any]) -> dict[str, Any]:
        found = self._sources.get(stats["source"])
        if found is None:
            return dict(stats)  # taken back while the worker counted
        track, layer = found[1].track, found[1].sources.index(stats["source"])
        return {**stats, "track": track.id, "mid": track.mid, "layer": layer}

    def _slot_stats(self, stats: Mapping[str, Any]) -> dict[str, Any]:
        found = self._switchboard.slot(stats["sink"])
        if found is None:
            return dict(stats)
        return {**stats, "mid": found[1].plan.mid, "track": found[1].track}
