"""One peer's DTLS and SCTP over the plane's datagrams: aiortc shakes hands, the plane gets the SRTP keys.

The only module with aiortc's private names (the version is pinned, `tests/rtc/test_transport.py` holds their
signatures): `_recv`, `_send`, `_set_role`, `_setup_srtp`, `_ssl`, `_set_state`, `_srtp_profiles` and `_task` of
the DTLS transport, `_handle_data`, `_advertised_rwnd` and `_sack_misordered` of the SCTP transport.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import logging
import struct
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Protocol, cast

from aiortc import RTCCertificate, RTCDataChannel
from aiortc.rtcdtlstransport import (
    SRTP_PROFILES,
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCDtlsTransport,
    State,
)
from aiortc.rtcicetransport import RTCIceTransport
from aiortc.rtcsctptransport import RTCSctpCapabilities, RTCSctpTransport

from rtc.channels import MAX_BUFFERED, DataChannel
from rtc.errors import ChannelFull, TransportError
from rtc.plane import QueueFull, SrtpProfile
from rtc.sdp import Fingerprint

log = logging.getLogger(__name__)

# The cheapest first (docs/decisions/0002): a peer that has AES-128-GCM gets it.
PROFILE_ORDER = (b"SRTP_AEAD_AES_128_GCM", b"SRTP_AEAD_AES_256_GCM", b"SRTP_AES128_CM_SHA1_80")
PROFILE_IDS: dict[bytes, SrtpProfile] = {
    b"SRTP_AES128_CM_SHA1_80": 1,
    b"SRTP_AEAD_AES_128_GCM": 7,
    b"SRTP_AEAD_AES_256_GCM": 8,
}
# Datagrams that wait for the loop. A handshake has fewer; SCTP sends again what is dropped here.
MAX_WAITING = 256
# Chromium gives up after about as long.
HANDSHAKE_SECONDS = 30.0
# A certificate of aiortc is valid for 30 days: no association that is made with it outlives it.
CERTIFICATE_AGE = datetime.timedelta(days=7)
# Channels of one peer; each costs memory here, and 65,535 are what SCTP would allow.
MAX_CHANNELS = 64
# What a hostile peer can make aiortc's SCTP raise: chunks that are cut or that come before the association.
MALFORMED = (AssertionError, AttributeError, IndexError, KeyError, TypeError, ValueError, struct.error)
# aiortc announces a window of 1 MiB and takes what is sent beyond it. Half as much again is no misunderstanding.
MAX_OVERRUN = 512 * 1024
# Chunks received behind a gap: each makes the next one dearer, as all are sorted again.
MAX_MISORDERED = 4_096


class Keys(Protocol):
    """Takes what DTLS exported: profile id (RFC 5764), then key and salt of either direction."""

    def __call__(
        self,
        profile: SrtpProfile,
        *,
        local_key: bytes,
        local_salt: bytes,
        remote_key: bytes,
        remote_salt: bytes,
    ) -> None: ...


class Certificates:
    """The server's DTLS certificate, a new one every week. Generating one costs about 0.1 ms."""

    def __init__(self, now: Callable[[], datetime.datetime] | None = None) -> None:
        self._now = now or (lambda: datetime.datetime.now(datetime.UTC))
        self._current = RTCCertificate.generateCertificate()

    def current(self) -> RTCCertificate:
        lifetime_left = self._current.expires - self._now()
        if lifetime_left < datetime.timedelta(days=30) - CERTIFICATE_AGE:
            self._current = RTCCertificate.generateCertificate()
        return self._current


def fingerprint_of(certificate: RTCCertificate) -> Fingerprint:
    sha256 = next(each for each in certificate.getFingerprints() if each.algorithm == "sha-256")
    return Fingerprint(sha256.algorithm, sha256.value)


