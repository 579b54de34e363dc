"""Joining pieces of text that come within a moment."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from signaling.pieces import Pieces


def test_the_first_piece_passes_at_once_and_the_rest_of_the_window_is_joined() -> None:
    pieces = Pieces()
    assert pieces.add("a") == "a"
    assert pieces.add("b") is None
    assert pieces.add("c") is None
    assert pieces.close() == "bc"


def test_a_window_without_pieces_is_the_last() -> None:
    pieces = Pieces()
    pieces.add("a")
    assert pieces.close() == ""
    assert pieces.add("b") == "b"


def test_a_window_with_pieces_is_followed_by_another() -> None:
    pieces = Pieces()
    pieces.add("a")
    pieces.add("b")
    pieces.close()
    assert pieces.add("c") is None


@given(st.lists(st.one_of(st.text(min_size=1), st.none(), st.just(0))))
def test_no_character_is_lost_or_moved(steps: list[str | int | None]) -> None:
    pieces = Pieces()
    passed = []
    for step in steps:
        if isinstance(step, str):
            passed.append(pieces.add(step) or "")
        else:
            passed.append(pieces.close() if step is None else pieces.take())
    passed.append(pieces.take())
    assert "".join(passed) == "".join(step for step in steps if isinstance(step, str))
