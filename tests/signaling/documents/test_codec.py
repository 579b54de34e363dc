from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycrdt import Array, Doc, Map, Text

from signaling.documents import awareness, hocuspocus, messages
from signaling.documents.lib0 import MAX_UINT, Malformed, Reader, write_bytes, write_string, write_uint
from signaling.documents.update import TooManyStructs, Walk, state_vector


@given(st.integers(0, MAX_UINT))
def test_numbers_come_back(value: int) -> None:
    assert Reader(write_uint(value)).uint() == value


@given(st.text())
def test_strings_are_counted_in_bytes_of_utf8(value: str) -> None:
    encoded = write_string(value)
    assert Reader(encoded).string() == value
    assert Reader(encoded).uint() == len(value.encode())


def test_numbers_of_more_than_53_bits_are_refused() -> None:
    with pytest.raises(Malformed):
        Reader(b"\xff" * 7 + b"\x7f").uint()


@pytest.mark.parametrize("data", [b"", b"\x80", b"\xff" * 9])
def test_cut_numbers_are_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        Reader(data).uint()


@given(st.binary())
def test_whatever_comes_in_is_a_message_or_malformed(data: bytes) -> None:
    for parse in (messages.parse, awareness.parse, state_vector, lambda d: Walk(d).run()):
        try:
            parse(data)
        except Malformed:
            continue


@given(st.binary())
def test_whatever_hocuspocus_frame_comes_in_is_a_body_or_malformed(data: bytes) -> None:
    try:
        _, reader = hocuspocus.parse_address(data)
        hocuspocus.parse_body(reader)
    except Malformed:
        return


def test_a_token_may_stand_behind_a_sub_type_or_alone() -> None:
    assert messages.parse(messages.token("abc")) == messages.Token("abc")
    assert messages.parse(b"\x02" + write_string("abc")) == messages.Token("abc")


def test_a_sync_message_of_unknown_type_is_malformed() -> None:
    with pytest.raises(Malformed, match="unknown type 7"):
        messages.parse(b"\x00\x07")


def test_a_type_of_a_later_protocol_is_passed_over() -> None:
    assert messages.parse(b"\x2a") == messages.Unknown(42)


def test_addresses_may_carry_a_session() -> None:
    address, reader = hocuspocus.parse_address(hocuspocus.prefix("notes\0s1") + hocuspocus.auth("t", "4.8.0"))
    assert (address, hocuspocus.name_of(address)) == ("notes\0s1", "notes")
    assert hocuspocus.parse_body(reader) == messages.Token("t")


@given(st.lists(st.tuples(st.integers(0, 20), st.text(min_size=1, max_size=4)), min_size=1, max_size=20))
def test_what_pycrdt_writes_is_walked_to_its_end(edits: list[tuple[int, str]]) -> None:
    doc: Doc[Any] = Doc()
    text = doc.get("text", type=Text)
    for position, words in edits:
        text.insert(0 if position > 10 else len(str(text).encode()), words, {"bold": position > 5})
    doc.get("map", type=Map)["nested"] = Map({"array": Array([1, "two", None, {"three": 3}])})
    walk = Walk(doc.get_update(), track=True).run()
    assert walk.nested == 2
    assert walk.nesting() == 2


def nested(levels: int) -> bytes:
    first = b"\x07\x01\x01a\x00"
    rest = b"".join(b"\x07\x00\x05" + write_uint(level) + b"\x00" for level in range(levels - 1))
    return b"\x01" + write_uint(levels) + b"\x05\x00" + first + rest + b"\x00"


def test_nesting_is_measured_however_deep_it_is() -> None:
    assert Walk(nested(50_000), track=True).run().nesting() == 50_000


def test_a_large_update_is_left_to_another_process() -> None:
    with pytest.raises(TooManyStructs):
        Walk(nested(3_000), limit=2_000).run()


@pytest.mark.parametrize(
    "update",
    [
        b"\x01\x00\x89\x06\x01\x00",  # a section without structs: yrs panics
        b"\x01\x01\x05\xff\xff\xff\xff\x7f\x04\x01\x01t\x01a\x00",  # a clock beyond 32 bits: yrs panics
        b"\x01\x01\x05\x00\x04\x01\x01t\x00\x00",  # a string of no length
        b"\x01\x01\x05\x00\x0b\x01\x01t\x00\x00",  # content that only yrs knows: Yjs clients break
        b"\x01\x01\x05\x00\x05\x01\x01t\x03{x}\x00",  # no JSON: Yjs clients break
        b"\x01\x01\x05\x00\x08\x01\x01t\x01" + b"\x75\x01" * 100 + b"\x7e\x00",  # overflows stacks
        b"\x00\x00\x00",  # something behind the end
    ],
)
def test_updates_that_break_others_are_refused(update: bytes) -> None:
    with pytest.raises(Malformed):
        Walk(update).run()


def test_pieces_of_bytes_are_bounded_by_what_is_there() -> None:
    with pytest.raises(Malformed):
        Reader(write_bytes(b"abc")[:-1]).blob()
