"""aiortc's DTLS and SCTP on our datagrams: its private names, the keys, data channels, and the end."""

from __future__ import annotations

import asyncio
import datetime
import inspect
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from aiortc import RTCCertificate, RTCDataChannel, RTCDataChannelParameters
from aiortc.rtcdtlstransport import (
    SRTP_AEAD_AES_256_GCM,
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCDtlsTransport,
    State,
)
from aiortc.rtcicetransport import RTCIceTransport
from aiortc.rtcsctptransport import RTCSctpCapabilities, RTCSctpTransport
from google_crc32c import value as crc32c

from rtc.channels import MAX_BUFFERED, DataChannel
from rtc.errors import ChannelFull, TransportError
from rtc.sdp import Fingerprint
from rtc.transport import Certificates, Transport, fingerprint_of

SIGNATURES = {
    RTCDtlsTransport.__init__: ["self", "transport", "certificates"],
    RTCDtlsTransport._set_role: ["self", "role"],
    RTCDtlsTransport._set_state: ["self", "state"],
    RTCDtlsTransport._setup_srtp: ["self"],
    RTCDtlsTransport._recv_next: ["self"],
    RTCSctpTransport.__init__: ["self", "transport", "port"],
    RTCSctpTransport.start: ["self", "remoteCaps", "remotePort"],
    RTCSctpTransport._handle_data: ["self", "data"],
}


@pytest.mark.parametrize(
    ("method", "names"), SIGNATURES.items(), ids=lambda each: getattr(each, "__qualname__", "")
)
def test_private_methods_of_aiortc_take_what_the_transport_gives(method: Any, names: list[str]) -> None:
    assert list(inspect.signature(method).parameters) == names


async def test_private_attributes_of_aiortc_are_there() -> None:
    ice = cast(RTCIceTransport, object())
    dtls = RTCDtlsTransport(ice, [RTCCertificate.generateCertificate()])
    assert dtls._ssl is None
    assert dtls._task is None
    assert dtls._role == "auto"
    assert dtls.state == "new"
    assert {each.openssl_profile for each in dtls._srtp_profiles} >= {b"SRTP_AEAD_AES_128_GCM"}
    sctp = RTCSctpTransport(dtls)
    assert (sctp._advertised_rwnd, sctp._sack_misordered) == (1024 * 1024, set())
    assert {State.CONNECTED, State.CLOSED, State.FAILED} <= set(State)


class Wire:
    """What the client's DTLS transport takes for its ICE transport."""

    role = "controlling"

    def __init__(self) -> None:
        self.inbox: asyncio.Queue[bytes] = asyncio.Queue()
        self.deliver: Callable[[bytes], None] = lambda _: None

    async def _recv(self) -> bytes:
        return await self.inbox.get()

    async def _send(self, data: bytes) -> None:
        self.deliver(data)


class Pair:
    """Our transport and a client of plain aiortc, joined in memory."""

    def __init__(self, fingerprint: Fingerprint | None = None) -> None:
        self.wire = Wire()
        certificate = RTCCertificate.generateCertificate()
        self.client = RTCDtlsTransport(cast(RTCIceTransport, self.wire), [certificate])
        self.client._set_role("client")
        self.keys: dict[str, Any] = {}
        self.lost: list[str] = []
        self.channels: asyncio.Queue[DataChannel] = asyncio.Queue()
        self.connected = asyncio.Event()
        self.ended = asyncio.Event()
        self.certificate = Certificates().current()
        self.server = Transport(
            certificate=self.certificate,
            remote_fingerprints=[fingerprint or fingerprint_of(certificate)],
            send=self.wire.inbox.put_nowait,
            on_keys=lambda profile, **keys: self.keys.update(keys, profile=profile),
            on_connected=self.connected.set,
            on_lost=self._lose,
            on_channel=self._open,
        )
        self.wire.deliver = self.server.receive
        self.sctp: RTCSctpTransport | None = None

    def _lose(self, reason: str) -> None:
        self.lost.append(reason)
        self.ended.set()

    def _open(self, channel: DataChannel) -> None:
        channel.on_message = lambda data: channel.send(data)
        self.channels.put_nowait(channel)

    async def connect(self) -> None:
        ours = fingerprint_of(self.certificate)
        await self.client.start(RTCDtlsParameters([RTCDtlsFingerprint(ours.algorithm, ours.value)]))

    async def open(self, label: str) -> tuple[RTCDataChannel, DataChannel]:
        if self.sctp is None:
            self.server.open_data(5000, 65_536)
            self.sctp = RTCSctpTransport(self.client)
            await self.sctp.start(RTCSctpCapabilities(maxMessageSize=65_536), 5000)
        theirs = RTCDataChannel(self.sctp, RTCDataChannelParameters(label=label))
        return theirs, await self.channels.get()


@asynccontextmanager
async def pair(fingerprint: Fingerprint | None = None) -> AsyncIterator[Pair]:
    joined = Pair(fingerprint)
    try:
        async with asyncio.timeout(20):
            yield joined
    finally:
        await joined.server.close()
        if joined.sctp is not None:
            await joined.sctp.stop()
        await joined.client.stop()


async def test_both_ends_have_the_same_keys_and_aes_128_is_preferred() -> None:
    async with pair() as joined:
        await joined.connect()
        await joined.connected.wait()
        assert joined.keys["profile"] == 7
        assert joined.client._ssl is not None
        exported = joined.client._ssl.export_keying_material(b"EXTRACTOR-dtls_srtp", 2 * (16 + 12))
        told = [joined.keys[name] for name in ("remote_key", "local_key", "remote_salt", "local_salt")]
        assert b"".join(told) == exported


