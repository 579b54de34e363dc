"""Write this directory's Chromium and aiortc offers anew: `python -m tests.rtc.offers.capture`.

Addresses of the machine are replaced by 192.0.2.1 (RFC 5737); everything else stays as it was offered.
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from aiortc import RTCPeerConnection
from aiortc.mediastreams import AudioStreamTrack, VideoStreamTrack

from tests.rtc.browser import chromium_pages

HERE = Path(__file__).parent

GATHERED = """
const offered = async (pc) => {
  await pc.setLocalDescription(await pc.createOffer());
  while (pc.iceGatheringState !== 'complete')
    await new Promise(r => pc.addEventListener('icegatheringstatechange', r, {once: true}));
  return pc.localDescription.sdp;
};
"""
SIMULCAST = """[
  {rid: 'q', scaleResolutionDownBy: 4}, {rid: 'h', scaleResolutionDownBy: 2}, {rid: 'f'}]"""

CHROMIUM = {
    "chromium_publish": f"""
        const pc = new RTCPeerConnection();
        const media = await navigator.mediaDevices.getUserMedia({{audio: true, video: {{width: 1280, height: 720}}}});
        pc.addTransceiver(media.getAudioTracks()[0], {{direction: 'sendonly', streams: [media]}});
        pc.addTransceiver(media.getVideoTracks()[0],
          {{direction: 'sendonly', streams: [media], sendEncodings: {SIMULCAST}}});
        pc.createDataChannel('events');
        return offered(pc);""",
    "chromium_sendrecv": """
        const pc = new RTCPeerConnection();
        const media = await navigator.mediaDevices.getUserMedia({audio: true, video: true});
        for (const track of media.getTracks()) pc.addTrack(track, media);
        return offered(pc);""",
    "chromium_slots": """
        const pc = new RTCPeerConnection();
        for (let i = 0; i < 4; i++) for (const kind of ['audio', 'video'])
          pc.addTransceiver(kind, {direction: 'recvonly'});
        pc.createDataChannel('doc:notes');
        return offered(pc);""",
    "chromium_slots_preferred": """
        const pc = new RTCPeerConnection();
        const wanted = {audio: ['audio/opus', 'audio/red'], video: ['video/VP8', 'video/AV1', 'video/rtx']};
        for (const kind of ['audio', 'video', 'video']) {
          const slot = pc.addTransceiver(kind, {direction: 'recvonly'});
          const {codecs} = RTCRtpReceiver.getCapabilities(kind);
          slot.setCodecPreferences(codecs.filter(c => wanted[kind].includes(c.mimeType)));
        }
        return offered(pc);""",
    "chromium_everything": f"""
        const pc = new RTCPeerConnection();
        const media = await navigator.mediaDevices.getUserMedia({{audio: true, video: true}});
        const {{codecs}} = RTCRtpSender.getCapabilities('video');
        pc.addTransceiver(media.getAudioTracks()[0], {{direction: 'sendonly', streams: [media]}});
        const camera = pc.addTransceiver(media.getVideoTracks()[0],
          {{direction: 'sendonly', streams: [media], sendEncodings: {SIMULCAST}}});
        const screen = pc.addTransceiver(media.getVideoTracks()[0].clone(),
          {{direction: 'sendonly', sendEncodings: [{{scalabilityMode: 'L1T3'}}]}});
        screen.setCodecPreferences(codecs.filter(c => ['video/AV1', 'video/VP9', 'video/rtx'].includes(c.mimeType)));
        for (const kind of ['audio', 'video', 'audio', 'video']) pc.addTransceiver(kind, {{direction: 'recvonly'}});
        pc.createDataChannel('events');
        for (const t of pc.getTransceivers())
          t.setHeaderExtensionsToNegotiate?.(
            t.getHeaderExtensionsToNegotiate().map(e => ({{...e, direction: 'sendrecv'}})));
        return offered(pc);""",
    "chromium_recycled": """
        const pc = new RTCPeerConnection(), other = new RTCPeerConnection();
        const settle = async () => {
          await pc.setLocalDescription(await pc.createOffer());
          await other.setRemoteDescription(pc.localDescription);
          await other.setLocalDescription(await other.createAnswer());
          await pc.setRemoteDescription(other.localDescription);
        };
        const media = await navigator.mediaDevices.getUserMedia({audio: true, video: true});
        const [audio, video] = media.getTracks().map(
          t => pc.addTransceiver(t, {direction: 'sendonly', streams: [media]}));
        pc.addTransceiver('video', {direction: 'recvonly'});
        await settle();
        video.stop();
        await settle();
        pc.addTransceiver(media.getVideoTracks()[0].clone(), {direction: 'sendonly', streams: [media]});
        audio.stop();
        return offered(pc);""",
    "chromium_ice_restart": """
        const pc = new RTCPeerConnection(), other = new RTCPeerConnection();
        pc.addTransceiver('audio', {direction: 'recvonly'});
        await pc.setLocalDescription(await pc.createOffer());
        await other.setRemoteDescription(pc.localDescription);
        await other.setLocalDescription(await other.createAnswer());
        await pc.setRemoteDescription(other.localDescription);
        pc.restartIce();
        return offered(pc);""",
}


async def chromium() -> None:
    async with chromium_pages() as [page]:
        version = await page.evaluate(
            "navigator.userAgentData.brands.map(b => b.brand + ' ' + b.version).join(', ')"
        )
        for name, script in CHROMIUM.items():
            sdp = await page.evaluate(f"async () => {{ {GATHERED} {script} }}")
            write(name, f"Captured from headless Chromium ({version}).", sdp)


async def aiortc() -> None:
    publisher = RTCPeerConnection()
    publisher.addTransceiver(AudioStreamTrack(), direction="sendonly")
    publisher.addTransceiver(VideoStreamTrack(), direction="sendonly")
    viewer = RTCPeerConnection()
    viewer.addTransceiver("audio", direction="recvonly")
    viewer.addTransceiver("video", direction="recvonly")
    viewer.createDataChannel("events")
    for name, connection in {"aiortc_publish": publisher, "aiortc_slots": viewer}.items():
        await connection.setLocalDescription(await connection.createOffer())
        write(name, "Captured from aiortc 1.16.", connection.localDescription.sdp)
        await connection.close()


def write(name: str, header: str, sdp: str) -> None:
    private = re.compile(r"(?<=[ =])(?:\d{1,3}\.){3}\d{1,3}(?= )")
    lines = private.sub(lambda m: m[0] if m[0] in ("0.0.0.0", "127.0.0.1") else "192.0.2.1", sdp).splitlines()
    (HERE / f"{name}.sdp").write_text("\n".join([f"# {header}", *lines]) + "\n")


async def main() -> None:
    await chromium()
    await aiortc()


if __name__ == "__main__":
    asyncio.run(main())
