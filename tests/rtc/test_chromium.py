"""Real Chromium pages against a conference, with nothing of the SDK: the browser does what a plain page makes it do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Page

from rtc.conference import (
    ChannelOpened,
    Conference,
    MediaEngine,
    PeerConnected,
    TrackInfo,
    TrackPublished,
    TrackUnpublished,
)
from tests.rtc.browser import chromium_pages
from tests.rtc.call import PATIENCE, Room, engine

PAGE = """
window.pc = new RTCPeerConnection();
window.videos = {};
pc.ontrack = ({transceiver, track}) => {
  const video = document.createElement(track.kind);
  video.srcObject = new MediaStream([track]);
  video.muted = true;
  video.play();
  videos[transceiver.mid] = video;
};
window.negotiate = async () => {
  await pc.setLocalDescription(await pc.createOffer());
  await pc.setRemoteDescription({type: 'answer', sdp: await answer(pc.localDescription.sdp)});
};
window.camera = async () =>
  (await navigator.mediaDevices.getUserMedia({video: {width: 1280, height: 720}})).getVideoTracks()[0];
window.LAYERS = [{rid: 'q', scaleResolutionDownBy: 4}, {rid: 'h', scaleResolutionDownBy: 2}, {rid: 'f'}];
window.stats = async (type, mid) => {
  const found = [...(await pc.getStats()).values()].filter(s => s.type === type && (!mid || s.mid === mid));
  return found.map(s => ({...s}));
};
"""


class Tab:
    """A page that is one peer of a room."""

    def __init__(self, page: Page, room: Room, peer_id: str) -> None:
        self.page, self.room, self.id = page, room, peer_id
        self.peer = room.add(peer_id)
        self.tracks: dict[str, TrackInfo] = {}

    async def open(self) -> Tab:
        await self.page.expose_function("answer", self._answer)
        await self.page.evaluate(PAGE)
        return self

    async def _answer(self, sdp: str) -> str:
        return (await self.peer.offer(sdp, self.tracks)).sdp

    async def run(self, script: str) -> Any:
        return await self.page.evaluate(f"async () => {{ {script} }}")

    async def until(self, condition: str) -> None:
        """A script that answers something true in the end."""
        async with asyncio.timeout(PATIENCE):
            # getStats has no event to wait for: the page looks again and again.
            await self.run(
                f"const look = async () => {{ {condition} }};"
                "while (!await look()) await new Promise(resolve => setTimeout(resolve, 100));"
            )

    async def until_decoded(self, mid: str, frames: int) -> None:
        """That many more pictures than now."""
        count = f"((await stats('inbound-rtp', '{mid}'))[0]?.framesDecoded ?? 0)"
        now = await self.run(f"return {count};")
        await self.until(f"return {count} >= {now + frames};")


@pytest.fixture
async def media() -> AsyncIterator[MediaEngine]:
    async with engine() as started:
        yield started


@pytest.fixture
async def tabs(media: MediaEngine) -> AsyncIterator[list[Tab]]:
    room = Room.of(media)
    async with chromium_pages(2) as pages:
        yield [await Tab(page, room, name).open() for page, name in zip(pages, ("ann", "bob"), strict=True)]


async def until_sources(conference: Conference, peer_id: str, heights: list[int]) -> None:
    """The peer's layers come, lowest first, and have these heights."""
    async with asyncio.timeout(PATIENCE):
        while True:
            sources = (await conference.stats(peer_id))[peer_id]["sources"]
            layers = sorted(
                (each for each in sources if each["kind"] == "video"), key=lambda each: each["layer"]
            )
            if [each["height"] for each in layers if each["active"]] == heights:
                return
            await asyncio.sleep(0.2)


async def test_simulcast_may_be_published_after_slots_were_negotiated_alone(tabs: list[Tab]) -> None:
    ann, bob = tabs
    for tab in tabs:
        await tab.run(
            "for (const kind of ['audio', 'video']) pc.addTransceiver(kind, {direction: 'recvonly'});"
        )
        await tab.run("await negotiate();")
    await ann.run(
        "pc.addTransceiver(await camera(), {direction: 'sendonly', sendEncodings: LAYERS}); await negotiate();"
    )
    await until_sources(ann.room.conference, "ann", [180, 360, 720])
    await bob.until_decoded("1", 10)


async def test_rids_in_falling_order_are_put_in_order_by_what_they_carry(tabs: list[Tab]) -> None:
    ann, _ = tabs
    await ann.run(
        "pc.addTransceiver(await camera(), {direction: 'sendonly', sendEncodings: LAYERS}); await negotiate();"
    )
    conference = ann.room.conference
    await until_sources(conference, "ann", [180, 360, 720])
    published = ann.peer.publications["0"]
    published.sources.reverse()  # as if the offer had listed them so
    assert published.learn(published.sources[0], published.heights[published.sources[0]])
    assert [published.heights[source] for source in published.sources] == [180, 360, 720]


