"""The data plane from asyncio: commands down, events up. The only user of the compiled crate.

Commands never wait. They reach the worker in the order given; one for a handle that is gone is ignored.
Events are dispatched on the loop's thread, in order per worker.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, NewType

from rtc._dataplane import Dataplane, QueueFull

__all__ = [
    "Address",
    "ConsentLost",
    "DtlsReceived",
    "Event",
    "ExtensionKind",
    "PathSelected",
    "Payload",
    "Plane",
    "QueueFull",
    "RoomId",
    "SinkId",
    "SinkSwitched",
    "SourceActive",
    "SourceId",
    "SourceIdle",
    "SourceLayer",
    "SpeakerLevel",
    "SpeakersChanged",
    "SrtpProfile",
    "StatsReady",
    "TransportId",
    "WorkerFailed",
]

RoomId = NewType("RoomId", int)
TransportId = NewType("TransportId", int)
SourceId = NewType("SourceId", int)
SinkId = NewType("SinkId", int)

Kind = Literal["audio", "video"]
SrtpProfile = Literal[1, 7, 8]
"""DTLS-SRTP protection profile: AES_CM_128_HMAC_SHA1_80, AEAD_AES_128_GCM, AEAD_AES_256_GCM."""
ExtensionKind = Literal[
    "audio_level",
    "abs_send_time",
    "transport_sequence",
    "mid",
    "rid",
    "repaired_rid",
    "dependency_descriptor",
    "video_layers_allocation",
    "video_orientation",
    "playout_delay",
    "abs_capture_time",
    "other",
]
Codec = Literal["opus", "red", "vp8", "vp9", "h264", "av1", "g722", "pcmu", "pcma", "other"]


class Payload(NamedTuple):
    """One payload type of a section, as negotiated there."""

    pt: int
    codec: Codec
    codec_key: int
    """Equal exactly where two payloads may be forwarded into each other (name, profile, channels)."""
    clock_rate: int
    rtx_pt: int | None = None
    nack: bool = False
    pli: bool = False
    transport_cc: bool = False


class Address(NamedTuple):
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class DtlsReceived:
    """One datagram, from an address that STUN has validated."""

    transport: TransportId
    data: bytes


@dataclass(frozen=True, slots=True)
class PathSelected:
    """The peer's nominated path: the first one and every change of it."""

    transport: TransportId
    protocol: Literal["udp", "tcp"]
    local: Address
    remote: Address


@dataclass(frozen=True, slots=True)
class ConsentLost:
    """No valid check for 30 s (RFC 7675)."""

    transport: TransportId


@dataclass(frozen=True, slots=True)
class SourceActive:
    """The first packet of a source, or the first after it was idle, or its codec changed."""

    source: SourceId
    ssrc: int
    codec_key: int


@dataclass(frozen=True, slots=True)
class SourceIdle:
    """Nothing came for two seconds."""

    source: SourceId


@dataclass(frozen=True, slots=True)
class SourceLayer:
    """The picture size of a source became known or changed."""

    source: SourceId
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class SinkSwitched:
    """The first packet of `source` went out on the sink; None: nothing is forwarded any more."""

    sink: SinkId
    source: SourceId | None


class SpeakerLevel(NamedTuple):
    source: SourceId
    level_dbov: int
    """0 is the loudest, 127 is silence: -level dBov (RFC 6464)."""
    speaking: bool


@dataclass(frozen=True, slots=True)
class SpeakersChanged:
    """At most ten a second and room, on change."""

    room: RoomId
    levels: tuple[SpeakerLevel, ...]


@dataclass(frozen=True, slots=True)
class StatsReady:
    """The answer to `request_stats`: one flat mapping per transport, source and sink in scope."""

    token: int
    transports: list[dict[str, Any]]
    sources: list[dict[str, Any]]
    sinks: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class WorkerFailed:
    """The worker hit a bug and began anew: these rooms and transports are gone, its ports are the same."""

    worker: int
    rooms: tuple[RoomId, ...]
    transports: tuple[TransportId, ...]
    reason: str


