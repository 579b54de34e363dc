"""Rooms over HTTP, and the endpoints that need nobody."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from signaling.http.app import endpoints
from signaling.http.openapi import VARIABLE
from signaling.server import Server
from tests.signaling.serving import connected, http, serving, token

ADMIN = token("root", room=None, grants=["admin"])
MODERATOR = token("mod", grants=["moderate"])


async def test_rooms_are_listed_and_inspected(server: Server) -> None:
    assert (await http(server, "GET", "/v1/rooms", ADMIN))[1] == {"rooms": []}
    async with connected(server) as ann:
        joined = await ann.join()
        _, listed, _ = await http(server, "GET", "/v1/rooms", ADMIN)
        assert listed == {"rooms": [{"name": "demo", "participant_count": 1, "track_count": 0}]}
        _, room, _ = await http(server, "GET", "/v1/rooms/demo", ADMIN)
        assert room["participants"] == [{**joined["participant"], "presence": None, "tracks": []}]
        assert room["stats"] == {}


async def test_a_closed_room_says_so_to_everybody_and_closes_with_4410(server: Server) -> None:
    async with connected(server) as ann, connected(server, token("bob")) as bob:
        await ann.join()
        await bob.join()
        assert (await http(server, "DELETE", "/v1/rooms/demo", ADMIN))[0] == 200
        for client in (ann, bob):
            await client.event("room.closed")
            assert await client.close_code() == 4410
    assert (await http(server, "GET", "/v1/rooms/demo", ADMIN))[0] == 404
    async with connected(server) as again:
        assert (await again.join())["participants"] == []


async def test_a_kicked_participant_is_closed_with_4403_and_left_once(server: Server) -> None:
    async with connected(server) as ann, connected(server, token("bob")) as bob:
        await ann.join()
        bobs = await bob.join()
        path = f"/v1/rooms/demo/participants/{bobs['participant']['id']}"
        assert (await http(server, "DELETE", path, MODERATOR))[0] == 200
        assert await bob.close_code() == 4403
        left = await ann.event("participant.left")
        assert (left["id"], left["reason"]) == (bobs["participant"]["id"], "kicked")
        assert (await http(server, "DELETE", path, MODERATOR))[0] == 404
        async with connected(server, token("bob")) as again:
            reply = await again.join(resume=bobs["session"])
            assert reply["participant"]["id"] != bobs["participant"]["id"]


async def test_grants_name_and_meta_are_changed_at_once_and_told(server: Server) -> None:
    async with connected(server) as ann:
        me = (await ann.join())["participant"]["id"]
        path = f"/v1/rooms/demo/participants/{me}"
        change = {"grants": ["subscribe"], "name": "Anna", "meta": {"a": 1}}
        status, body, _ = await http(server, "PATCH", path, MODERATOR, json=change)
        assert status == 200
        told = (await ann.event("participant.updated"))["participant"]
        for participant in (told, body["participant"]):
            assert {field: participant[field] for field in change} == change
        await http(server, "PATCH", path, MODERATOR, json={"name": None})
        assert (await ann.event("participant.updated"))["participant"]["grants"] == ["subscribe"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"grants": ["fly"]}, "grants"),
        ({"name": 5}, "name"),
        ({"meta": []}, "meta"),
        ({"meta": {"x": "y" * 5000}}, "meta"),
    ],
)
async def test_a_bad_change_names_its_field(server: Server, change: dict[str, Any], field: str) -> None:
    async with connected(server) as ann:
        path = f"/v1/rooms/demo/participants/{(await ann.join())['participant']['id']}"
        status, body, _ = await http(server, "PATCH", path, MODERATOR, json=change)
        assert status in (400, 413)
        assert field in body["error"]["message"]


PROTECTED = [
    ("GET", "/v1/rooms", "admin"),
    ("GET", "/v1/rooms/demo", "admin"),
    ("DELETE", "/v1/rooms/demo", "admin"),
    ("DELETE", "/v1/rooms/demo/participants/p_x", "moderate"),
    ("PATCH", "/v1/rooms/demo/participants/p_x", "moderate"),
    ("POST", "/v1/rooms/demo/tracks/t_x/mute", "moderate"),
    ("POST", "/v1/tokens/revoke", "admin"),
]


@pytest.mark.parametrize(("method", "path", "grant"), PROTECTED)
async def test_who_may_not_is_told_401_or_403(server: Server, method: str, path: str, grant: str) -> None:
    status, body, headers = await http(server, method, path)
    assert (status, body["error"]["code"], headers["WWW-Authenticate"]) == (401, "unauthorized", "Bearer")
    status, body, _ = await http(server, method, path, token(grants=["publish", "subscribe", "chat"]))
    assert (status, body["error"]["code"]) == (403, "forbidden")
    assert grant in body["error"]["message"]


async def test_a_moderator_of_another_room_moderates_nothing_here(server: Server) -> None:
    other = token("mod", room="other", grants=["moderate"])
    assert (await http(server, "DELETE", "/v1/rooms/demo/participants/p_x", other))[0] == 403


@pytest.mark.parametrize(("method", "path", "_grant"), PROTECTED[1:6])
async def test_what_is_not_there_is_404(server: Server, method: str, path: str, _grant: str) -> None:
    status, body, _ = await http(server, method, path, ADMIN)
    assert (status, body["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize("body", [{}, {"sub": "a", "jti": "b"}, {"sub": 5}, {"sub": ""}])
async def test_a_revocation_means_exactly_one_thing(server: Server, body: dict[str, Any]) -> None:
    status, answer, _ = await http(server, "POST", "/v1/tokens/revoke", ADMIN, json=body)
    assert (status, answer["error"]["code"]) == (400, "bad_request")


async def test_turn_credentials_are_fresh_and_expire(tmp_path: Path) -> None:
    settings = {"turn_urls": ("turn:turn.example.org:3478",), "turn_secret": "shared"}
    async with serving(tmp_path, **settings) as server:
        _, body, _ = await http(server, "GET", "/v1/ice-servers", token())
        (entry,) = body["ice_servers"]
        assert entry["urls"] == ["turn:turn.example.org:3478"]
        expiry, _, identity = entry["username"].partition(":")
        assert identity == "ann"
        assert int(expiry) > server.clock() + 3600
        async with connected(server) as ann:
            assert (await ann.join())["ice_servers"][0]["urls"] == entry["urls"]


async def test_health_and_readiness(server: Server) -> None:
    assert [(await http(server, "GET", path))[0] for path in ("/healthz", "/readyz")] == [200, 200]


async def test_metrics_are_prometheus_text(server: Server) -> None:
    async with connected(server) as ann:
        await ann.join()
        await ann.request("dance")
        status, text, headers = await http(server, "GET", "/metrics")
        assert (status, headers["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
        assert "hubbub_participants 1.0" in text
        assert 'hubbub_requests_total{type="join"} 1.0' in text
        assert 'hubbub_refusals_total{code="bad_request"} 1.0' in text


async def test_an_unknown_path_and_a_wrong_method_are_refused_as_json(server: Server) -> None:
    status, body, _ = await http(server, "GET", "/v1/nothing", ADMIN)
    assert (status, body["error"]["code"]) == (404, "not_found")
    status, body, headers = await http(server, "PUT", "/v1/rooms/demo", ADMIN)
    assert (status, body["error"]["code"]) == (405, "bad_request")
    assert headers["Allow"] == "DELETE,GET,HEAD"


async def test_a_body_that_is_no_json_is_refused(server: Server) -> None:
    status, body, _ = await http(server, "POST", "/v1/tokens/revoke", ADMIN, data=b"\xff{")
    assert (status, body["error"]["code"]) == (400, "bad_request")


async def test_openapi_lists_exactly_what_is_routed(server: Server) -> None:
    _, document, _ = await http(server, "GET", "/v1/openapi.json")
    documented = {
        (method.upper(), path) for path, operations in document["paths"].items() for method in operations
    }
    routed = set()
    for resource in server.app.router.resources():
        for route in resource:
            if route.method != "HEAD":
                routed.add((route.method, resource.canonical))
    assert documented == routed
    listed = endpoints(server)
    assert all(endpoint.summary for endpoint in listed)
    assert all("{" not in re.sub(r"\{\w+\}", "", VARIABLE.sub(r"{\1}", e.path)) for e in listed)


async def test_pages_of_the_allow_list_may_call_and_others_may_not(tmp_path: Path) -> None:
    friend, stranger = {"Origin": "https://app.example"}, {"Origin": "https://evil.example"}
    async with serving(tmp_path, allowed_origins=("https://app.example",)) as server:
        asking = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
        status, _, headers = await http(server, "OPTIONS", "/v1/rooms", headers={**friend, **asking})
        assert (status, headers["Access-Control-Allow-Origin"]) == (204, "https://app.example")
        assert "Authorization" in headers["Access-Control-Allow-Headers"]
        _, _, headers = await http(server, "GET", "/v1/rooms", ADMIN, headers=friend)
        assert headers["Access-Control-Allow-Origin"] == "https://app.example"
        _, _, headers = await http(server, "GET", "/v1/rooms", ADMIN, headers=stranger)
        assert "Access-Control-Allow-Origin" not in headers


async def test_a_cookie_counts_only_for_origins_that_are_named(tmp_path: Path) -> None:
    cookie = {"Cookie": f"hubbub_token={token()}"}
    async with serving(tmp_path, allowed_origins=("*",)) as server:
        statuses = [
            (await http(server, "GET", "/v1/ice-servers", headers={**cookie, **origin}))[0]
            for origin in ({}, {"Origin": "https://any.example"}, {"Origin": server.url})
        ]
        assert statuses == [401, 401, 200]


async def test_development_hands_out_tokens_and_production_does_not(server: Server, tmp_path: Path) -> None:
    wish = {"identity": "ann", "room": "demo", "name": "Ann", "grants": ["publish"]}
    assert (await http(server, "POST", "/dev/token", json=wish))[0] == 404
    async with serving(tmp_path / "dev", dev=True) as development:
        _, body, _ = await http(development, "POST", "/dev/token", json=wish)
        assert body["url"] == development.url.replace("http", "ws") + "/v1/ws"
        async with connected(development, body["token"]) as ann:
            assert (await ann.join())["participant"]["name"] == "Ann"
        for bad in ({}, {**wish, "grants": ["fly"]}, {**wish, "identity": ""}):
            assert (await http(development, "POST", "/dev/token", json=bad))[0] == 400


async def test_the_demo_is_served_or_says_how_it_is_built(server: Server, tmp_path: Path) -> None:
    for path in ("/", "/dashboard"):
        status, text, headers = await http(server, "GET", path)
        assert (status, headers["Content-Type"].split(";")[0]) == (200, "text/html")
        assert "hubbub" in text
    for path in ("/assets/none.js", "/../server.py", "/%2e%2e/server.py"):
        assert (await http(server, "GET", path))[0] == 404
    async with serving(tmp_path / "bare", demo=False) as bare:
        assert (await http(bare, "GET", "/"))[0] == 404