class Transport:
    """Feed it the plane's DTLS datagrams with `receive`.

    `on_lost` is called once with `dtls`, `dtls_timeout` or `closed_by_peer`, never after `close`.
    """

    def __init__(
        self,
        *,
        certificate: RTCCertificate,
        remote_fingerprints: Iterable[Fingerprint],
        send: Callable[[bytes], None],
        on_keys: Keys,
        on_connected: Callable[[], None],
        on_lost: Callable[[str], None],
        on_channel: Callable[[DataChannel], None],
    ) -> None:
        self._datagrams = _Datagrams(send)
        self._dtls = _Dtls(self._datagrams, certificate, on_keys)
        self._sctp: _Sctp | None = None
        self._remote = [RTCDtlsFingerprint(each.algorithm, each.value) for each in remote_fingerprints]
        self._on_connected = on_connected
        self._on_lost = on_lost
        self._on_channel = on_channel
        self._closed = False
        self.connected = False
        """The handshake is done and the SRTP keys are out."""
        self._data: tuple[int, int] | None = None
        self._channels: list[_Channel] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._spawn(self._run())

    def receive(self, datagram: bytes) -> None:
        self._datagrams.push(datagram)

    def open_data(self, remote_port: int, max_message_size: int) -> None:
        """Data channels were negotiated. Any number of calls, before or after DTLS; the first counts."""
        if self._data is None:
            self._data = (remote_port, max_message_size)
            if self.connected:
                self._spawn(self._start_sctp())

    async def close(self) -> None:
        """Tell the peer (close_notify) and end. A second call does nothing."""
        if self._closed:
            return
        self._closed = True
        if self._sctp is not None:
            await self._sctp.stop()
        pump = self._dtls._task
        await self._dtls.stop()
        self._datagrams.close()
        current = asyncio.current_task()
        ending = [task for task in (*self._tasks, pump) if task is not None and task is not current]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        for channel in self._channels:
            channel.ended()

    async def _run(self) -> None:
        try:
            async with asyncio.timeout(HANDSHAKE_SECONDS):
                await self._dtls.start(RTCDtlsParameters(fingerprints=self._remote))
        except TimeoutError:
            self._lose("dtls_timeout")
            return
        if self._dtls.state != "connected":
            self._lose("dtls")
            return
        self.connected = True
        # At once: what the peer sends first would find no receiver.
        if self._data is not None:
            await self._start_sctp()
        self._dtls.on("statechange", self._on_state)
        self._on_state()
        if not self._closed:
            self._on_connected()

    def _on_state(self) -> None:
        if self._dtls.state in ("closed", "failed"):
            self._lose("closed_by_peer")

    def _lose(self, reason: str) -> None:
        if not self._closed:
            self._on_lost(reason)

    async def _start_sctp(self) -> None:
        if self._data is None or self._sctp is not None:
            return
        port, max_message_size = self._data
        self._sctp = _Sctp(self._dtls)
        self._sctp.on("datachannel", self._open_channel)
        try:
            await self._sctp.start(RTCSctpCapabilities(maxMessageSize=max_message_size), port)
        except ConnectionError:
            self._lose("closed_by_peer")

    def _open_channel(self, opened: RTCDataChannel) -> None:
        self._channels = [each for each in self._channels if each.open]
        if len(self._channels) >= MAX_CHANNELS:
            opened.close()
            return
        channel = _Channel(opened, self._buffered)
        self._channels.append(channel)
        _contain(self._on_channel, channel)

    def _buffered(self) -> int:
        return sum(each.queued for each in self._channels if each.open)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class _Datagrams:
    """What aiortc needs of an ICE transport, and no more."""

    role = "controlled"

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send_datagram = send
        self._waiting: deque[bytes] = deque(maxlen=MAX_WAITING)
        self._reader: asyncio.Future[None] | None = None
        self._closed = False

    def push(self, datagram: bytes) -> None:
        """Over the bound the oldest is dropped: both DTLS and SCTP send again."""
        if datagram:
            self._waiting.append(datagram)
            self._wake()

    def close(self) -> None:
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    async def _recv(self) -> bytes:
        while not self._waiting:
            if self._closed:
                raise ConnectionError
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        return self._waiting.popleft()

    async def _send(self, data: bytes) -> None:
        """What an overloaded plane does not take, DTLS and SCTP send again."""
        if self._closed:
            raise ConnectionError
        with contextlib.suppress(QueueFull):
            self._send_datagram(data)


