"""Real clients against a real engine: what the integration tests of this directory share.

Everything runs in one process and one loop; waiting is for conditions, never for time.
"""

from __future__ import annotations

import asyncio
import fractions
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import av
import numpy
from aiortc import (
    MediaStreamTrack,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCDataChannel,
    RTCPeerConnection,
    RTCSessionDescription,
)
from av import AudioFrame, VideoFrame

from rtc.conference import (
    Answer,
    Conference,
    MediaEngine,
    MediaEvent,
    MediaSettings,
    Peer,
    SlotChanged,
    TrackInfo,
)

T = TypeVar("T")
PATIENCE = 20.0  # seconds; two loaded cores may run a browser and an encoder beside this


@asynccontextmanager
async def engine(**settings: object) -> AsyncIterator[MediaEngine]:
    """A media engine on free ports."""
    media = MediaEngine(MediaSettings(port=0, workers=1, **settings))  # type: ignore[arg-type] # passed through
    await media.start()
    try:
        yield media
    finally:
        await media.close()


@dataclass
class Room:
    """A conference with everything that it told."""

    conference: Conference
    events: list[MediaEvent] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    listeners: dict[type, Callable[..., None]] = field(default_factory=dict)

    @classmethod
    def of(cls, media: MediaEngine) -> Room:
        room: Room
        room = cls(media.conference(lambda event: room.told(event)))
        return room

    def told(self, event: MediaEvent) -> None:
        self.events.append(event)
        if type(event) in self.listeners:
            self.listeners[type(event)](event)
        self.changed.set()

    def on(self, kind: type[T], listener: Callable[[T], None]) -> None:
        """Called at once, as what owns a conference is."""
        self.listeners[kind] = listener

    def all(self, kind: type[T]) -> list[T]:
        return [event for event in self.events if isinstance(event, kind)]

    async def until(self, found: Callable[[], T | None]) -> T:
        """The first true value of `found`, asked after every event."""
        async with asyncio.timeout(PATIENCE):
            while True:
                self.changed.clear()
                value = found()
                if value:
                    return value
                await self.changed.wait()

    def slot(self, peer_id: str, mid: str) -> SlotChanged | None:
        """What was told of a slot last."""
        told = [event for event in self.all(SlotChanged) if (event.peer_id, event.mid) == (peer_id, mid)]
        return told[-1] if told else None

    def add(self, peer_id: str) -> Peer:
        return self.conference.add_peer(peer_id, may_publish=True, may_subscribe=True)


class Tone(MediaStreamTrack):
    """A sine of `hertz`, in frames of 20 ms."""

    kind = "audio"

    def __init__(self, hertz: float = 440.0, amplitude: float = 0.5) -> None:
        super().__init__()
        self.hertz = hertz
        self.amplitude = amplitude
        self._sample = 0
        self._start: float | None = None

    async def recv(self) -> AudioFrame:
        loop = asyncio.get_running_loop()
        self._start = self._start or loop.time()
        await asyncio.sleep(max(0.0, self._start + self._sample / 48_000 - loop.time()))
        times = (self._sample + numpy.arange(960)) / 48_000
        wave = self.amplitude * 32_767 * numpy.sin(2 * numpy.pi * self.hertz * times)
        frame = AudioFrame.from_ndarray(wave.astype(numpy.int16).reshape(1, -1), "s16", "mono")
        frame.sample_rate, frame.pts = 48_000, self._sample
        frame.time_base = fractions.Fraction(1, 48_000)
        self._sample += 960
        return frame


