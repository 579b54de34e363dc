"""What we write into aiohttp's connections: frames that aiohttp itself and another library read."""

from __future__ import annotations

import asyncio
import inspect
from urllib.parse import urlsplit

import aiohttp
import pytest
from aiohttp import web
from aiohttp._websocket.writer import WebSocketWriter
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Close, Frame, Opcode
from websockets.streams import StreamReader

from signaling.http.framing import PING, TEXT, close_frame, encode, text_frame
from signaling.outbox import Frame as OutboxFrame
from signaling.server import Server
from tests.signaling.serving import connected, token


def read(data: bytes) -> Frame:
    """One frame, read by the `websockets` library."""
    stream = StreamReader()
    stream.feed_data(data)
    parsing = Frame.parse(stream.read_exact, mask=False, max_size=None)
    with pytest.raises(StopIteration) as done:
        next(parsing)
    frame: Frame = done.value.value
    return frame


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 300_000])
def test_every_length_is_framed_as_the_rfc_wants_it(size: int) -> None:
    frame = read(encode(TEXT, b"x" * size))
    assert (frame.opcode, frame.fin, len(frame.data)) == (Opcode.TEXT, True, size)


@given(st.text(max_size=300), st.integers(4000, 4999))
def test_a_reason_of_any_length_is_cut_to_fit_and_stays_text(reason: str, code: int) -> None:
    frame = read(close_frame(code, reason))
    close = Close.parse(frame.data)
    assert (frame.opcode, close.code) == (Opcode.CLOSE, code)
    assert reason.startswith(close.reason)


def test_a_frame_is_encoded_once_for_all_its_readers() -> None:
    frame = OutboxFrame(b"{}")
    assert text_frame(frame) is text_frame(frame)


def test_a_ping_is_a_control_frame() -> None:
    assert read(encode(PING, b"")).opcode is Opcode.PING


def test_aiohttp_writes_whole_frames_to_the_transport_at_once() -> None:
    """Frames of ours and of aiohttp's cannot be mixed up only while its writer does not await inside one."""
    writing = WebSocketWriter._write_websocket_frame
    assert not inspect.iscoroutinefunction(writing)
    assert "transport.write" in inspect.getsource(writing)


def test_aiohttp_closes_through_the_method_that_we_override() -> None:
    source = inspect.getsource(web.WebSocketResponse.receive)
    assert "await self.close(code=exc.code)" in source
    assert "await self.close()" in inspect.getsource(web.WebSocketResponse.write_eof)


async def test_pings_are_answered_between_our_frames(server: Server) -> None:
    async with connected(server, autoping=False) as ann:
        await ann.ws.ping(b"are you there")
        await ann.ws.send_json({"id": 1, "type": "ping"})
        pong = await ann.ws.receive(timeout=5)
        assert (pong.type, bytes(pong.data)) == (aiohttp.WSMsgType.PONG, b"are you there")
        assert "at_ms" in await ann.receive()


async def test_fragmented_messages_are_put_together(server: Server) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(server.url).port)
    writer.write(
        f"GET /v1/ws?token={token()} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    head = await reader.readuntil(b"\r\n\r\n")
    assert b"101" in head
    assert b"permessage-deflate" not in head
    for opcode, fin, payload in (
        (Opcode.TEXT, False, b'{"id": 1, '),
        (Opcode.CONT, True, b'"type": "ping"}'),
    ):
        writer.write(Frame(opcode, payload, fin).serialize(mask=True))
    first, size = await reader.readexactly(2)
    assert (first, (await reader.readexactly(size))[:8]) == (0x81, b'{"re":1,')
    writer.close()


async def test_text_that_is_no_utf8_closes_with_4400(server: Server) -> None:
    async with connected(server) as ann:
        writer = ann.ws._writer
        await writer.send_frame(b"\xff\xfe", aiohttp.WSMsgType.TEXT)
        assert await ann.close_code() == 4400
