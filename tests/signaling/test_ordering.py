from __future__ import annotations

from signaling.ordering import MAX_WAITING, Ordering


def test_an_event_waits_for_the_logged_ones_before_it_only() -> None:
    told: list[str] = []
    order = Ordering()
    order.after(lambda: told.append("at once"))
    first = order.ticket()
    order.after(lambda: told.append("after first"))
    second = order.ticket()
    order.after(lambda: told.append("after second"))
    assert told == ["at once"]
    order.settle(second)
    assert told == ["at once"]
    order.settle(first)
    assert told == ["at once", "after first", "after second"]
    assert order.idle


def test_a_later_write_does_not_hold_back_an_earlier_event() -> None:
    told: list[str] = []
    order = Ordering()
    first = order.ticket()
    order.after(lambda: told.append("slot"))
    order.ticket()
    order.settle(first)
    assert told == ["slot"]


def test_fleeting_events_are_dropped_when_too_many_wait() -> None:
    told: list[int] = []
    order = Ordering()
    ticket = order.ticket()
    for number in range(MAX_WAITING + 10):
        order.after(lambda number=number: told.append(number), fleeting=True)  # type: ignore[misc]  # loop value
    order.after(lambda: told.append(-1))
    order.settle(ticket)
    assert told == [*range(MAX_WAITING), -1]
