"""The room WebSocket over a real socket: every message and every close code of the room's own."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from signaling.server import Server
from tests.signaling.serving import Client, connected, http, serving, token

BEARER = [
    pytest.param({"params": {"token": token()}}, id="query"),
    pytest.param({"headers": {"Authorization": f"Bearer {token()}"}}, id="header"),
    pytest.param({"protocols": ["hubbub.v1", f"bearer.{token()}"]}, id="subprotocol"),
]


@pytest.mark.parametrize("options", BEARER)
async def test_a_token_is_taken_in_each_of_its_places(server: Server, options: dict[str, Any]) -> None:
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{server.url}/v1/ws", **options) as ws:
        assert (await Client(ws).join())["participant"]["identity"] == "ann"


async def test_the_server_selects_its_own_subprotocol(server: Server) -> None:
    protocols = ["hubbub.v1", f"bearer.{token()}"]
    async with aiohttp.ClientSession() as session:
        ws = await session.ws_connect(f"{server.url}/v1/ws", protocols=protocols)
        assert ws.protocol == "hubbub.v1"
        await ws.close()


async def test_joining_tells_who_one_is_and_who_is_here(server: Server) -> None:
    async with connected(server, token("ann", name="Ann", meta={"team": "blue"})) as ann:
        first = await ann.join(presence={"hand": True})
        assert first["participant"] == {
            "id": first["participant"]["id"], "identity": "ann", "name": "Ann", "meta": {"team": "blue"},
        }  # fmt: skip
        assert first["room"]["name"] == "demo"
        assert (first["participants"], first["events"], first["recovered"]) == ([], [], False)
        async with connected(server, token("bob")) as bob:
            second = await bob.join()
            (other,) = second["participants"]
            assert other == {**first["participant"], "presence": {"hand": True}, "tracks": []}
            joined = await ann.event("participant.joined")
            assert joined["participant"]["identity"] == "bob"
            assert joined["cursor"]


async def test_leaving_frees_the_participant_at_once_and_closes_normally(server: Server) -> None:
    async with connected(server) as ann, connected(server, token("bob")) as bob:
        await ann.join()
        bobs = await bob.join()
        await bob.request("leave")
        assert await bob.close_code() == 1000
        left = await ann.event("participant.left")
        assert left["id"] == bobs["participant"]["id"]


async def test_a_ping_is_answered_with_the_time(server: Server) -> None:
    async with connected(server) as ann:
        assert (await ann.request("ping"))["at_ms"] == pytest.approx(server.clock() * 1000, abs=2000)


async def test_requests_are_answered_in_order(server: Server) -> None:
    async with connected(server) as ann:
        await ann.ws.send_json({"id": 1, "type": "join", "room": "demo"})
        for number in range(2, 40):
            await ann.ws.send_json({"id": number, "type": "ping"})
        assert [(await ann.receive())["re"] for _ in range(39)] == list(range(1, 40))


@pytest.mark.parametrize("kind", ["leave", "signal", "media.policy", "media.unsubscribe"])
async def test_other_requests_need_a_join_first(server: Server, kind: str) -> None:
    async with connected(server) as ann:
        reply = await ann.request(kind, to="x", data=1, mode="auto", mid="0")
        assert reply["error"] == {"code": "bad_request", "message": "join a room first", "retry": False}


async def test_a_second_join_on_one_socket_is_refused(server: Server) -> None:
    async with connected(server) as ann:
        await ann.join()
        assert (await ann.request("join", room="demo"))["error"]["code"] == "bad_request"


async def test_a_signal_is_relayed_as_it_is_to_one_participant(server: Server) -> None:
    async with connected(server) as ann, connected(server, token("bob")) as bob:
        anns, bobs = await ann.join(), await bob.join()
        data = {"sdp": "x" * 100_000, "nested": [1, 2.5, None, "é"]}
        assert "error" not in await ann.request("signal", to=bobs["participant"]["id"], data=data)
        told = await bob.event("signal")
        assert told == {"type": "signal", "from": anns["participant"]["id"], "data": data}


async def test_a_signal_to_nobody_is_not_found(server: Server) -> None:
    async with connected(server) as ann:
        await ann.join()
        assert (await ann.request("signal", to="p_nobody", data=1))["error"]["code"] == "not_found"


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ({"type": "dance"}, "type"),
        ({"type": "join"}, "room"),
        ({"type": "join", "room": 7}, "room"),
        ({"type": "join", "room": ""}, "room"),
        ({"type": "join", "room": "a\nb"}, "room"),
        ({"type": "join", "room": "a/b"}, "room"),
        ({"type": "join", "room": "é" * 129}, "room"),
        ({"type": "join", "room": "demo", "presence": {"x": "y" * 5000}}, "presence"),
    ],
)
async def test_a_bad_request_is_answered_and_names_the_field(
    server: Server, message: dict[str, Any], field: str
) -> None:
    async with connected(server, token(room="*")) as ann:
        await ann.ws.send_json({"id": 5, **message})
        reply = await ann.receive()
        assert reply["re"] == 5
        assert reply["error"]["code"] in ("bad_request", "too_large")
        assert field in reply["error"]["message"]
        assert "at_ms" in await ann.request("ping")


@pytest.mark.parametrize(
    "text", ["nonsense", "[]", "3", '{"type":"ping"}', '{"id":"1","type":"ping"}', "[" * 9999]
)
async def test_a_message_that_cannot_be_answered_closes_with_4400(server: Server, text: str) -> None:
    async with connected(server) as ann:
        await ann.ws.send_str(text)
        assert await ann.close_code() == 4400


async def test_a_binary_message_closes_with_4400(server: Server) -> None:
    async with connected(server) as ann:
        await ann.ws.send_bytes(b'{"id":1,"type":"ping"}')
        assert await ann.close_code() == 4400


@pytest.mark.parametrize("size", [66_000, 300_000, 3_000_000])
async def test_a_message_that_is_too_large_closes_with_4413(server: Server, size: int) -> None:
    async with connected(server) as ann:
        await ann.ws.send_json({"id": 1, "type": "ping", "filler": "x" * size})
        assert await ann.close_code() == 4413


async def test_too_many_requests_are_told_to_wait_before_anything_is_closed(server: Server) -> None:
    async with connected(server) as ann:
        for number in range(150):
            await ann.ws.send_json({"id": number, "type": "ping"})
        replies = [await ann.receive() for _ in range(150)]
        refused = [reply["error"] for reply in replies if "error" in reply]
        assert 30 <= len(refused) <= 50
        assert {error["code"] for error in refused} == {"rate_limited"}
        assert all(error["retry"] and error["retry_after_ms"] >= 1 for error in refused)


async def test_whoever_does_not_stop_is_closed_with_4429(server: Server) -> None:
    async with connected(server) as ann:
        for number in range(1000):
            await ann.ws.send_json({"id": number, "type": "ping"})
        assert await ann.close_code() == 4429


async def test_a_socket_without_a_token_is_closed_with_4401(server: Server) -> None:
    async with connected(server, "") as nobody:
        assert await nobody.close_code() == 4401


async def test_a_page_of_a_foreign_origin_is_refused_with_403(server: Server) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
        async with connected(server, headers={"Origin": "http://evil.example"}):
            pass
    assert refusal.value.status == 403


async def test_a_page_of_our_own_may_use_its_cookie(server: Server) -> None:
    headers = {"Origin": server.url, "Cookie": f"hubbub_token={token()}"}
    async with connected(server, "", headers=headers) as ann:
        assert (await ann.join())["participant"]["identity"] == "ann"


async def test_a_cookie_without_an_origin_counts_for_nothing(server: Server) -> None:
    async with connected(server, "", headers={"Cookie": f"hubbub_token={token()}"}) as nobody:
        assert await nobody.close_code() == 4401


async def test_a_token_of_another_room_is_refused_and_closed_with_4403(server: Server) -> None:
    async with connected(server, token(room="other")) as ann:
        assert (await ann.request("join", room="demo"))["error"]["code"] == "forbidden"
        assert await ann.close_code() == 4403


async def test_a_request_that_is_no_upgrade_is_a_bad_request(server: Server) -> None:
    status, body, _ = await http(server, "GET", "/v1/ws", token())
    assert (status, body["error"]["code"]) == (400, "bad_request")


async def test_whoever_does_not_answer_the_heartbeat_is_closed_with_4408(tmp_path: Any) -> None:
    beating = serving(tmp_path, heartbeat_ms=200, heartbeat_timeout_ms=100)
    async with beating as server, connected(server, autoping=False) as ann:
        await ann.join()
        assert (await ann.ws.receive(timeout=5)).type is aiohttp.WSMsgType.PING
        assert (await ann.ws.receive(timeout=5)).data == 4408
        assert ann.ws.close_code == 4408


async def test_whoever_answers_the_heartbeat_stays(tmp_path: Any) -> None:
    beating = serving(tmp_path, heartbeat_ms=120, heartbeat_timeout_ms=60)
    async with beating as server, connected(server, autoping=False) as ann:
        for _ in range(4):
            ping = await ann.ws.receive(timeout=5)
            assert ping.type is aiohttp.WSMsgType.PING
            await ann.ws.pong(ping.data)
        await ann.ws.send_json({"id": 1, "type": "ping"})
        assert "at_ms" in await ann.receive()


async def test_a_full_room_lets_nobody_else_in(tmp_path: Any) -> None:
    async with serving(tmp_path, room_participants=1) as server, connected(server) as ann:
        await ann.join()
        async with connected(server, token("bob")) as bob:
            error = (await bob.request("join", room="demo"))["error"]
            assert error["code"] == "room_full"
            assert "1" in error["message"]


async def test_every_reader_gets_one_broadcast_in_one_order(server: Server) -> None:
    async with connected(server) as ann, connected(server, token("bob")) as bob:
        await ann.join()
        await bob.join()
        for name in ("cat", "dan", "eve"):
            async with connected(server, token(name)) as other:
                await other.join()
                await other.request("leave")
        seen = []
        for reader in (ann, bob):
            events = [await reader.receive() for _ in range(7 if reader is ann else 6)]
            seen.append([json.dumps(event) for event in events][-6:])
        assert seen[0] == seen[1]
        await asyncio.sleep(0)
