"""A WebSocket that aiohttp reads and we write.

aiohttp unmasks, reassembles and checks what comes in. What goes out is framed once per message (RFC 6455
section 5.2), not once per reader, and a loop turn's frames go to the transport in one write: the system call
is what a delivery costs. This is safe because aiohttp, too, writes whole frames to the transport
synchronously, and here it writes none: compression, automatic pongs and automatic closing are off.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from aiohttp import WSCloseCode, web
from aiohttp.abc import AbstractStreamWriter

from signaling.errors import CloseCode
from signaling.outbox import Frame

FIN = 0x80
TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA
# RFC 6455 section 5.5: a control frame's payload, of which a close frame's code takes two bytes.
MAX_CONTROL_BYTES = 125
MAX_REASON_BYTES = MAX_CONTROL_BYTES - 2
# What aiohttp finds wrong in the stream, in the codes of protocol section 3.
CODES: dict[int, CloseCode] = {
    WSCloseCode.MESSAGE_TOO_BIG: CloseCode.TOO_LARGE,
    WSCloseCode.INVALID_TEXT: CloseCode.BAD_MESSAGE,
}


def encode(opcode: int, payload: bytes) -> bytes:
    """One unfragmented, unmasked frame."""
    size = len(payload)
    if size < 126:
        return bytes((FIN | opcode, size)) + payload
    if size < 0x10000:
        return bytes((FIN | opcode, 126)) + size.to_bytes(2, "big") + payload
    return bytes((FIN | opcode, 127)) + size.to_bytes(8, "big") + payload


def text_frame(frame: Frame) -> bytes:
    """The frame as a text message, encoded at the first of its readers."""
    if frame.wire is None:
        frame.wire = encode(TEXT, frame.payload)
    return frame.wire


def close_frame(code: int, reason: str) -> bytes:
    cut = reason.encode()[:MAX_REASON_BYTES].decode(errors="ignore").encode()
    return encode(CLOSE, code.to_bytes(2, "big") + cut)


class FramedSocket(web.WebSocketResponse):
    """`put` and `say_close` are for the loop's thread, after `prepare`."""

    def __init__(self, protocols: Iterable[str], max_message_bytes: int) -> None:
        super().__init__(
            protocols=protocols,
            max_msg_size=max_message_bytes,
            autoclose=False,
            autoping=False,
            compress=False,
        )
        self._transport: asyncio.Transport | None = None
        self.close_said = False

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter:
        writer = await super().prepare(request)
        # None when the client has gone meanwhile: reading will tell.
        self._transport = request.transport
        return writer

    @property
    def open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing() and not self.close_said

    @property
    def backlog(self) -> int:
        """Bytes that were written and that the kernel has not taken yet."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def put(self, frames: bytes) -> None:
        """Whole frames only. Nothing is written once the close frame is."""
        if self.open and self._transport is not None:
            self._transport.write(frames)

    def say_close(self, code: int, reason: str) -> None:
        """Write the close frame, once."""
        self.put(close_frame(code, reason))
        self.close_said = True

    def hang_up(self) -> None:
        """Close the connection behind what is written."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close the connection now, whatever the peer has not read."""
        if self._transport is not None:
            self._transport.abort()

    async def close(self, *, code: int = WSCloseCode.OK, message: bytes = b"", drain: bool = True) -> bool:
        """Called by aiohttp when the stream is broken and when the handler is done."""
        self.say_close(CODES.get(code, code), message.decode(errors="ignore"))
        return True
