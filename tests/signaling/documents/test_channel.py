from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycrdt import Doc, Text

from rtc.errors import ChannelFull
from signaling.documents import messages
from signaling.documents.channel import PIECE_BYTES, Assembly, ChannelDoor, pieces
from signaling.documents.lib0 import Malformed, Reader
from signaling.server import Server
from signaling.tokens import Claims, DocumentRule
from tests.signaling.documents.peer import eventually, synced

WRITER = Claims(sub="ann", exp=2e9, docs=(DocumentRule("*", "write"),))


@given(st.integers(0, 5 * PIECE_BYTES))
def test_messages_come_back_from_their_pieces(length: int) -> None:
    message = bytes(length)
    assembly = Assembly()
    cut = pieces(message)
    assert all(len(piece) <= PIECE_BYTES for piece in cut)
    assert [assembly.add(piece) for piece in cut] == [None] * (len(cut) - 1) + [message]


@pytest.mark.parametrize("piece", [b"", b"\x02x"])
def test_what_is_no_piece_is_malformed(piece: bytes) -> None:
    with pytest.raises(Malformed):
        Assembly().add(piece)


class Channel:
    """A data channel whose other end is the test; it takes `room` bytes at a time."""

    protocol = ""

    def __init__(self, label: str, room: int = 64 * 1024) -> None:
        self.label = label
        self.room = room
        self.open = True
        self.buffered_amount = 0
        self.on_message: Callable[[bytes | str], None] | None = None
        self.on_close: Callable[[], None] | None = None
        self.on_drained: Callable[[], None] | None = None
        self.doc: Doc[Any] = Doc()
        self.messages: list[bytes] = []
        self._assembly = Assembly()

    def send(self, data: bytes | str) -> None:
        assert isinstance(data, bytes)
        if self.buffered_amount > self.room:
            raise ChannelFull
        self.buffered_amount += len(data)
        if (message := self._assembly.add(data)) is not None:
            self.messages.append(message)
            self._apply(message)

    def drain(self) -> None:
        self.buffered_amount = 0
        if self.on_drained is not None:
            self.on_drained()

    def close(self) -> None:
        self.open = False
        if self.on_close is not None:
            self.on_close()

    def say(self, message: bytes) -> None:
        assert self.on_message is not None
        for piece in pieces(message):
            self.on_message(piece)

    @property
    def text(self) -> str:
        return str(self.doc.get("text", type=Text))

    def _apply(self, message: bytes) -> None:
        if message[:1] == b"\x00":
            match messages.parse_sync(Reader(message, 1)):
                case messages.Update(update) | messages.SyncStep2(update):
                    self.doc.apply_update(update)


async def test_a_document_is_reached_by_two_doors_at_once(server: Server) -> None:
    channel = Channel("doc:notes")
    ChannelDoor(server.documents, channel, WRITER)
    async with synced(server, "notes") as ann:
        channel.say(messages.sync_step_1(b"\x00"))
        await ann.write("hello")
        await eventually(lambda: channel.text == "hello")
        doc: Doc[Text] = Doc()
        doc["text"] = Text("from the channel ")
        channel.say(messages.update(doc.get_update()))
        await ann.until(lambda: "from the channel" in str(ann.text))
    channel.close()
    await eventually(lambda: not len(server.documents))


async def test_twenty_megabytes_go_down_a_channel_piece_by_piece(server: Server) -> None:
    async with server.document("large") as doc:
        doc.get("text", type=Text).insert(0, "x" * 20_000_000)
    channel = Channel("doc:large")
    ChannelDoor(server.documents, channel, WRITER)
    channel.say(messages.sync_step_1(b"\x00"))

    def arrived() -> bool:
        channel.drain()
        return len(channel.text) == 20_000_000

    await eventually(arrived)
    assert channel.buffered_amount <= channel.room
    channel.close()


async def test_a_channel_without_access_is_told(server: Server) -> None:
    channel = Channel("doc:notes")
    ChannelDoor(server.documents, channel, Claims(sub="eve", exp=2e9))
    await eventually(lambda: channel.messages)
    assert channel.messages[0][:2] == b"\x02\x00"


async def test_a_channel_that_breaks_the_protocol_is_closed(server: Server) -> None:
    channel = Channel("doc:notes")
    ChannelDoor(server.documents, channel, WRITER)
    await eventually(lambda: channel.messages)
    channel.say(b"\x00\x09")
    await eventually(lambda: not channel.open)
