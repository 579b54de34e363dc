"""An aiortc publisher by WHIP, seen by WHEP viewers and by room participants."""

import asyncio
import fractions
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import av
import numpy as np
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription, VideoStreamTrack
from playwright.async_api import BrowserContext

from tests.e2e.raw_page import RawPage, until
from tests.e2e.server_process import ServerProcess, token


class Plain(VideoStreamTrack):
    """Pictures of one colour, 320 x 240, 30 a second."""

    def __init__(self, colour: tuple[int, int, int]) -> None:
        super().__init__()
        self.picture = np.full((240, 320, 3), colour, np.uint8)

    async def recv(self) -> av.VideoFrame:
        frame = av.VideoFrame.from_ndarray(self.picture, format="rgb24")
        frame.pts, frame.time_base = await self.next_timestamp()
        return frame


class Tone(MediaStreamTrack):
    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self.sent = 0

    async def recv(self) -> av.AudioFrame:
        await asyncio.sleep(0.02)
        phase = np.arange(self.sent, self.sent + 960) * 2 * np.pi * 440 / 48_000
        frame = av.AudioFrame.from_ndarray((np.sin(phase) * 8000).astype(np.int16)[None], "s16", "mono")
        frame.sample_rate, frame.pts, frame.time_base = 48_000, self.sent, fractions.Fraction(1, 48_000)
        self.sent += 960
        return frame


@asynccontextmanager
async def resource(
    server: ServerProcess, door: str, pc: RTCPeerConnection, bearer: str, query: str = ""
) -> AsyncIterator[str]:
    """Offer `pc` at /v1/`door`/demo; the URL of the made resource, deleted at the end."""
    await pc.setLocalDescription(await pc.createOffer())
    headers = {"Authorization": f"Bearer {bearer}", "Content-Type": "application/sdp"}
    async with aiohttp.ClientSession(headers=headers) as http:
        url = f"{server.url}/v1/{door}/demo{query}"
        async with http.post(url, data=pc.localDescription.sdp) as answer:
            body = await answer.text()
            assert answer.status == 201, body
            assert answer.content_type == "application/sdp"
            assert answer.headers["ETag"]
            location = server.url + answer.headers["Location"].removeprefix(server.url)
        await pc.setRemoteDescription(RTCSessionDescription(body, "answer"))
        yield location
        async with http.delete(location) as answer:
            assert answer.status == 200
        await pc.close()


@asynccontextmanager
async def publisher(server: ServerProcess) -> AsyncIterator[str]:
    pc = RTCPeerConnection()
    pc.addTrack(Tone())
    pc.addTrack(Plain((255, 0, 0)))
    async with resource(server, "whip", pc, token("camera")) as location:
        yield location


async def test_an_aiortc_viewer_by_whep_sees_an_aiortc_publisher_by_whip(server: ServerProcess) -> None:
    async with publisher(server):
        pc = RTCPeerConnection()
        pc.addTransceiver("audio", direction="recvonly")
        pc.addTransceiver("video", direction="recvonly")
        tracks: asyncio.Queue[MediaStreamTrack] = asyncio.Queue()
        pc.on("track", tracks.put_nowait)
        async with resource(server, "whep", pc, token("viewer")), asyncio.timeout(30):
            received = {track.kind: track for track in (await tracks.get(), await tracks.get())}
            for _ in range(61):
                picture = await received["video"].recv()
            assert isinstance(picture, av.VideoFrame)
            red, green, blue = picture.to_ndarray(format="rgb24").reshape(-1, 3).mean(0)
            assert (red > 200, green < 60, blue < 60) == (True, True, True)
            heard = 0.0
            while heard < 1000:
                sound = await received["audio"].recv()
                assert isinstance(sound, av.AudioFrame)
                heard = float(np.abs(sound.to_ndarray()).max())


async def test_chromium_sees_a_whip_publisher_by_whep_and_in_the_room(
    context: BrowserContext, server: ServerProcess
) -> None:
    async with publisher(server):
        viewer = await RawPage.open(context, server, "viewer")
        await viewer.js(
            """async ([url, token]) => {
                client.addSlots(1, 1);
                await client.pc.setLocalDescription();
                const answer = await fetch(url, {
                    method: "POST",
                    headers: {"Content-Type": "application/sdp", Authorization: `Bearer ${token}`},
                    body: client.pc.localDescription.sdp,
                });
                client.location = answer.headers.get("Location");
                await client.pc.setRemoteDescription({type: "answer", sdp: await answer.text()});
            }""",
            [f"{server.url}/v1/whep/demo?participant=camera", token("viewer")],
        )
        (mid,) = await until(lambda: viewer.js("() => Object.keys(client.videos)"))
        await viewer.decodes(mid, 61)
        await viewer.shows(mid, "red")

        member = await RawPage.open(context, server, "member")
        joined = await member.join()
        (camera,) = [person for person in joined["participants"] if person["identity"] == "camera"]
        assert {track["kind"] for track in camera["tracks"]} == {"audio", "video"}
        await member.offer(audio_slots=1, video_slots=1)
        await member.decodes(await member.slot_of(camera["id"]), 30)
