"""The outbox rule: order, holding back, and what becomes of readers that are too slow."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from signaling.errors import CloseCode
from signaling.outbox import Closing, Frame, Outbox


class Desk:
    """A door whose transport takes nothing until it is told to."""

    def __init__(self, limit: int = 100) -> None:
        self.outbox = Outbox(self, limit)
        self.written: list[bytes] = []
        self.woken = 0
        self.stuck = False

    def wake(self) -> None:
        self.woken += 1

    def flush(self) -> None:
        if not self.stuck:
            self.written += [frame.payload for frame in self.outbox.take()]

    def push(self, *payloads: bytes) -> None:
        for payload in payloads:
            self.outbox.push(Frame(payload))


def test_a_turn_of_frames_wakes_the_door_once() -> None:
    desk = Desk()
    desk.push(b"a", b"b", b"c")
    assert desk.woken == 1
    desk.flush()
    assert desk.written == [b"a", b"b", b"c"]
    desk.push(b"d")
    assert desk.woken == 2


def test_a_reader_that_is_too_slow_loses_everything_and_is_told_why() -> None:
    desk = Desk()
    desk.stuck = True
    desk.push(b"x" * 60, b"y" * 60)
    assert desk.outbox.closing is not None
    assert desk.outbox.closing.code is CloseCode.TOO_SLOW
    assert desk.outbox.take() == []
    desk.push(b"late")
    assert desk.outbox.take() == []


def test_a_burst_of_one_turn_is_no_slowness() -> None:
    desk = Desk()
    desk.push(b"x" * 60, b"y" * 60, b"z" * 60)
    desk.flush()
    assert desk.outbox.closing is None
    assert [payload[:1] for payload in desk.written] == [b"x", b"y", b"z"]


def test_one_frame_may_be_larger_than_the_limit() -> None:
    desk = Desk()
    desk.push(b"x" * 500)
    desk.flush()
    assert (desk.outbox.closing, len(desk.written)) == (None, 1)


def test_what_is_held_comes_after_the_reply() -> None:
    desk = Desk()
    desk.outbox.hold()
    desk.push(b"event")
    desk.flush()
    assert desk.written == []
    desk.outbox.release(Frame(b"reply"))
    desk.flush()
    assert desk.written == [b"reply", b"event"]


def test_what_is_held_counts_against_the_limit() -> None:
    desk = Desk()
    desk.outbox.hold()
    desk.push(b"x" * 60, b"y" * 60)
    assert desk.outbox.closing is not None


def test_holding_that_is_given_up_keeps_what_was_held() -> None:
    desk = Desk()
    desk.outbox.hold()
    desk.push(b"event")
    desk.outbox.unhold()
    desk.push(b"more")
    desk.flush()
    assert desk.written == [b"event", b"more"]


def test_frames_go_before_the_close_and_the_first_reason_stands() -> None:
    desk = Desk()
    desk.push(b"last")
    desk.outbox.close(CloseCode.ROOM_CLOSED, "closed")
    desk.outbox.close(CloseCode.INTERNAL, "other")
    desk.push(b"late")
    desk.flush()
    assert desk.written == [b"last"]
    assert desk.outbox.closing == Closing(CloseCode.ROOM_CLOSED, "closed")


def test_a_door_may_take_frames_one_by_one() -> None:
    desk = Desk()
    desk.push(b"a", b"bb")
    first = desk.outbox.peek()
    assert first is not None
    assert first.payload == b"a"
    desk.outbox.drop_first()
    assert desk.outbox.size == 2
    desk.outbox.drop_first()
    assert (desk.outbox.peek(), desk.outbox.size) == (None, 0)


@given(st.lists(st.binary(min_size=1, max_size=40) | st.none(), max_size=60))
def test_the_bytes_that_wait_are_bounded_and_the_order_is_kept(steps: list[bytes | None]) -> None:
    """None: the door writes; else a frame is pushed. A stuck door never holds more than the limit."""
    desk = Desk(limit=100)
    desk.stuck = True
    pushed: list[bytes] = []
    for step in steps:
        if step is None:
            desk.stuck = False
            desk.flush()
            desk.stuck = True
        else:
            desk.push(step)
            pushed.append(step)
        assert desk.outbox.size <= 100
    assert desk.written == pushed[: len(desk.written)]
