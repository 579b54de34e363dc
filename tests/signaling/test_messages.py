"""Decoding requests: what is taken, what is refused and how it is said."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling import messages
from signaling.messages import Refusal, Request, TooLarge, Unanswerable, decode

CONTRACT = Path(__file__).parents[1] / "contract"
Json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def contract(name: str) -> list[Any]:
    fixtures: list[Any] = json.loads((CONTRACT / f"{name}.json").read_text())
    return [pytest.param(fixture, id=fixture["name"]) for fixture in fixtures]


@pytest.mark.parametrize("fixture", contract("requests"))
def test_what_clients_send_is_decoded(fixture: dict[str, Any]) -> None:
    request = decode(json.dumps(fixture["message"]))
    assert isinstance(request, Request), request
    assert request.id == fixture["message"]["id"]


@pytest.mark.parametrize("fixture", contract("refused"))
def test_what_is_wrong_is_refused_by_its_field(fixture: dict[str, Any]) -> None:
    refusal = decode(json.dumps(fixture["message"]))
    assert isinstance(refusal, Refusal)
    assert refusal.error.code == "bad_request"
    assert fixture["field"] in refusal.error.message


@pytest.mark.parametrize(
    "text",
    ["", "nonsense", "null", "[]", "{}", '{"type": "ping"}', '{"id": null, "type": "ping"}', '{"id": true}',
     '{"id": 1.5, "type": "ping"}', "[" * 60_000, '{"id": 1, "type": "ping"'],
)  # fmt: skip
def test_what_has_no_id_cannot_be_answered(text: str) -> None:
    with pytest.raises(Unanswerable):
        decode(text)


def test_half_a_surrogate_pair_is_answered() -> None:
    refusal = decode('{"id": 1, "type": "chat.send", "text": "\\ud83d"}')
    assert isinstance(refusal, Refusal)
    assert refusal.error.code == "bad_request"


@pytest.mark.parametrize(
    "message",
    [
        {"type": "chat.send", "text": "x" * 8193},
        {"type": "chat.send", "text": "é" * 4097},
        {"type": "presence.set", "state": {"x": "y" * 4096}},
        {"type": "join", "room": "demo", "presence": {"x": "y" * 4096}},
        {"type": "event.send", "name": "x" * 257},
    ],
)
def test_a_field_that_is_too_long_is_too_large(message: dict[str, Any]) -> None:
    refusal = decode(json.dumps({"id": 1, **message}))
    assert isinstance(refusal, Refusal)
    assert refusal.error.code == "too_large"


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ({"type": "chat.history", "limit": 0}, "limit"),
        ({"type": "presence.set", "state": {}, "ttl_ms": 0}, "ttl_ms"),
        ({"type": "media.subscribe", "mid": "1", "track": "t", "max_height": 0}, "max_height"),
        ({"type": "media.subscribe", "mid": "1", "track": "t", "max_fps": 70_000}, "max_fps"),
        ({"type": "media.subscribe", "mid": "1", "track": "t", "priority": 256}, "priority"),
    ],
)
def test_a_number_out_of_range_names_its_field_and_limits(message: dict[str, Any], field: str) -> None:
    refusal = decode(json.dumps({"id": 1, **message}))
    assert isinstance(refusal, Refusal)
    assert f"{field} must be from" in refusal.error.message


def sized(kind: str, size: int, **fields: Any) -> str:
    """A message of exactly `size` bytes."""
    empty = json.dumps({"id": 1, "type": kind, **fields, "filler": ""})
    return json.dumps({"id": 1, "type": kind, **fields, "filler": "x" * (size - len(empty))})


@pytest.mark.parametrize(
    ("kind", "limit", "fields"),
    [
        ("ping", messages.MAX_MESSAGE_BYTES, {}),
        ("chat.history", messages.MAX_MESSAGE_BYTES, {}),
        ("signal", messages.MAX_LARGE_MESSAGE_BYTES, {"to": "p", "data": None}),
        ("media.offer", messages.MAX_LARGE_MESSAGE_BYTES, {"sdp": ""}),
    ],
)
def test_each_type_has_its_size(kind: str, limit: int, fields: dict[str, Any]) -> None:
    assert isinstance(decode(sized(kind, limit, **fields)), Request)
    with pytest.raises(TooLarge):
        decode(sized(kind, limit + 1, **fields))


@given(Json)
def test_relayed_data_is_kept_as_it_was_written(data: Any) -> None:
    request = decode(json.dumps({"id": 1, "type": "signal", "to": "p", "data": data}))
    if isinstance(request, messages.Signal):
        assert json.loads(msgspec.json.encode({"data": request.data}))["data"] == data


@given(st.text() | Json.map(json.dumps))
def test_any_text_is_decoded_refused_or_unanswerable(text: str) -> None:
    with suppress(Unanswerable, TooLarge):
        decode(text)


@given(st.dictionaries(st.sampled_from(["room", "to", "data", "sdp", "mid", "state", "text"]), Json),
       st.sampled_from(["join", "signal", "media.offer", "presence.set", "chat.send", "dance"]))  # fmt: skip
def test_an_object_with_an_id_is_always_answered(fields: dict[str, Any], kind: str) -> None:
    request = decode(json.dumps({**fields, "id": 7, "type": kind}))
    assert request.id == 7
