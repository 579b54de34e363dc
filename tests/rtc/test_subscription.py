"""The auto policy: people stay in pairs, nothing flaps, and speakers are heard."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from rtc.subscription import MIN_DWELL, NEVER, ReceiveSlot, View, Voices, assign, bundles, manual
from rtc.tracks import PARTNER, Kind, Track

AUDIO_SOURCES = ("microphone", "screen_audio")


def track(peer: str, source: str, *, muted: bool = False) -> Track:
    kind: Kind = "audio" if source in AUDIO_SOURCES else "video"
    return Track(f"{peer}:{source}", peer, source, kind, source, None, muted, simulcast=False)


def person(peer: str, *, muted: bool = False) -> list[Track]:
    return [track(peer, "microphone", muted=muted), track(peer, "camera")]


def slots(audio: int, video: int) -> list[ReceiveSlot]:
    return [
        *(ReceiveSlot(f"a{pair}", "audio", pair) for pair in range(audio)),
        *(ReceiveSlot(f"v{pair}", "video", pair) for pair in range(video)),
    ]


def settled(
    receive: list[ReceiveSlot],
    tracks: list[Track],
    current: dict[str, str] | None = None,
    *,
    pins: dict[str, str] | None = None,
    since: float = NEVER,
    voices: Voices | None = None,
    now: float = 1000.0,
) -> dict[str, str]:
    current = current or {}
    view = View(current, dict.fromkeys(current, since), pins or {})
    return assign(receive, bundles(tracks), view, voices or Voices(), now)


def test_microphone_and_camera_of_one_participant_share_a_pair() -> None:
    given = settled(slots(3, 3), [*person("ann"), *person("bob")])
    assert given == {
        "a0": "ann:microphone",
        "v0": "ann:camera",
        "a1": "bob:microphone",
        "v1": "bob:camera",
    }


def test_a_camera_that_comes_later_joins_its_microphone() -> None:
    first = settled(slots(3, 3), [track("ann", "microphone"), *person("bob")])
    assert first["a1"] == "ann:microphone"
    then = settled(slots(3, 3), [track("ann", "microphone"), *person("bob"), track("ann", "camera")], first)
    assert then == {**first, "v1": "ann:camera"}


def test_a_screen_with_its_sound_is_a_pair_of_its_own() -> None:
    tracks = [*person("ann"), track("ann", "screen"), track("ann", "screen_audio")]
    given = settled(slots(2, 2), tracks)
    assert sorted(given.values()) == sorted(each.id for each in tracks)
    assert (given["a0"], given["v0"]) == ("ann:microphone", "ann:camera")


def test_a_screen_is_shown_where_not_everybody_fits() -> None:
    people = [*person("ann"), *person("bob"), *person("cid")]
    before = settled(slots(2, 2), people)
    given = settled(slots(2, 2), [*people, track("cid", "screen")], before)
    assert "cid:screen" in given.values()
    assert len(given) == 4


def test_who_leaves_frees_a_pair_and_nobody_else_moves() -> None:
    before = settled(slots(3, 3), [*person("ann"), *person("bob"), *person("cid")])
    after = settled(slots(3, 3), [*person("ann"), *person("cid")], before)
    assert after == {mid: given for mid, given in before.items() if not given.startswith("bob")}


def test_a_speaker_takes_the_pair_of_who_has_been_silent_longest() -> None:
    people = [*person("ann"), *person("bob"), *person("cid")]
    before = settled(slots(2, 2), people)
    voices = Voices({"ann:microphone": 990.0, "bob:microphone": 900.0}, frozenset({"cid:microphone"}))
    after = settled(slots(2, 2), people, before, voices=voices)
    assert after == {**before, "a1": "cid:microphone", "v1": "cid:camera"}


def test_a_newcomer_to_a_slot_is_not_replaced_within_the_dwelling_time() -> None:
    people = [*person("ann"), *person("bob")]
    before = settled(slots(1, 1), people)
    voices = Voices({}, frozenset({"bob:microphone"}))
    early = settled(slots(1, 1), people, before, since=1000.0 - MIN_DWELL / 2, voices=voices)
    late = settled(slots(1, 1), people, before, since=1000.0 - MIN_DWELL, voices=voices)
    assert (early["a0"], late["a0"]) == ("ann:microphone", "bob:microphone")


def test_who_speaks_is_not_replaced_by_somebody_else_who_speaks() -> None:
    people = [*person("ann"), *person("bob")]
    before = settled(slots(1, 1), people)
    voices = Voices({"ann:microphone": 10.0}, frozenset({"ann:microphone", "bob:microphone"}))
    assert settled(slots(1, 1), people, before, voices=voices) == before


def test_with_few_audio_slots_a_speaker_changes_places_with_who_was_heard() -> None:
    people = [*person("ann"), *person("bob")]
    before = settled(slots(1, 2), people)
    assert before == {"a0": "ann:microphone", "v0": "ann:camera", "v1": "bob:camera"}
    voices = Voices({}, frozenset({"bob:microphone"}))
    after = settled(slots(1, 2), people, before, voices=voices)
    assert after == {"a0": "bob:microphone", "v0": "bob:camera", "v1": "ann:camera"}


def test_a_muted_microphone_gives_its_slot_to_one_that_can_be_heard() -> None:
    people = [*person("ann", muted=True), *person("bob")]
    assert settled(slots(1, 2), people)["a0"] == "bob:microphone"


def test_a_pinned_camera_keeps_its_microphone_beside_it() -> None:
    people = [*person("ann"), *person("bob")]
    given = settled(slots(2, 2), people, pins={"v1": "ann:camera"})
    assert (given["v1"], given["a1"]) == ("ann:camera", "ann:microphone")
    assert (given["v0"], given["a0"]) == ("bob:camera", "bob:microphone")


def test_a_pin_of_the_wrong_kind_or_of_nobody_counts_for_nothing() -> None:
    pins = {"v0": "ann:microphone", "a0": "gone", "x": "ann:camera"}
    given = settled(slots(1, 1), person("ann"), pins=pins)
    assert given == {"a0": "ann:microphone", "v0": "ann:camera"}


def test_manual_policy_gives_what_was_asked_for() -> None:
    pins = {"v1": "ann:camera", "a0": "gone", "v0": "ann:microphone"}
    assert manual(slots(2, 2), person("ann"), pins) == {"v1": "ann:camera"}


PEERS = [f"p{number}" for number in range(6)]
TRACKS = st.lists(
    st.builds(
        track,
        st.sampled_from(PEERS),
        st.sampled_from(["microphone", "camera", "screen", "screen_audio"]),
        muted=st.booleans(),
    ),
    unique_by=lambda each: each.id,
    max_size=14,
)
GRIDS = st.builds(slots, st.integers(0, 5), st.integers(0, 5))


@st.composite
def situations(draw: st.DrawFn) -> tuple[list[ReceiveSlot], list[Track], View, Voices]:
    """A room after several arbitrary changes."""
    receive = draw(GRIDS)
    current: dict[str, str] = {}
    for _ in range(draw(st.integers(0, 3))):
        current = settled(receive, draw(TRACKS), current)
    tracks = draw(TRACKS)
    ids = [each.id for each in tracks]
    mids = [slot.mid for slot in receive]
    pins: dict[str, str] = {}
    if ids and mids:
        pins = draw(st.dictionaries(st.sampled_from(mids), st.sampled_from(ids), max_size=3))
        pins = {pinned: mid for mid, pinned in pins.items()}
        pins = {mid: pinned for pinned, mid in pins.items()}
    since = draw(st.sampled_from([NEVER, 999.5]))
    speaking = frozenset(draw(st.lists(st.sampled_from(ids)))) if ids else frozenset()
    last = dict.fromkeys(speaking, 1000.0)
    return receive, tracks, View(current, dict.fromkeys(current, since), pins), Voices(last, speaking)


@given(situations())
def test_every_assignment_is_sound(situation: tuple[list[ReceiveSlot], list[Track], View, Voices]) -> None:
    receive, tracks, view, voices = situation
    given_to = assign(receive, bundles(tracks), view, voices, 1000.0)
    kinds = {slot.mid: slot.kind for slot in receive}
    known = {each.id: each for each in tracks}
    assert len(set(given_to.values())) == len(given_to)
    assert all(known[each].kind == kinds[mid] for mid, each in given_to.items())
    for mid, pinned in view.pins.items():
        if pinned in known and known[pinned].kind == kinds[mid]:
            assert given_to[mid] == pinned
    for kind in ("audio", "video"):
        unseen = [each for each in tracks if each.kind == kind and each.id not in given_to.values()]
        empty = [mid for mid, each in kinds.items() if each == kind and mid not in given_to]
        assert not (unseen and empty)


@given(situations())
def test_an_assignment_that_is_asked_for_again_is_the_same(
    situation: tuple[list[ReceiveSlot], list[Track], View, Voices],
) -> None:
    receive, tracks, view, voices = situation
    first = assign(receive, bundles(tracks), view, voices, 1000.0)
    again = replace(view, current=first, since=dict.fromkeys(first, 999.9))
    assert assign(receive, bundles(tracks), again, voices, 1000.0) == first
    settled_long_ago = replace(again, since=dict.fromkeys(first, NEVER))
    later = assign(receive, bundles(tracks), settled_long_ago, voices, 1000.0)
    settled_again = replace(again, current=later, since=dict.fromkeys(later, NEVER))
    assert assign(receive, bundles(tracks), settled_again, voices, 1000.0) == later


@given(TRACKS, st.integers(0, 3))
def test_with_pairs_enough_partners_are_together(tracks: list[Track], spare: int) -> None:
    made = bundles(tracks)
    receive = slots(len(made) + spare, len(made) + spare)
    seat = {each: mid for mid, each in assign(receive, made, View(), Voices(), 0.0).items()}
    assert len(seat) == len(tracks)
    for each in tracks:
        partner = f"{each.peer_id}:{PARTNER.get(each.source)}"
        if partner in seat:
            assert seat[partner][1:] == seat[each.id][1:]
