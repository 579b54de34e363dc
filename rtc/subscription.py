"""Who is received in which slot: the auto policy. Pure.

The k-th audio and the k-th video slot are a *place*. One participant's microphone and camera (or screen and its
sound) are a *bundle* and go into one place where there is one, so that browsers keep lips and sound together.
Where there are more tracks than slots, screens and whoever speaks come first. What is shown stays where it is
unless something better needs its slot.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from rtc.tracks import PARTNER, Kind, Track

# Nobody is replaced sooner than this after coming into a slot, in seconds: late pictures are better than
# pictures that flap.
MIN_DWELL = 2.0
VIDEO_OF = {audio: video for video, audio in PARTNER.items()}
NEVER = float("-inf")
KINDS: tuple[Kind, ...] = ("audio", "video")


@dataclass(frozen=True, slots=True)
class ReceiveSlot:
    mid: str
    kind: Kind
    pair: int


@dataclass(frozen=True, slots=True)
class Voices:
    """When each audio track was last heard speaking, in seconds on the caller's clock, and which speak now."""

    last: Mapping[str, float] = field(default_factory=dict)
    now: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class View:
    """What one viewer has: the last assignment, since when, and what it asked for by itself (mid to track id)."""

    current: Mapping[str, str] = field(default_factory=dict)
    since: Mapping[str, float] = field(default_factory=dict)
    pins: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Bundle:
    """At most one audio and one video track of a participant that belong together."""

    peer: str
    source: str
    order: int
    tracks: dict[Kind, Track] = field(default_factory=dict)


def bundles(tracks: Iterable[Track]) -> list[Bundle]:
    """In the order of publication; one list serves every viewer of a room."""
    made: list[Bundle] = []
    open_for: dict[tuple[str, str, Kind], Bundle] = {}
    for track in tracks:
        source = VIDEO_OF.get(track.source, track.source)
        bundle = open_for.pop((track.peer_id, source, track.kind), None)
        if bundle is None:
            bundle = Bundle(track.peer_id, source, len(made))
            made.append(bundle)
            open_for[track.peer_id, source, _other(track.kind)] = bundle
        bundle.tracks[track.kind] = track
    return made


def assign(
    slots: Sequence[ReceiveSlot], offered: Iterable[Bundle], view: View, voices: Voices, now: float
) -> dict[str, str]:
    """mid to track id for every slot that receives something.

    `offered` are the bundles that the viewer may receive. Asked again with its own answer as `view.current` it
    answers the same.
    """
    candidates = list(offered)
    table = _Table(slots, candidates, view)
    served = [_served(kind, candidates, table, view, voices, now) for kind in KINDS]
    return table.seat(candidates, set().union(*served))


def manual(slots: Iterable[ReceiveSlot], tracks: Iterable[Track], pins: Mapping[str, str]) -> dict[str, str]:
    """Only what the viewer asked for."""
    kinds = {track.id: track.kind for track in tracks}
    return {slot.mid: pins[slot.mid] for slot in slots if kinds.get(pins.get(slot.mid, "")) == slot.kind}


def _other(kind: Kind) -> Kind:
    return "video" if kind == "audio" else "audio"


def _served(
    kind: Kind, candidates: list[Bundle], table: _Table, view: View, voices: Voices, now: float
) -> set[str]:
    """The tracks of one kind that get a slot: as many as there are slots, best first."""
    incumbents = {track: view.since.get(mid, NEVER) for mid, track in view.current.items()}

    def rank(bundle: Bundle) -> tuple[object, ...]:
        track, voice = bundle.tracks[kind], bundle.tracks.get("audio")
        came = incumbents.get(track.id)
        return (
            came is not None and now - came < MIN_DWELL,
            bundle.source == "screen",
            voice is not None and voice.id in voices.now,
            not track.muted,
            came is not None,
            voices.last.get(voice.id, NEVER) if voice is not None else NEVER,
            -bundle.order,
        )

    waiting = [b for b in candidates if kind in b.tracks and b.tracks[kind].id not in table.pinned]
    waiting.sort(key=rank, reverse=True)
    return {bundle.tracks[kind].id for bundle in waiting[: table.free(kind)]}


