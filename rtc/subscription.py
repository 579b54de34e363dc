"""Who is received in which slot: the auto policy. Pure.

The k-th audio and the k-th video slot are a *place*; one participant's microphone and camera (or screen and its
sound) are a *bundle* and go into one place where there is one, so that browsers keep lips and sound together.
What is shown stays where it is. With more bundles than places, whoever speaks takes the place of who has been
silent longest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from rtc.tracks import PARTNER, Kind, Track

# Nobody is replaced sooner than this after coming into a place, in seconds: late pictures are better than pictures
# that flap.
MIN_DWELL = 2.0
VIDEO_OF = {audio: video for video, audio in PARTNER.items()}


@dataclass(frozen=True, slots=True)
class ReceiveSlot:
    mid: str
    kind: Kind
    pair: int


@dataclass(frozen=True, slots=True)
class Voices:
    """When each peer was last heard speaking, in seconds on the caller's clock, and who speaks now."""

    last: Mapping[str, float] = field(default_factory=dict)
    now: frozenset[str] = frozenset()


@dataclass(slots=True)
class _Bundle:
    peer: str
    source: str
    order: int
    tracks: dict[Kind, Track] = field(default_factory=dict)

    @property
    def is_screen(self) -> bool:
        return self.source == "screen"


@dataclass(slots=True)
class _Place:
    slots: dict[Kind, ReceiveSlot] = field(default_factory=dict)
    occupant: _Bundle | None = None
    pinned: bool = False

    def fits(self, bundle: _Bundle) -> int:
        """How many of the bundle's tracks find a slot here."""
        return sum(kind in self.slots for kind in bundle.tracks)


def assign(
    slots: Iterable[ReceiveSlot],
    tracks: Iterable[Track],
    *,
    current: Mapping[str, str],
    pins: Mapping[str, str],
    voices: Voices,
    since: Mapping[str, float],
    now: float,
) -> dict[str, str]:
    """mid to track id for every slot that receives something.

    `tracks` are those that the viewer may receive, in the order in which they were published. `current` is the
    last answer, `pins` what the viewer asked for by itself, `since` when each mid got what it has.
    """
    places = _places(slots)
    bundles = _bundles(tracks)
    known = {track.id: bundle for bundle in bundles for track in bundle.tracks.values()}
    _keep(places, pins, known, pinned=True)
    _keep(places, current, known, pinned=False)
    _fill(places, bundles, voices)
    _give_way(places, bundles, voices, since, now)
    return _slot_by_slot(places, bundles, pins, current, known)


def manual(slots: Iterable[ReceiveSlot], tracks: Iterable[Track], pins: Mapping[str, str]) -> dict[str, str]:
    """Only what the viewer asked for."""
    ids = {track.id for track in tracks}
    return {slot.mid: pins[slot.mid] for slot in slots if pins.get(slot.mid) in ids}


def _places(slots: Iterable[ReceiveSlot]) -> list[_Place]:
    places: dict[int, _Place] = {}
    for slot in slots:
        places.setdefault(slot.pair, _Place()).slots[slot.kind] = slot
    return [places[pair] for pair in sorted(places)]


def _bundles(tracks: Iterable[Track]) -> list[_Bundle]:
    bundles: list[_Bundle] = []
    for track in tracks:
        source = VIDEO_OF.get(track.source, track.source)
        found = next(
            (
                b
                for b in bundles
                if (b.peer, b.source) == (track.peer_id, source) and track.kind not in b.tracks
            ),
            None,
        )
        if found is None:
            found = _Bundle(track.peer_id, source, len(bundles))
            bundles.append(found)
        found.tracks[track.kind] = track
    return bundles


def _keep(
    places: list[_Place], given: Mapping[str, str], known: Mapping[str, _Bundle], *, pinned: bool
) -> None:
    """Put bundles where their tracks are already, the video's place first."""
    placed = [place.occupant for place in places if place.occupant is not None]
    for kind in ("video", "audio"):
        for place in places:
            slot = place.slots.get(kind)
            bundle = known.get(given.get(slot.mid, "")) if slot else None
            if bundle is None or place.occupant is not None or any(bundle is other for other in placed):
                continue
            place.occupant, place.pinned = bundle, pinned
            placed.append(bundle)


def _rank(bundle: _Bundle, voices: Voices) -> tuple[bool, float, int]:
    """Screens first, then who spoke last, then who came first."""
    return (not bundle.is_screen, -voices.last.get(bundle.peer, float("-inf")), bundle.order)


def _unplaced(places: list[_Place], bundles: list[_Bundle], voices: Voices) -> list[_Bundle]:
    placed = {id(place.occupant) for place in places}
    return sorted((b for b in bundles if id(b) not in placed), key=lambda bundle: _rank(bundle, voices))


def _fill(places: list[_Place], bundles: list[_Bundle], voices: Voices) -> None:
    for bundle in _unplaced(places, bundles, voices):
        free = [place for place in places if place.occupant is None and place.fits(bundle)]
        if free:
            max(free, key=lambda place: place.fits(bundle)).occupant = bundle


def _give_way(
    places: list[_Place], bundles: list[_Bundle], voices: Voices, since: Mapping[str, float], now: float
) -> None:
    """A speaker without a place for its sound takes that of who has been silent longest."""
    audible = [place for place in places if "audio" in place.slots]
    heard = {id(place.occupant) for place in audible}
    waiting = [b for b in bundles if b.peer in voices.now and "audio" in b.tracks and id(b) not in heard]
    waiting += [b for b in bundles if b.is_screen and not any(b is place.occupant for place in places)]
    for bundle in waiting:
        victims = [place for place in audible if _may_go(place, voices, since, now)]
        if not victims:
            return
        victim = max(
            victims, key=lambda place: _rank(place.occupant, voices) if place.occupant else (True, 0.0, 0)
        )
        elsewhere = next((place for place in places if place.occupant is bundle), None)
        if elsewhere is not None:
            elsewhere.occupant = victim.occupant
        victim.occupant = bundle


def _may_go(place: _Place, voices: Voices, since: Mapping[str, float], now: float) -> bool:
    occupant = place.occupant
    if occupant is None or place.pinned or occupant.is_screen or occupant.peer in voices.now:
        return False
    came = max((since.get(slot.mid, float("-inf")) for slot in place.slots.values()), default=float("-inf"))
    return now - came >= MIN_DWELL


def _slot_by_slot(
    places: list[_Place],
    bundles: list[_Bundle],
    pins: Mapping[str, str],
    current: Mapping[str, str],
    known: Mapping[str, _Bundle],
) -> dict[str, str]:
    slots = {slot.mid: slot for place in places for slot in place.slots.values()}
    given = {
        mid: track
        for mid, track in pins.items()
        if mid in slots and track in known and slots[mid].kind in known[track].tracks
    }
    used = set(given.values())
    for place in places:
        for kind, slot in place.slots.items():
            track = place.occupant.tracks.get(kind) if place.occupant else None
            if track is not None and slot.mid not in given and track.id not in used:
                given[slot.mid] = track.id
                used.add(track.id)
    # What found no place of its own goes into any slot that is empty, rather than being unheard or unseen.
    for bundle in bundles:
        for kind, track in bundle.tracks.items():
            empty = [mid for mid, slot in slots.items() if slot.kind == kind and mid not in given]
            if track.id not in used and empty:
                given[next((mid for mid in empty if current.get(mid) == track.id), empty[0])] = track.id
                used.add(track.id)
    return given