class Colour(MediaStreamTrack):
    """One brightness (0 to 255), so that a receiver sees whose picture it has; 15 frames a second."""

    kind = "video"

    def __init__(self, brightness: int, width: int = 320, height: int = 180) -> None:
        super().__init__()
        self.brightness = brightness
        self._size = (height * 3 // 2, width)
        self._frame = 0
        self._start: float | None = None

    async def recv(self) -> VideoFrame:
        loop = asyncio.get_running_loop()
        self._start = self._start or loop.time()
        await asyncio.sleep(max(0.0, self._start + self._frame / 15 - loop.time()))
        picture = numpy.full(self._size, 128, numpy.uint8)
        picture[: self._size[0] * 2 // 3] = self.brightness
        picture[0, self._frame % self._size[1]] = 255  # something has to move
        frame = VideoFrame.from_ndarray(picture, "yuv420p")
        frame.pts, frame.time_base = self._frame * 6_000, fractions.Fraction(1, 90_000)
        self._frame += 1
        return frame


class Client:
    """An aiortc participant: publishes tracks, has slots, remembers what it decoded last in each."""

    def __init__(self, room: Room, peer_id: str, peer: Peer | None = None) -> None:
        self.room = room
        self.peer = peer or room.add(peer_id)
        self.id = peer_id
        # Its default policy breaks with two sections of each kind: the fourth keeps a transport that was closed.
        self.connection = RTCPeerConnection(
            RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        )
        self.connection.on("track", self._receive)
        self.info: dict[MediaStreamTrack, TrackInfo] = {}
        self.frames: dict[str, AudioFrame | VideoFrame] = {}
        self.counts: dict[str, int] = {}
        self.decoded = asyncio.Event()
        self._readers: list[asyncio.Task[None]] = []
        self.answer: Answer | None = None

    def publish(self, track: MediaStreamTrack, source: str) -> None:
        self.connection.addTransceiver(track, direction="sendonly")
        self.info[track] = TrackInfo(source)

    def slots(self, *kinds: str) -> None:
        for kind in kinds:
            self.connection.addTransceiver(kind, direction="recvonly")

    def channel(self, label: str) -> RTCDataChannel:
        return self.connection.createDataChannel(label)

    async def negotiate(self) -> Answer:
        await self.connection.setLocalDescription(await self.connection.createOffer())
        tracks = {
            transceiver.mid: self.info[transceiver.sender.track]
            for transceiver in self.connection.getTransceivers()
            if transceiver.mid is not None and transceiver.sender.track in self.info
        }
        self.answer = await self.peer.offer(self.connection.localDescription.sdp, tracks)
        await self.connection.setRemoteDescription(RTCSessionDescription(self.answer.sdp, "answer"))
        return self.answer

    def _receive(self, track: MediaStreamTrack) -> None:
        transceiver = next(t for t in self.connection.getTransceivers() if t.receiver.track is track)
        assert transceiver.mid is not None
        self._readers.append(asyncio.ensure_future(self._read(track, transceiver.mid)))

    async def _read(self, track: MediaStreamTrack, mid: str) -> None:
        while True:
            frame = await track.recv()
            assert isinstance(frame, (AudioFrame, VideoFrame))
            self.frames[mid] = frame
            self.counts[mid] = self.counts.get(mid, 0) + 1
            self.decoded.set()

    async def until_decoded(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                self.decoded.clear()
                await self.decoded.wait()

    async def until_connected(self) -> None:
        """The server's end is up a round trip before the client's."""
        changed = asyncio.Event()
        self.connection.on("connectionstatechange", changed.set)
        async with asyncio.timeout(PATIENCE):
            while self.connection.connectionState != "connected":
                changed.clear()
                await changed.wait()

    def brightness(self, mid: str) -> int:
        """Of the last picture of a slot; -1 before the first."""
        frame = self.frames.get(mid)
        if not isinstance(frame, VideoFrame):
            return -1
        return int(frame.to_ndarray(format="yuv420p")[: frame.height].mean())

    def pitch(self, mid: str) -> float:
        """Strongest frequency of the last sound of a slot, in Hz; 0 in silence."""
        frame = self.frames.get(mid)
        if not isinstance(frame, AudioFrame):
            return 0.0
        mono = frame.to_ndarray().reshape(-1, len(frame.layout.channels)).astype(float)[:, 0]
        if numpy.abs(mono).max() < 100:
            return 0.0
        spectrum = numpy.abs(numpy.fft.rfft(mono * numpy.hanning(len(mono)), 48_000))
        return float(spectrum.argmax()) * frame.sample_rate / 48_000

    async def close(self) -> None:
        for reader in self._readers:
            reader.cancel()
        await self.connection.close()
        await asyncio.gather(*self._readers, return_exceptions=True)


@asynccontextmanager
async def clients(room: Room, *ids: str) -> AsyncIterator[list[Client]]:
    made = [Client(room, each) for each in ids]
    try:
        yield made
    finally:
        await asyncio.gather(*(client.close() for client in made))


def quiet_codecs() -> None:
    """libav tells of concealed packets on stderr."""
    av.logging.set_level(av.logging.PANIC)