class _Dtls(RTCDtlsTransport):
    def __init__(self, datagrams: _Datagrams, certificate: RTCCertificate, on_keys: Keys) -> None:
        super().__init__(cast(RTCIceTransport, datagrams), [certificate])
        self._on_keys = on_keys
        self._set_role("server")
        self._srtp_profiles = sorted(
            (profile for profile in SRTP_PROFILES if profile.openssl_profile in PROFILE_ORDER),
            key=lambda profile: PROFILE_ORDER.index(profile.openssl_profile),
        )

    def _setup_srtp(self) -> None:
        """RFC 5764 section 4.2: client key, server key, client salt, server salt. We are the server."""
        assert self._ssl is not None  # made by start(), which calls this
        name = self._ssl.get_selected_srtp_profile()
        profile = next((each for each in self._srtp_profiles if each.openssl_profile == name), None)
        if profile is None:
            self._set_state(State.FAILED)
            return
        key, salt = profile.key_length, profile.salt_length
        exported = self._ssl.export_keying_material(b"EXTRACTOR-dtls_srtp", 2 * (key + salt))
        try:
            self._on_keys(
                PROFILE_IDS[name],
                remote_key=exported[:key],
                local_key=exported[key : 2 * key],
                remote_salt=exported[2 * key : 2 * key + salt],
                local_salt=exported[2 * key + salt :],
            )
        except QueueFull:
            self._set_state(State.FAILED)


class _Sctp(RTCSctpTransport):
    async def _handle_data(self, data: bytes) -> None:
        """What is malformed is dropped: in aiortc it would end the DTLS transport and with it the media."""
        try:
            await super()._handle_data(data)
        except MALFORMED as error:
            log.debug("malformed SCTP packet dropped: %s", type(error).__name__)
        if -self._advertised_rwnd > MAX_OVERRUN or len(self._sack_misordered) > MAX_MISORDERED:
            log.info("SCTP association ended: its peer keeps to no window")
            await self.stop()


class _Channel:
    """rtc.channels.DataChannel over aiortc's."""

    def __init__(self, channel: RTCDataChannel, buffered: Callable[[], int]) -> None:
        self._channel = channel
        self._buffered = buffered
        self._ended = False
        self.on_message: Callable[[bytes | str], None] | None = None
        self.on_close: Callable[[], None] | None = None
        self.on_drained: Callable[[], None] | None = None
        channel.bufferedAmountLowThreshold = MAX_BUFFERED // 4
        channel.on("message", self._message)
        channel.on("close", self.ended)
        channel.on("bufferedamountlow", self._drained)

    @property
    def label(self) -> str:
        return str(self._channel.label)

    @property
    def protocol(self) -> str:
        return str(self._channel.protocol)

    @property
    def open(self) -> bool:
        return not self._ended and self._channel.readyState == "open"

    @property
    def queued(self) -> int:
        return int(self._channel.bufferedAmount)

    @property
    def buffered_amount(self) -> int:
        return self._buffered()

    def send(self, data: bytes | str) -> None:
        if not self.open:
            raise TransportError("the data channel is closed")
        size = len(data) if isinstance(data, bytes) else len(data.encode())
        if self._buffered() + size > MAX_BUFFERED:
            raise ChannelFull(f"more than {MAX_BUFFERED} bytes are waiting")
        self._channel.send(data)

    def close(self) -> None:
        if self._channel.readyState in ("connecting", "open"):
            self._channel.close()

    def ended(self) -> None:
        if not self._ended:
            self._ended = True
            if self.on_close is not None:
                _contain(self.on_close)

    def _message(self, data: bytes | str) -> None:
        if self.on_message is not None:
            _contain(self.on_message, data)

    def _drained(self) -> None:
        if self.on_drained is not None:
            _contain(self.on_drained)


def _contain(callback: Callable[..., None], *arguments: object) -> None:
    """Run a callback of ours. What it raises is a bug of ours and is logged; inside aiortc it would end the
    media of the peer who only sent a message."""
    try:
        callback(*arguments)
    except Exception:  # contained, with its traceback
        log.exception("a data channel callback failed")
