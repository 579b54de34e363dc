"""Signaling sockets that are lost, servers that are killed, tokens that are wrong."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import aiohttp
import pytest
from playwright.async_api import BrowserContext

from tests.e2e.raw_page import RawPage, until
from tests.e2e.server_process import ServerProcess, token


async def call(context: BrowserContext, server: ServerProcess) -> tuple[RawPage, RawPage, str]:
    first = await RawPage.open(context, server, "first")
    await first.call(colour="red", tone=440)
    second = await RawPage.open(context, server, "second")
    await second.call(colour="blue", tone=550)
    mid = await second.slot_of(first.participant)
    await second.decodes(mid, 15)
    return first, second, mid


async def test_a_lost_socket_is_resumed_and_nobody_sees_anyone_leave(
    context: BrowserContext, server: ServerProcess
) -> None:
    first, second, mid = await call(context, server)
    session = (await first.js("() => client.joined"))["session"]
    await first.js("() => client.dropSocket()")
    await second.decodes(mid, 15)  # media does not need the socket
    resumed = await first.join(resume=session)
    assert resumed["participant"]["id"] == (await second.slots())[mid]["participant"]
    await second.decodes(mid, 15)
    await first.request("media.mute", track=(await second.slots())[mid]["track"], muted=True)
    await until(lambda: second.events("track.updated"))
    assert await second.events("participant.left") == []
    assert len(await second.events("participant.joined")) <= 1


async def test_a_session_that_is_not_resumed_leaves_exactly_once(
    context: BrowserContext, server: ServerProcess
) -> None:
    first, second, mid = await call(context, server)
    await first.page.close()
    left = await until(lambda: second.events("participant.left"), seconds=45)
    assert [event["id"] for event in left] == [first.participant]
    assert (await second.slots())[mid]["track"] is None


async def test_media_resumes_after_the_server_was_killed_and_restarted(
    context: BrowserContext, server: ServerProcess
) -> None:
    first, second, _ = await call(context, server)
    await server.restart()
    for page in (first, second):
        await until(page.lost_its_socket)
        await page.js("() => { client.pc.close(); client.pc = null; client.events = []; client.tracks = {} }")
    await first.call(colour="red", tone=440)
    await second.call(colour="blue", tone=550)
    await second.decodes(await second.slot_of(first.participant), 15)
    await first.decodes(await first.slot_of(second.participant), 15)


async def test_two_browsers_call_each_other_directly_through_signal(
    context: BrowserContext, server: ServerProcess
) -> None:
    caller = await RawPage.open(context, server, "caller")
    await caller.join()
    callee = await RawPage.open(context, server, "callee")
    await callee.join()
    answering = """(peer) => {
        const send = (data) => client.request("signal", {to: peer, data});
        client.createPeerConnection();
        client.pc.onicecandidate = ({candidate}) => candidate && send({candidate});
        let done = 0;
        setInterval(async () => {
            const signals = client.eventsOf("signal");
            while (done < signals.length) {
                const {data} = signals[done++];
                if (data.candidate) await client.pc.addIceCandidate(data.candidate);
                else await client.pc.setRemoteDescription(data.description);
                if (data.description?.type === "offer") {
                    await client.pc.setLocalDescription();
                    await send({description: client.pc.localDescription});
                }
            }
        }, 20);
    }"""
    await callee.js(answering, caller.participant)
    await caller.js(answering, callee.participant)
    await caller.publish(colour="red")
    await caller.js(
        """async (peer) => {
            await client.pc.setLocalDescription();
            await client.request("signal", {to: peer, data: {description: client.pc.localDescription}});
        }""",
        callee.participant,
    )
    (mid,) = await until(lambda: callee.js("() => Object.keys(client.videos)"))
    await callee.decodes(mid, 30)
    await callee.shows(mid, "red")
    signals = await callee.events("signal")
    assert {event["from"] for event in signals} == {caller.participant}


async def close_code(server: ServerProcess, bearer: str, *messages: Mapping[str, Any]) -> int | None:
    """What the server closes the socket with, and after which it says nothing more."""
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(server.ws_url, params={"token": bearer}) as ws,
    ):
        for message in messages:
            await ws.send_json(message)
        async with asyncio.timeout(15):
            async for _ in ws:
                pass
        return ws.close_code


@pytest.mark.parametrize(
    "bearer",
    [
        pytest.param(lambda: token("ann", seconds=-5), id="expired"),
        pytest.param(lambda: token("ann", secret="another secret, also long enough for it"), id="forged"),
        pytest.param(lambda: token("ann", seconds=40 * 86_400), id="valid for too long"),
        pytest.param(lambda: token("ann") + "x", id="cut"),
        pytest.param(lambda: "nonsense", id="garbage"),
    ],
)
async def test_a_bad_token_is_closed_with_4401(server: ServerProcess, bearer: Any) -> None:
    assert await close_code(server, bearer()) == 4401


async def test_a_token_that_expires_during_the_call_closes_with_4401(server: ServerProcess) -> None:
    join = {"id": 1, "type": "join", "room": "demo"}
    assert await close_code(server, token("ann", seconds=3), join) == 4401


async def test_a_token_of_another_room_is_forbidden(server: ServerProcess) -> None:
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(server.ws_url, params={"token": token("ann", "other")}) as ws,
    ):
        await ws.send_json({"id": 1, "type": "join", "room": "demo"})
        reply = await ws.receive_json(timeout=10)
        assert reply["re"] == 1
        assert reply["error"]["code"] == "forbidden"


async def test_a_revoked_identity_is_closed_within_two_seconds_and_refused(server: ServerProcess) -> None:
    bearer = token("ann")
    admin = {"Authorization": f"Bearer {token('root', '*', grants=['admin'])}"}
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(server.ws_url, params={"token": bearer}) as ws,
    ):
        await ws.send_json({"id": 1, "type": "join", "room": "demo"})
        assert "error" not in await ws.receive_json(timeout=10)
        revoked = time.monotonic()
        async with http.post(f"{server.url}/v1/tokens/revoke", json={"sub": "ann"}, headers=admin) as answer:
            assert answer.status < 300
        async with asyncio.timeout(10):
            async for _ in ws:
                pass
        assert ws.close_code == 4401
        assert time.monotonic() - revoked < 2
    assert await close_code(server, bearer) == 4401