class _Table:
    """The slots while they are given out. Each given track knows its slot."""

    def __init__(self, slots: Sequence[ReceiveSlot], candidates: list[Bundle], view: View) -> None:
        self._slots = {slot.mid: slot for slot in slots}
        self._places: dict[int, dict[Kind, ReceiveSlot]] = defaultdict(dict)
        for slot in slots:
            self._places[slot.pair][slot.kind] = slot
        self._given: dict[str, str] = {}
        self._seats: dict[str, ReceiveSlot] = {}
        self._before = {track: self._slots[mid] for mid, track in view.current.items() if mid in self._slots}
        kinds = {track.id: track.kind for bundle in candidates for track in bundle.tracks.values()}
        for mid, track in view.pins.items():
            wanted = self._slots.get(mid)
            if wanted is not None and kinds.get(track) == wanted.kind:
                self._give(wanted, track)
        self.pinned = frozenset(self._seats)

    def free(self, kind: Kind) -> int:
        return sum(slot.kind == kind and mid not in self._given for mid, slot in self._slots.items())

    def seat(self, candidates: list[Bundle], served: set[str]) -> dict[str, str]:
        """Pairs that sit together stay, then others are brought together, then the single ones sit down."""
        chosen = [
            (bundle, [track for track in bundle.tracks.values() if track.id in served | self.pinned])
            for bundle in candidates
        ]
        pairs = [tracks for _, tracks in chosen if len(tracks) == 2]
        held = {self._before[track].mid for track in served if track in self._before}
        for tracks in pairs:
            if self._together(tracks):
                self._seat_in(self._before[tracks[0].id].pair, tracks)
        for tracks in pairs:
            place = None if all(track.id in self._seats for track in tracks) else self._place(tracks, held)
            if place is not None:
                self._seat_in(place, tracks)
        left = [track for _, tracks in chosen for track in tracks if track.id not in self._seats]
        for track in left:
            before = self._before.get(track.id)
            if before is not None and before.mid not in self._given:
                self._give(before, track.id)
        for track in left:
            if track.id not in self._seats:
                self._give(self._lonely(track.kind), track.id)
        return self._given

    def _give(self, slot: ReceiveSlot, track: str) -> None:
        self._given[slot.mid] = track
        self._seats[track] = slot

    def _seat_in(self, pair: int, tracks: list[Track]) -> None:
        for track in tracks:
            if track.id not in self._seats:
                self._give(self._places[pair][track.kind], track.id)

    def _together(self, tracks: list[Track]) -> bool:
        places = {self._before[track.id].pair for track in tracks if track.id in self._before}
        seated = all(track.id in self._before for track in tracks) and len(places) == 1
        return seated and self._fits(places.pop(), tracks)

    def _fits(self, pair: int, tracks: list[Track]) -> bool:
        """Every track has its slot here, or can get it."""
        for track in tracks:
            slot, seat = self._places[pair].get(track.kind), self._seats.get(track.id)
            if slot is None or (seat is not slot if seat is not None else slot.mid in self._given):
                return False
        return True

    def _place(self, tracks: list[Track], held: set[str]) -> int | None:
        """The place for a pair: where one of them is already, else an empty one, else the first."""
        fitting = [pair for pair in self._places if self._fits(pair, tracks)]
        known = {self._before[track.id].pair for track in tracks if track.id in self._before}

        def cost(pair: int) -> tuple[bool, int, int]:
            others = sum(slot.mid in held for slot in self._places[pair].values())
            return (pair not in known, others, pair)

        return min(fitting, key=cost, default=None)

    def _lonely(self, kind: Kind) -> ReceiveSlot:
        """A free slot, rather one whose partner is taken or missing, so that whole places stay whole."""

        def cost(slot: ReceiveSlot) -> tuple[bool, int]:
            partner = self._places[slot.pair].get(_other(kind))
            return (partner is not None and partner.mid not in self._given, slot.pair)

        free = [s for mid, s in self._slots.items() if s.kind == kind and mid not in self._given]
        return min(free, key=cost)