async def test_a_peer_that_has_only_aes_256_gets_it() -> None:
    async with pair() as joined:
        joined.client._srtp_profiles = [SRTP_AEAD_AES_256_GCM]
        await joined.connect()
        await joined.connected.wait()
        assert (joined.keys["profile"], len(joined.keys["local_key"])) == (8, 32)


async def test_another_certificate_than_the_offered_one_is_refused() -> None:
    async with pair(Fingerprint("sha-256", ":".join(["00"] * 32))) as joined:
        await joined.connect()
        await joined.ended.wait()
        assert joined.lost == ["dtls"]
        assert not joined.keys


async def test_a_message_comes_back_over_a_data_channel() -> None:
    async with pair() as joined:
        await joined.connect()
        theirs, ours = await joined.open("events")
        echoed: asyncio.Queue[bytes | str] = asyncio.Queue()
        theirs.on("message", echoed.put_nowait)
        assert (ours.label, ours.protocol, ours.open) == ("events", "", True)
        for message in ("grüße", b"\x00\xff"):
            theirs.send(message)
            assert await echoed.get() == message


async def test_a_handler_that_fails_and_text_that_is_none_do_not_end_the_transport() -> None:
    async with pair() as joined:
        await joined.connect()
        theirs, ours = await joined.open("events")
        heard: asyncio.Queue[bytes | str] = asyncio.Queue()

        def fail(data: bytes | str) -> None:
            heard.put_nowait(data)
            raise RuntimeError("a bug of ours")

        ours.on_message = fail
        theirs.send(b"one")
        assert await heard.get() == b"one"
        assert joined.sctp is not None
        await joined.sctp._send(theirs.id or 0, 51, b"\xff\xfe")  # 51: text (RFC 8831), and this is no UTF-8
        theirs.send(b"two")
        assert await heard.get() == b"two"
        assert joined.lost == []


def packet(tag: int, chunks: bytes) -> bytes:
    """An SCTP packet whose checksum is right (RFC 9260 section 6.8), so that what is in it is looked at."""
    header = struct.pack("!HHL", 5000, 5000, tag)
    return header + struct.pack("<L", crc32c(header + bytes(4) + chunks)) + chunks


INIT = bytes([1, 0, 0, 20]) + bytes(16)
MALFORMED = {
    "nothing": b"",
    "a chunk that is longer than its packet": bytes([0, 3, 0, 200]) + bytes(8),
    "a chunk without length": bytes([0, 3, 0, 0]),
    "a short data chunk": bytes([0, 3, 0, 8]) + bytes(4),
    "a short acknowledgement": bytes([3, 0, 0, 6]) + bytes(4),
    "two beginnings": INIT + INIT,
    "a reconfiguration of nothing": bytes([130, 0, 0, 8, 0, 13, 0, 4]),
    "an unknown chunk": bytes([99, 0, 0, 4]),
}


@pytest.mark.parametrize("chunks", MALFORMED.values(), ids=MALFORMED.keys())
async def test_malformed_sctp_packets_are_dropped(chunks: bytes) -> None:
    async with pair() as joined:
        await joined.connect()
        theirs, ours = await joined.open("events")
        assert joined.sctp is not None
        for tag in (0, joined.sctp._remote_verification_tag):
            await joined.client._send_data(packet(tag, chunks))
        echoed: asyncio.Queue[bytes | str] = asyncio.Queue()
        theirs.on("message", echoed.put_nowait)
        theirs.send(b"still here")
        assert await echoed.get() == b"still here"
        assert ours.open


async def test_a_peer_that_keeps_to_no_window_loses_its_channels_and_not_its_media() -> None:
    async with pair() as joined:
        await joined.connect()
        theirs, ours = await joined.open("events")
        closed = asyncio.Event()
        ours.on_close = closed.set
        assert joined.sctp is not None
        await joined.sctp._send(theirs.id or 0, 53, bytes(4 * 1024 * 1024))
        await closed.wait()
        assert joined.lost == []
        assert joined.server.connected


async def test_what_a_peer_does_not_read_is_bounded_and_refused_whole() -> None:
    async with pair() as joined:
        await joined.connect()
        _, ours = await joined.open("events")
        for _ in range(MAX_BUFFERED // 16_384):
            ours.send(bytes(16_384))
        with pytest.raises(ChannelFull):
            ours.send(bytes(16_384))
        assert ours.buffered_amount <= MAX_BUFFERED


async def test_a_peer_that_leaves_is_told_of_once_and_closing_tells_the_peer() -> None:
    async with pair() as joined:
        await joined.connect()
        _, ours = await joined.open("events")
        await joined.client.stop()
        await joined.ended.wait()
        assert joined.lost == ["closed_by_peer"]
        await joined.server.close()
        await joined.server.close()
        assert not ours.open
        with pytest.raises(TransportError):
            ours.send(b"late")
    async with pair() as joined:
        await joined.connect()
        await joined.connected.wait()
        closed = asyncio.Event()
        joined.client.on("statechange", closed.set)
        await joined.server.close()
        await closed.wait()
        assert joined.client.state == "closed"
        assert joined.lost == []


async def test_a_certificate_is_used_for_a_week() -> None:
    now = datetime.datetime.now(datetime.UTC)
    clock = [now]
    certificates = Certificates(lambda: clock[0])
    first = certificates.current()
    clock[0] = now + datetime.timedelta(days=6)
    assert certificates.current() is first
    clock[0] = now + datetime.timedelta(days=8)
    assert certificates.current() is not first
