"""What every slot of a room carries: routes in the plane follow the policies, and the viewers are told.

A slot that changes its source is told when the plane has switched, which it does at a keyframe; one that was
empty, becomes empty or gets a muted track is told at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Literal, Protocol

from rtc.events import SlotChanged
from rtc.peer import Peer, Published, Receiving
from rtc.plane import Plane, SinkId, SourceId
from rtc.subscription import Bundle, ReceiveSlot, View, Voices, assign, bundles, manual

Policy = Literal["auto", "manual"]


class Stage(Protocol):
    """What the switchboard sees of the conference."""

    plane: Plane
    peers: dict[str, Peer]

    def now(self) -> float: ...
    def published_tracks(self) -> Mapping[str, tuple[Peer, Published]]: ...
    def published_by(self, source: SourceId) -> tuple[Peer, Published] | None: ...


class Switchboard:
    def __init__(self, stage: Stage, tell: Callable[[SlotChanged], None]) -> None:
        self._stage = stage
        self._tell_viewer = tell
        self._sinks: dict[SinkId, tuple[Peer, Receiving]] = {}
        self._policies: dict[str, Policy] = {}
        self._only: dict[str, frozenset[str]] = {}
        self._last_spoke: dict[str, float] = {}
        self._speaking: frozenset[str] = frozenset()

    # -- who is here

    def add(self, viewer: Peer, slot: Receiving) -> None:
        self._sinks[slot.sink] = (viewer, slot)

    def remove(self, viewer: Peer, slot: Receiving) -> None:
        """Its route is gone already."""
        self._sinks.pop(slot.sink, None)
        slot.track = slot.source = None
        self._tell(viewer, slot)

    def forget_peer(self, peer_id: str) -> None:
        self._policies.pop(peer_id, None)
        self._only.pop(peer_id, None)

    def slot(self, sink: SinkId) -> tuple[Peer, Receiving] | None:
        return self._sinks.get(sink)

    # -- what viewers ask for

    def set_policy(self, viewer: Peer, policy: Policy) -> None:
        self._policies[viewer.id] = policy

    def restrict(self, viewer: Peer, participants: frozenset[str] | None) -> None:
        if participants is None:
            self._only.pop(viewer.id, None)
        else:
            self._only[viewer.id] = participants

    def subscribe(
        self, viewer: Peer, slot: Receiving, track_id: str, limits: tuple[int | None, int | None, int]
    ) -> None:
        """Pinned anew, a track leaves the slot that it was pinned to."""
        mid = slot.plan.mid
        for other in [other for other, pinned in viewer.pins.items() if pinned == track_id and other != mid]:
            self.unpin(viewer, other)
        viewer.pins[mid] = track_id
        changed = limits != (slot.max_height, slot.max_fps, slot.priority)
        slot.max_height, slot.max_fps, slot.priority = limits
        if changed and slot.track == track_id:
            self._route(slot)

    def unpin(self, viewer: Peer, mid: str) -> None:
        if viewer.pins.pop(mid, None) is not None and mid in viewer.slots:
            viewer.slots[mid].forget_limits()

    # -- what happens to tracks

    def updated(self, published: Published) -> None:
        """It was muted or unmuted, or its owner was lost or is back."""
        for viewer, slot in self._showing(published):
            if slot.source is None and self._paused(published):
                # Nothing comes that the switch could wait for: what is on air has to end.
                self._stage.plane.route(slot.sink, [])
                self._route(slot)
            self._tell(viewer, slot)

    def reroute(self, published: Published) -> None:
        """Its encodings are others, or in another order."""
        for viewer, slot in self._showing(published):
            if slot.source not in published.sources:
                slot.source = None
            self._route(slot)
            self._tell(viewer, slot)

    def unpublished(self, track_id: str) -> None:
        """Its sources are gone from the plane."""
        self._last_spoke.pop(track_id, None)
        for viewer in self._stage.peers.values():
            for mid in [mid for mid, pinned in viewer.pins.items() if pinned == track_id]:
                self.unpin(viewer, mid)
        for viewer, slot in self._sinks.values():
            if slot.track != track_id and slot.told[1] == track_id:
                self._tell(viewer, slot)  # it was still shown while the next one was waited for

    def _showing(self, published: Published) -> list[tuple[Peer, Receiving]]:
        return [each for each in self._sinks.values() if each[1].track == published.track.id]

    # -- bringing slots to what the policies say

    def settle(self, viewers: Iterable[Peer]) -> None:
        published = self._stage.published_tracks()
        offered = bundles(each.track for _, each in published.values())
        for viewer in viewers:
            if viewer.slots:
                self._settle(viewer, offered)

    def _settle(self, viewer: Peer, offered: list[Bundle]) -> None:
        wanted = self._wanted(viewer, offered)
        # Emptied first, so that no track is in two slots for a moment.
        for mid, slot in viewer.slots.items():
            if slot.track is not None and mid not in wanted:
                self._empty(viewer, slot)
        for mid, track in wanted.items():
            if viewer.slots[mid].track != track:
                self._fill(viewer, viewer.slots[mid], track)

    def _wanted(self, viewer: Peer, offered: list[Bundle]) -> dict[str, str]:
        slots = [
            ReceiveSlot(mid, slot.plan.kind, slot.plan.identity.pair) for mid, slot in viewer.slots.items()
        ]
        if self._policies.get(viewer.id) == "manual":
            tracks = [track for bundle in offered for track in bundle.tracks.values()]
            return manual(slots, tracks, viewer.pins)
        only = self._only.get(viewer.id)
        others = (b for b in offered if b.peer != viewer.id and (only is None or b.peer in only))
        view = View(
            current={mid: slot.track for mid, slot in viewer.slots.items() if slot.track},
            since={mid: slot.since for mid, slot in viewer.slots.items()},
            pins=viewer.pins,
        )
        return assign(slots, others, view, Voices(self._last_spoke, self._speaking), self._stage.now())

    def _empty(self, viewer: Peer, slot: Receiving) -> None:
        slot.track = slot.source = None
        self._stage.plane.route(slot.sink, [])
        self._tell(viewer, slot)

    def _fill(self, viewer: Peer, slot: Receiving, track_id: str) -> None:
        tracks = self._stage.published_tracks()
        _, published = tracks[track_id]
        was_empty = slot.told[1] not in tracks
        slot.track, slot.source, slot.since = track_id, None, self._stage.now()
        if self._paused(published) and not was_empty:
            self._stage.plane.route(slot.sink, [])
        self._route(slot)
        if was_empty or self._paused(published):
            self._tell(viewer, slot)

    def _route(self, slot: Receiving) -> None:
        found = self._stage.published_tracks().get(slot.track or "")
        if found is not None:
            self._stage.plane.route(
                slot.sink,
                found[1].sources,
                max_height=slot.max_height,
                max_fps=slot.max_fps,
                priority=slot.priority,
            )

    def _paused(self, published: Published) -> bool:
        owner = self._stage.peers.get(published.track.peer_id)
        return published.track.muted or owner is None or owner.is_lost

    def _tell(self, viewer: Peer, slot: Receiving) -> None:
        found = self._stage.published_tracks().get(slot.track or "")
        if found is None:
            told: tuple[str | None, str | None, int | None, bool] = (None, None, None, False)
        else:
            owner, published = found
            told = (owner.id, slot.track, _layer(slot, published), self._paused(published))
        if told != slot.told:
            slot.told = told
            self._tell_viewer(SlotChanged(viewer.id, slot.plan.mid, *told))

    # -- what the plane tells

    def switched(self, sink: SinkId, source: SourceId | None) -> None:
        """The first packet of `source` went out. That a sink became empty was told when it was decided."""
        found = self._sinks.get(sink)
        owner = self._stage.published_by(source) if source is not None else None
        if found is not None and owner is not None and owner[1].track.id == found[1].track:
            found[1].source = source
            self._tell(*found)

    def heard(self, speaking: frozenset[str]) -> None:
        """Audio tracks that speak now. Viewers who miss one of them get it as soon as something may give way."""
        now = self._stage.now()
        self._last_spoke.update(dict.fromkeys(speaking | self._speaking, now))
        self._speaking = speaking

    def missing_speakers(self) -> list[Peer]:
        """Viewers with audio slots who have not everybody in them who speaks now."""
        if not self._speaking:
            return []
        return [viewer for viewer in self._stage.peers.values() if self._misses(viewer)]

    def _misses(self, viewer: Peer) -> bool:
        if self._policies.get(viewer.id) == "manual":
            return False
        audio = [slot for slot in viewer.slots.values() if slot.plan.kind == "audio"]
        own = {published.track.id for published in viewer.publications.values()}
        return bool(audio) and not self._speaking <= own | {slot.track for slot in audio}


def _layer(slot: Receiving, published: Published) -> int | None:
    """Index of the encoding that is on air, lowest first."""
    if slot.plan.kind != "video" or slot.source not in published.sources:
        return None
    return published.sources.index(slot.source)