async def test_later_offers_leave_tracks_and_slots_as_they_are(tabs: list[Tab]) -> None:
    ann, bob = tabs
    await bob.run("pc.addTransceiver('video', {direction: 'recvonly'}); await negotiate();")
    await ann.run("""
        const media = await navigator.mediaDevices.getUserMedia({audio: true, video: true});
        for (const track of media.getTracks()) pc.addTransceiver(track, {direction: 'sendonly', streams: [media]});
        await negotiate();""")
    await bob.until_decoded("0", 5)
    sinks = {mid: slot.sink for mid, slot in bob.peer.slots.items()}
    for _ in range(2):
        await ann.run("pc.addTransceiver('audio', {direction: 'recvonly'}); await negotiate();")
        await bob.run("pc.addTransceiver('audio', {direction: 'recvonly'}); await negotiate();")
    assert ann.room.all(TrackUnpublished) == []
    assert len(ann.room.all(TrackPublished)) == 2
    assert {mid: bob.peer.slots[mid].sink for mid in sinks} == sinks
    await bob.until_decoded("0", 5)


async def test_a_slot_that_was_inactive_comes_back_with_its_stream(tabs: list[Tab]) -> None:
    ann, bob = tabs
    await bob.run("pc.addTransceiver('video', {direction: 'recvonly'}); await negotiate();")
    await ann.run("pc.addTransceiver(await camera(), {direction: 'sendonly'}); await negotiate();")
    await bob.until_decoded("0", 5)
    before = bob.peer.slots["0"]
    await bob.run("pc.getTransceivers()[0].direction = 'inactive'; await negotiate();")
    assert bob.peer.slots == {}
    await bob.run("pc.getTransceivers()[0].direction = 'recvonly'; await negotiate();")
    assert bob.peer.slots["0"].sink == before.sink
    await bob.until_decoded("0", 5)


async def test_a_stopped_section_is_recycled_under_a_new_mid(tabs: list[Tab]) -> None:
    ann, bob = tabs
    await bob.run("pc.addTransceiver('video', {direction: 'recvonly'}); await negotiate();")
    await ann.run("pc.addTransceiver(await camera(), {direction: 'sendonly'}); await negotiate();")
    await bob.until_decoded("0", 5)
    await ann.run("pc.getTransceivers()[0].stop(); await negotiate();")
    assert len(ann.room.all(TrackUnpublished)) == 1
    await ann.run("pc.addTransceiver(await camera(), {direction: 'sendonly'}); await negotiate();")
    assert [event.track.mid for event in ann.room.all(TrackPublished)] == ["0", "1"]
    await bob.until_decoded("0", 5)


@pytest.mark.parametrize("codec", ["VP9", "H264", "AV1"])
async def test_a_publisher_may_change_its_codec_and_the_slot_follows(tabs: list[Tab], codec: str) -> None:
    ann, bob = tabs
    await bob.run("pc.addTransceiver('video', {direction: 'recvonly'}); await negotiate();")
    await ann.run("pc.addTransceiver(await camera(), {direction: 'sendonly'}); await negotiate();")
    await bob.until_decoded("0", 5)
    await ann.run(f"""
        const {{codecs}} = RTCRtpSender.getCapabilities('video');
        const wanted = codecs.filter(c => ['video/{codec}', 'video/rtx'].includes(c.mimeType));
        pc.getTransceivers()[0].setCodecPreferences(wanted);
        await negotiate();""")
    assert ann.room.all(TrackUnpublished) == []
    await bob.until(f"""
        const [video] = await stats('inbound-rtp', '0');
        return (await stats('codec')).some(c => c.id === video.codecId && c.mimeType === 'video/{codec}');""")
    await bob.until_decoded("0", 5)


async def test_an_ice_restart_keeps_the_association_and_the_tracks(tabs: list[Tab]) -> None:
    ann, bob = tabs
    await bob.run("pc.addTransceiver('video', {direction: 'recvonly'}); await negotiate();")
    await ann.run("pc.addTransceiver(await camera(), {direction: 'sendonly'}); await negotiate();")
    await bob.until_decoded("0", 5)
    for tab in tabs:
        link = tab.peer.link
        assert link is not None
        ufrag = link.ufrag
        await tab.run("pc.restartIce(); await negotiate();")
        assert tab.peer.link is link
        assert link.ufrag != ufrag
        await bob.until_decoded("0", 10)
    assert len(ann.room.all(PeerConnected)) == 2
    assert ann.room.all(TrackUnpublished) == []


async def test_a_data_channel_echoes_beside_media(tabs: list[Tab]) -> None:
    ann, _ = tabs

    def echo(opened: ChannelOpened) -> None:
        opened.channel.on_message = opened.channel.send

    ann.room.on(ChannelOpened, echo)
    await ann.run("pc.addTransceiver(await camera(), {direction: 'sendonly'}); await negotiate();")
    heard = await ann.run("""
        const channel = pc.createDataChannel('events');
        channel.binaryType = 'arraybuffer';
        const opened = new Promise(resolve => channel.onopen = resolve);
        await negotiate();
        await opened;
        const echoed = async message => {
          channel.send(message);
          return (await new Promise(resolve => channel.onmessage = resolve)).data;
        };
        return [await echoed('grüße'), new Uint8Array(await echoed(new Uint8Array([0, 255]))).join()];""")
    assert heard == ["grüße", "0,255"]
