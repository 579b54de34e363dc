from dataclasses import dataclass, field

import pytest

from signaling.documents.awareness import GONE, MAX_CLIENTS, Awareness, parse
from signaling.documents.lib0 import Malformed, write_string, write_uint


@dataclass(eq=False)
class Page:
    identity: str
    clients: set[int] = field(default_factory=set)


def message(*entries: tuple[int, int, str]) -> bytes:
    return write_uint(len(entries)) + b"".join(
        write_uint(client) + write_uint(clock) + write_string(text) for client, clock, text in entries
    )


def test_a_state_is_told_and_is_gone_with_its_connection() -> None:
    awareness, ann = Awareness(), Page("ann")
    assert awareness.receive(message((1, 1, '{"name":"ann"}')), ann) == [1]
    assert parse(awareness.encode([1])) == [(1, 1, '{"name":"ann"}')]
    assert awareness.leave(ann) == [1]
    assert parse(awareness.encode([1])) == [(1, 1, GONE)]
    assert len(awareness) == 0


def test_nobody_writes_the_state_of_another() -> None:
    awareness, ann, bob = Awareness(), Page("ann"), Page("bob")
    awareness.receive(message((1, 1, '"ann"')), ann)
    assert awareness.receive(message((1, 9, '"not ann"'), (2, 1, '"bob"')), bob) == [2]
    assert awareness.receive(message((1, 9, GONE)), bob) == []
    assert awareness.states() == {1: '"ann"', 2: '"bob"'}


def test_an_echo_of_who_left_does_not_bring_them_back() -> None:
    awareness, ann, bob = Awareness(), Page("ann"), Page("bob")
    awareness.receive(message((1, 3, '"ann"')), ann)
    awareness.leave(ann)
    assert awareness.receive(message((1, 3, '"ann"')), bob) == []
    assert awareness.receive(message((1, 4, '"ann"')), bob) == []


def test_who_reconnects_with_an_old_clock_is_seen_at_once() -> None:
    awareness, old, new = Awareness(), Page("ann"), Page("ann")
    awareness.receive(message((1, 3, '"ann"')), old)
    awareness.leave(old)
    assert awareness.receive(message((1, 3, '"ann"')), new) == [1]
    assert parse(awareness.encode([1])) == [(1, 4, '"ann"')]


def test_a_new_connection_takes_over_from_one_that_is_not_noticed_dead() -> None:
    awareness, old, new = Awareness(), Page("ann"), Page("ann")
    awareness.receive(message((1, 3, '"ann"')), old)
    awareness.receive(message((1, 3, '"ann"')), new)
    assert awareness.leave(old) == []
    assert awareness.states() == {1: '"ann"'}


def test_an_echo_by_another_page_of_the_same_person_takes_nothing_over() -> None:
    awareness, one, two = Awareness(), Page("ann"), Page("ann")
    awareness.receive(message((1, 3, '"one"')), one)
    awareness.receive(message((2, 1, '"two"')), two)
    awareness.receive(message((1, 3, '"one"')), two)
    assert awareness.leave(two) == [2]
    assert awareness.states() == {1: '"one"'}


def test_old_clocks_change_nothing() -> None:
    awareness, ann = Awareness(), Page("ann")
    awareness.receive(message((1, 5, '"new"')), ann)
    assert awareness.receive(message((1, 4, '"old"')), ann) == []
    assert awareness.states() == {1: '"new"'}


def test_a_connection_introduces_a_bounded_number_of_ids() -> None:
    awareness, mallory = Awareness(), Page("mallory")
    entries = [(client, 1, "{}") for client in range(1, MAX_CLIENTS + 50)]
    assert len(awareness.receive(message(*entries), mallory)) == MAX_CLIENTS


def test_what_is_no_json_is_refused_as_a_whole() -> None:
    awareness, mallory = Awareness(), Page("mallory")
    with pytest.raises(Malformed):
        awareness.receive(message((1, 1, "{}"), (2, 1, "{")), mallory)
    assert awareness.states() == {}