Event = (
    DtlsReceived
    | PathSelected
    | ConsentLost
    | SourceActive
    | SourceIdle
    | SourceLayer
    | SinkSwitched
    | SpeakersChanged
    | StatsReady
    | WorkerFailed
)


class Plane:
    """Opens the sockets and starts the workers.

    `port` 0 takes a free one per worker, else worker i listens on `port + i`, UDP and (with `tcp`) TCP alike.
    Raises OSError when an address cannot be bound, ValueError when one is no IP address.
    """

    def __init__(self, *, addresses: Sequence[str], port: int, workers: int, tcp: bool = True) -> None:
        self._dataplane = Dataplane(addresses=list(addresses), port=port, workers=workers, tcp=tcp)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._on_event: Callable[[Event], None] | None = None

    def start(self, loop: asyncio.AbstractEventLoop, on_event: Callable[[Event], None]) -> None:
        """Call `on_event` on the loop's thread for every event. What it raises goes to the loop's handler."""
        self._loop = loop
        self._on_event = on_event
        loop.add_reader(self._dataplane.event_fd, self._dispatch)

    def close(self) -> None:
        """End workers and sockets; events that still wait are not dispatched. A second call does nothing."""
        if self._loop is not None:
            self._loop.remove_reader(self._dataplane.event_fd)
            self._loop = None
        self._dataplane.close()

    def ports(self) -> list[int]:
        """The port of each worker, UDP and TCP alike."""
        return self._dataplane.ports()

    def counters(self) -> dict[str, int]:
        """Totals since the start over all workers: packets, bytes, and what was dropped, by reason."""
        return self._dataplane.counters()

    def add_room(self) -> RoomId:
        """A room on the least loaded worker, where it stays. This and all below may raise QueueFull."""
        return RoomId(self._dataplane.add_room())

    def worker_of(self, room: RoomId) -> int:
        """The index into `ports()` of the room's worker."""
        return self._dataplane.worker_of(room)

    def remove_room(self, room: RoomId) -> None:
        """Ends its transports too."""
        self._dataplane.remove_room(room)

    def add_transport(self, room: RoomId, ufrag: str, pwd: str) -> TransportId:
        """One peer's ICE-lite side (RFC 8445): `ufrag` and `pwd` are ours, as announced in the answer."""
        return TransportId(self._dataplane.add_transport(room, ufrag, pwd))

    def restart_ice(self, transport: TransportId, ufrag: str, pwd: str) -> None:
        """New credentials; the old ones hold until the first valid check on the new ones."""
        self._dataplane.restart_ice(transport, ufrag, pwd)

    def close_transport(self, transport: TransportId) -> None:
        """Ends its sources and sinks too."""
        self._dataplane.close_transport(transport)

    def send_dtls(self, transport: TransportId, data: bytes) -> None:
        """One datagram to the selected path; dropped while there is none."""
        self._dataplane.send_dtls(transport, data)

    def set_srtp(
        self,
        transport: TransportId,
        profile: SrtpProfile,
        *,
        local_key: bytes,
        local_salt: bytes,
        remote_key: bytes,
        remote_salt: bytes,
    ) -> None:
        """Master keys and salts (RFC 5764 section 4.2). Raises ValueError at a wrong length."""
        self._dataplane.set_srtp(transport, profile, local_key, local_salt, remote_key, remote_salt)

    def set_extensions(
        self,
        transport: TransportId,
        *,
        incoming: Sequence[tuple[int, ExtensionKind]],
        outgoing: Sequence[tuple[int, ExtensionKind]],
    ) -> None:
        """RFC 8285 ids of this session: what the peer sends, and what it may be sent."""
        self._dataplane.set_extensions(transport, list(incoming), list(outgoing))

    def add_source(
        self,
        transport: TransportId,
        *,
        kind: Kind,
        mid: str,
        payloads: Sequence[Payload],
        participant: int,
        rid: str | None = None,
        ssrc: int | None = None,
        rtx_ssrc: int | None = None,
    ) -> SourceId:
        """One incoming encoding, found by SSRC where signalled, else by MID and RID header extensions.

        Sources of one `participant` share a clock: they stay in step at every receiver.
        """
        source = self._dataplane.add_source(
            transport, kind, mid, rid, ssrc, rtx_ssrc, list(payloads), participant
        )
        return SourceId(source)

    def remove_source(self, source: SourceId) -> None:
        self._dataplane.remove_source(source)

    def pause_source(self, source: SourceId, paused: bool) -> None:
        """Mute on the server's side: received, but not forwarded."""
        self._dataplane.pause_source(source, paused)

    def add_sink(
        self,
        transport: TransportId,
        *,
        kind: Kind,
        mid: str,
        ssrc: int,
        payloads: Sequence[Payload],
        rtx_ssrc: int | None = None,
    ) -> SinkId:
        """One outgoing stream; empty until routed."""
        sink = self._dataplane.add_sink(transport, kind, mid, ssrc, rtx_ssrc, list(payloads))
        return SinkId(sink)

    def remove_sink(self, sink: SinkId) -> None:
        self._dataplane.remove_sink(sink)

    def route(
        self,
        sink: SinkId,
        sources: Sequence[SourceId],
        *,
        max_height: int | None = None,
        max_fps: int | None = None,
        priority: int = 0,
    ) -> None:
        """Send one of `sources` (encodings of one track, low to high) on the sink; none of them: empty it.

        `max_height` in pixels, `max_fps` in frames a second, `priority` 0 to 255, higher first.
        """
        self._dataplane.route(sink, list(sources), max_height, max_fps, priority)

    def request_stats(
        self, token: int, *, transport: TransportId | None = None, room: RoomId | None = None
    ) -> None:
        """Answered by StatsReady with this token. Raises ValueError unless exactly one scope is given."""
        self._dataplane.request_stats(token, transport, room)

    def _dispatch(self) -> None:
        for raw in self._dataplane.poll_events(_EVENTS_PER_TURN):
            if self._loop is None or self._on_event is None:
                return  # closed by an event's own handler
            try:
                self._on_event(_typed(raw))
            except Exception as error:  # noqa: BLE001 - one event's fault must not lose the others
                context = {"message": f"handler of data plane event {raw[0]!r} failed", "exception": error}
                self._loop.call_exception_handler(context)


