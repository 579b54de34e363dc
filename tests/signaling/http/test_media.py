"""Media through the room protocol, WHIP and WHEP, with the real data plane and aiortc as the other side."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiortc import RTCDataChannel, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, VideoStreamTrack

from signaling.server import Server
from tests.signaling.serving import Client, connected, http, serving, token

ADMIN = token("root", room=None, grants=["admin"])
FRAGMENT = "application/trickle-ice-sdpfrag"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with serving(tmp_path, media=True, media_port=0, media_host=("127.0.0.1",)) as server:
        yield server


@asynccontextmanager
async def peer() -> AsyncIterator[RTCPeerConnection]:
    connection = RTCPeerConnection()
    try:
        yield connection
    finally:
        await connection.close()


def publish(pc: RTCPeerConnection) -> None:
    pc.addTrack(AudioStreamTrack())
    pc.addTrack(VideoStreamTrack())


def watch(pc: RTCPeerConnection) -> asyncio.Queue[Any]:
    pc.addTransceiver("audio", direction="recvonly")
    pc.addTransceiver("video", direction="recvonly")
    tracks: asyncio.Queue[Any] = asyncio.Queue()
    pc.on("track", tracks.put_nowait)
    return tracks


async def offered(pc: RTCPeerConnection) -> str:
    await pc.setLocalDescription(await pc.createOffer())
    return str(pc.localDescription.sdp)


async def negotiate(client: Client, pc: RTCPeerConnection, **tracks: Any) -> dict[str, Any]:
    reply = await client.request("media.offer", sdp=await offered(pc), tracks=tracks)
    assert "error" not in reply, reply
    await pc.setRemoteDescription(RTCSessionDescription(reply["sdp"], "answer"))
    return reply


async def made(
    server: Server, door: str, pc: RTCPeerConnection, bearer: str, query: str = ""
) -> tuple[str, str]:
    """Location and ETag of a session that was made by POST."""
    status, answer, headers = await http(
        server,
        "POST",
        f"/v1/{door}/demo{query}",
        bearer,
        data=await offered(pc),
        headers={"Content-Type": "application/sdp"},
    )
    assert status == 201, answer
    assert headers["Content-Type"] == "application/sdp"
    await pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    return headers["Location"], headers["ETag"]


async def test_published_tracks_are_told_and_muted_by_their_owner_only(server: Server) -> None:
    async with connected(server) as ann, connected(server, token("bob")) as bob, peer() as pc:
        anns = await ann.join()
        await bob.join()
        publish(pc)
        reply = await negotiate(
            ann, pc, **{"0": {"source": "microphone"}, "1": {"source": "camera", "name": "Front"}}
        )
        published = [await bob.event("track.published") for _ in range(2)]
        assert {event["participant"] for event in published} == {anns["participant"]["id"]}
        told = {event["track"]["id"]: event["track"] for event in published}
        camera = told[reply["tracks"]["1"]]
        assert (camera["kind"], camera["source"], camera["name"], camera["muted"]) == (
            "video",
            "camera",
            "Front",
            False,
        )
        assert (await bob.request("media.mute", track=camera["id"], muted=True))["error"][
            "code"
        ] == "forbidden"
        assert await ann.request("media.mute", track=camera["id"], muted=True) == {"re": 3}
        assert (await bob.event("track.updated"))["track"] == {**camera, "muted": True}
        assert (await ann.request("media.mute", track="t", muted=True))["error"]["code"] == "not_found"
        await ann.request("leave")
        assert [(await bob.receive())["type"] for _ in range(3)] == ["track.unpublished"] * 2 + [
            "participant.left"
        ]


async def test_a_moderator_mutes_over_http(server: Server) -> None:
    async with connected(server) as ann, peer() as pc:
        await ann.join()
        pc.addTrack(VideoStreamTrack())
        reply = await negotiate(ann, pc)
        track = reply["tracks"]["0"]
        path = f"/v1/rooms/demo/tracks/{track}/mute"
        assert (await http(server, "POST", path, ADMIN, json={"muted": True}))[0] == 200
        assert (await ann.event("track.updated"))["track"]["muted"] is True
        assert (await http(server, "POST", "/v1/rooms/demo/tracks/t/mute", ADMIN))[0] == 404
        status, room, _ = await http(server, "GET", "/v1/rooms/demo", ADMIN)
        assert (status, room["track_count"]) == (200, 1)
        assert list(room["stats"]) == [room["participants"][0]["id"]]


async def test_slots_are_filled_and_told_and_taken_by_hand(server: Server) -> None:
    async with (
        connected(server) as ann,
        connected(server, token("bob")) as bob,
        peer() as pc,
        peer() as viewer,
    ):
        anns = await ann.join()
        pc.addTrack(VideoStreamTrack())
        track = (await negotiate(ann, pc))["tracks"]["0"]
        await bob.join()
        await bob.request("media.policy", mode="manual")
        viewer.addTransceiver("video", direction="recvonly")
        (slot,) = (await negotiate(bob, viewer))["slots"]
        assert slot == {"mid": "0", "kind": "video"}
        assert "error" not in await bob.request("media.subscribe", mid="0", track=track, max_height=720)
        told = await bob.event("slot")
        assert (told["mid"], told["participant"], told["track"]) == ("0", anns["participant"]["id"], track)
        assert "error" not in await bob.request("media.unsubscribe", mid="0")
        while (await bob.event("slot"))["track"] is not None:
            pass
        for fields, missing in (({"mid": "9", "track": track}, "mid"), ({"mid": "0", "track": "t"}, "track")):
            error = (await bob.request("media.subscribe", **fields))["error"]
            assert (error["code"], missing in error["message"]) == ("not_found", True)


async def test_a_bad_offer_is_refused_and_the_line_is_named(server: Server) -> None:
    async with connected(server) as ann:
        await ann.join()
        for sdp in ("nonsense", "v=0\r\nm=video\r\n"):
            error = (await ann.request("media.offer", sdp=sdp))["error"]
            assert error["code"] == "bad_request"
            assert "sdp" in error["message"]
        assert "at_ms" in await ann.request("ping")


async def test_a_whip_source_is_an_ordinary_participant_until_it_is_deleted(server: Server) -> None:
    async with connected(server, token("bob")) as bob, peer() as pc:
        await bob.join()
        publish(pc)
        location, _ = await made(server, "whip", pc, token("camera"))
        joined = (await bob.event("participant.joined"))["participant"]
        assert joined["identity"] == "camera"
        assert {(await bob.event("track.published"))["track"]["source"] for _ in range(2)} == {
            "camera",
            "microphone",
        }
        assert (await http(server, "DELETE", location, token("eve")))[0] == 403
        assert (await http(server, "DELETE", location, token("camera")))[0] == 200
        assert (await bob.event("participant.left"))["id"] == joined["id"]
        assert (await http(server, "DELETE", location, token("camera")))[0] == 404


async def test_a_refused_whip_offer_leaves_nobody_behind(server: Server) -> None:
    sdp = {"Content-Type": "application/sdp"}
    status, body, _ = await http(server, "POST", "/v1/whip/demo", token(), data="nonsense", headers=sdp)
    assert (status, body["error"]["code"]) == (400, "bad_request")
    assert (await http(server, "GET", "/v1/rooms/demo", ADMIN))[0] == 404


async def test_a_session_is_patched_under_its_entity_tag(server: Server) -> None:
    async with peer() as pc:
        publish(pc)
        location, etag = await made(server, "whip", pc, token())
        trickled = (
            "a=end-of-candidates\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n"
            "a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n"
        )

        async def patch(body: str, kind: str = FRAGMENT, **headers: str) -> tuple[int, Any, Any]:
            fields = {
                "Content-Type": kind,
                **{name.replace("_", "-"): value for name, value in headers.items()},
            }
            return await http(server, "PATCH", location, token(), data=body, headers=fields)

        assert (await patch(trickled))[0] == 428
        assert (await patch(trickled, If_Match='"other"'))[0] == 412
        assert (await patch(trickled, If_Match=f"W/{etag}"))[0] == 412
        status, _, headers = await patch(trickled, "application/sdp", If_Match=etag)
        assert (status, headers["Accept-Patch"]) == (415, FRAGMENT)
        assert (await patch("nonsense", If_Match=etag))[0] == 400
        status, body, headers = await patch(trickled, If_Match=etag)
        assert (status, body, "ETag" in headers) == (204, "", False)

        fresh = f"a=ice-ufrag:abcd\r\na=ice-pwd:{'p' * 22}\r\n" + trickled
        status, body, headers = await patch(fresh, If_Match="*")
        assert (status, headers["Content-Type"]) == (200, FRAGMENT)
        assert headers["ETag"] != etag
        assert "a=ice-ufrag:" in body
        assert "a=candidate:" in body
        assert (await patch(trickled, If_Match=etag))[0] == 412
        assert (await patch(fresh, If_Match=headers["ETag"]))[0] == 204


async def test_a_revoked_whip_source_ends(server: Server) -> None:
    async with connected(server, token("bob")) as bob, peer() as pc:
        await bob.join()
        publish(pc)
        await made(server, "whip", pc, token("camera"))
        await http(server, "POST", "/v1/tokens/revoke", ADMIN, json={"sub": "camera"})
        assert (await bob.event("participant.left"))["reason"] == "token was revoked"


async def test_a_whep_viewer_sees_whom_it_asked_for(server: Server) -> None:
    async with peer() as pc, peer() as other, peer() as viewer:
        publish(pc)
        publish(other)
        await made(server, "whip", other, token("other"))
        tracks = watch(viewer)
        await made(server, "whep", viewer, token("viewer"), "?participant=camera")
        await made(server, "whip", pc, token("camera"))
        async with asyncio.timeout(20):
            received = [await tracks.get() for _ in range(2)]
            video = next(track for track in received if track.kind == "video")
            assert (await video.recv()).width > 0
        _, room, _ = await http(server, "GET", "/v1/rooms/demo", ADMIN)
        assert sorted(person["identity"] for person in room["participants"]) == ["camera", "other", "viewer"]


async def test_a_data_channel_speaks_the_room_protocol_without_a_second_socket(server: Server) -> None:
    async with connected(server, token("bob")) as bob, peer() as pc:
        await bob.join()
        publish(pc)
        channel: RTCDataChannel = pc.createDataChannel("events")
        heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        channel.on("message", lambda text: heard.put_nowait(json.loads(text)))
        opened = asyncio.Event()
        channel.on("open", opened.set)
        await made(server, "whip", pc, token("camera"))
        async with asyncio.timeout(20):
            await opened.wait()
            channel.send(json.dumps({"id": 1, "type": "join", "room": "demo"}))
            while "re" not in (reply := await heard.get()):
                pass
            assert [other["identity"] for other in reply["participants"]] == ["bob"]
            await bob.request("signal", to=reply["participant"]["id"], data="hello")
            while (event := await heard.get()).get("type") != "signal":
                pass
            assert event["data"] == "hello"
            channel.send(json.dumps({"id": 2, "type": "ping"}))
            while "at_ms" not in await heard.get():
                pass
