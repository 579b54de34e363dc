"""Cursors are opaque texts that only we can have made."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from signaling.cursors import Cursor, cursor_of, tag_of

epochs = st.binary(min_size=6, max_size=6)
seqs = st.integers(0, 2**48 - 1)


@given(st.text(min_size=1), st.dictionaries(epochs, seqs, min_size=1, max_size=8))
def test_what_is_written_is_read(topic: str, positions: dict[bytes, int]) -> None:
    text = str(Cursor(tag_of(topic), positions))
    assert re.fullmatch(r"[A-Za-z0-9_-]+", text)
    read = Cursor.parse(text)
    assert read is not None
    assert (read.tag, read.positions) == (tag_of(topic), positions)


@given(epochs, seqs)
def test_the_cursor_of_an_entry_is_one_with_a_single_position(epoch: bytes, seq: int) -> None:
    assert cursor_of("news", epoch, seq) == str(Cursor(tag_of("news"), {epoch: seq}))


@given(st.one_of(st.text(), st.from_regex(r"[A-Za-z0-9_=+/-]{0,200}", fullmatch=True)))
def test_garbage_is_no_cursor_or_reads_back_as_itself(text: str) -> None:
    cursor = Cursor.parse(text)
    assert cursor is None or str(cursor) == text
