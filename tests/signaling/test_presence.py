"""The pace of presence, on a clock of the test."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from signaling.presence import OUTDATED_TIMES, PACE_SECONDS, Presence


def run_until(presence: Presence, end: float) -> list[tuple[float, str, Any]]:
    told = []
    while (at := presence.deadline()) is not None and at <= end:
        told += [(at, *what) for what in presence.tick(at)]
    return told


def test_the_first_state_is_told_at_once() -> None:
    assert Presence().set("ann", {"x": 1}, 10.0) == {"x": 1}


def test_what_follows_within_the_pace_is_told_once_with_the_latest() -> None:
    presence = Presence()
    presence.set("ann", {"x": 1}, 10.0)
    assert presence.set("ann", {"x": 2}, 10.01) is None
    assert presence.set("ann", {"x": 3}, 10.02) is None
    assert run_until(presence, 11.0) == [(10.0 + PACE_SECONDS, "ann", {"x": 3})]


def test_a_state_ends_with_its_time_to_live() -> None:
    presence = Presence()
    presence.set("ann", {"typing": True}, 10.0, 4000)
    assert run_until(presence, 20.0) == [(14.0, "ann", {})]


def test_a_newer_state_outlives_the_time_of_the_one_before() -> None:
    presence = Presence()
    presence.set("ann", {"typing": True}, 10.0, 4000)
    presence.set("ann", {"away": True}, 12.0)
    assert run_until(presence, 20.0) == []


def test_a_time_to_live_shorter_than_the_pace_still_clears() -> None:
    presence = Presence()
    presence.set("ann", {"x": 1}, 10.0, 10)
    assert [state for *_, state in run_until(presence, 20.0)] == [{}]


def test_nothing_is_told_of_who_has_left() -> None:
    presence = Presence()
    presence.set("ann", {"x": 1}, 10.0, 100)
    presence.set("ann", {"x": 2}, 10.0, 100)
    presence.forget("ann")
    assert run_until(presence, 20.0) == []


def test_times_that_were_replaced_do_not_pile_up() -> None:
    presence = Presence()
    for number in range(10_000):
        presence.set("ann", {"n": number}, 10.0 + number, 86_400_000)
    assert len(presence._times) <= OUTDATED_TIMES + 3


people = st.sampled_from(["ann", "bob"])
steps = st.lists(
    st.tuples(people, st.integers(0, 120), st.one_of(st.none(), st.integers(1, 200))), max_size=60
)


@given(steps)
def test_the_last_state_is_always_told_and_never_faster_than_the_pace(
    sets: list[tuple[str, int, int | None]],
) -> None:
    presence = Presence()
    now = 1000.0
    told: dict[str, list[tuple[float, Any]]] = {"ann": [], "bob": []}
    last: dict[str, Any] = {}
    for number, (person, step_ms, ttl_ms) in enumerate(sets):
        now += step_ms / 1000
        for at, name, state in run_until(presence, now):
            told[name].append((at, state))
        state = presence.set(person, {"n": number}, now, ttl_ms)
        last[person] = {"n": number} if ttl_ms is None else {}
        if state is not None:
            told[person].append((now, state))
    for at, name, state in run_until(presence, now + 1000):
        told[name].append((at, state))
    assert {name: seen[-1][1] for name, seen in told.items() if seen} == last
    for seen in told.values():
        gaps = [after - before for (before, _), (after, _) in pairwise(seen)]
        assert all(gap >= PACE_SECONDS - 1e-6 for gap in gaps)