def _typed(raw: tuple[Any, ...]) -> Event:
    return _EVENTS[raw[0]](*raw[1:])


def _path_selected(
    transport: int, protocol: Literal["udp", "tcp"], local: tuple[str, int], remote: tuple[str, int]
) -> PathSelected:
    return PathSelected(TransportId(transport), protocol, Address(*local), Address(*remote))


def _speakers(room: int, levels: list[tuple[int, int, bool]]) -> SpeakersChanged:
    return SpeakersChanged(
        RoomId(room),
        tuple(SpeakerLevel(SourceId(source), level, speaking) for source, level, speaking in levels),
    )


def _worker_failed(worker: int, rooms: list[int], transports: list[int], reason: str) -> WorkerFailed:
    return WorkerFailed(worker, tuple(map(RoomId, rooms)), tuple(map(TransportId, transports)), reason)


_EVENTS: dict[str, Callable[..., Event]] = {
    "dtls": DtlsReceived,
    "path_selected": _path_selected,
    "consent_lost": ConsentLost,
    "source_active": SourceActive,
    "source_idle": SourceIdle,
    "source_layer": SourceLayer,
    "sink_switched": SinkSwitched,
    "speakers": _speakers,
    "stats": StatsReady,
    "worker_failed": _worker_failed,
}
_EVENTS_PER_TURN = 256  # about a millisecond of handlers; the descriptor stays readable while more wait
