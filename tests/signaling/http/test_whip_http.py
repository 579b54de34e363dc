"""What WHIP and WHEP answer before any media is negotiated (RFC 9725 section 4)."""

from __future__ import annotations

from typing import Any

import pytest

from signaling.http.whip import ice_links
from signaling.ice_servers import ice_servers
from signaling.server import Server
from tests.signaling.serving import http, token

SDP = {"Content-Type": "application/sdp"}
DOORS = ["whip", "whep"]


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
async def test_methods_that_are_reserved_are_405(server: Server, door: str, method: str) -> None:
    assert (await http(server, method, f"/v1/{door}/demo", token()))[0] == 405
    assert (await http(server, method, f"/v1/{door}/demo/s_x", token()))[0] == 405


@pytest.mark.parametrize("door", DOORS)
async def test_options_say_what_is_accepted_to_every_page(server: Server, door: str) -> None:
    preflight = {
        "Origin": "https://any.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization, content-type, if-match",
    }
    status, _, headers = await http(server, "OPTIONS", f"/v1/{door}/demo", headers=preflight)
    assert (status, headers["Accept-Post"], headers["Access-Control-Allow-Origin"]) == (
        200,
        "application/sdp",
        "*",
    )
    assert "If-Match" in headers["Access-Control-Allow-Headers"]
    assert {"POST", "PATCH", "DELETE"} <= set(headers["Access-Control-Allow-Methods"].split(", "))
    assert "Location" in headers["Access-Control-Expose-Headers"]
    status, _, headers = await http(server, "OPTIONS", f"/v1/{door}/demo/s_x", headers=preflight)
    assert (status, headers["Accept-Patch"]) == (200, "application/trickle-ice-sdpfrag")


@pytest.mark.parametrize(
    ("door", "bearer", "status"),
    [
        ("whip", None, 401),
        ("whip", token(grants=["subscribe"]), 403),
        ("whep", token(grants=["publish"]), 403),
        ("whip", token(room="other"), 403),
    ],
)
async def test_only_who_may_gets_in(server: Server, door: str, bearer: str | None, status: int) -> None:
    answer = await http(server, "POST", f"/v1/{door}/demo", bearer, data="v=0\r\n", headers=SDP)
    assert answer[0] == status
    assert answer[2]["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("door", DOORS)
async def test_another_content_type_is_415(server: Server, door: str) -> None:
    status, _, headers = await http(server, "POST", f"/v1/{door}/demo", token(), json={})
    assert (status, headers["Accept-Post"]) == (415, "application/sdp")


async def test_tracks_of_two_streams_are_406(server: Server) -> None:
    offer = "v=0\r\na=msid:one a\r\na=msid:two b\r\n"
    status, body, _ = await http(server, "POST", "/v1/whip/demo", token(), data=offer, headers=SDP)
    assert status == 406
    assert "MediaStream" in body["error"]["message"]


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_a_session_that_is_not_there_is_404(server: Server, method: str) -> None:
    path = "/v1/whip/demo/s_none"
    assert (await http(server, method, path))[0] == 401
    status, body, headers = await http(server, method, path, token())
    assert (status, body["error"]["code"]) == (404, "not_found")
    assert headers["Access-Control-Allow-Origin"] == "*"


def test_turn_servers_are_links() -> None:
    servers: list[dict[str, Any]] = ice_servers(["turn:a:3478", "turns:a:5349"], "secret", 'an"n', 1000.0)
    links = ice_links(servers)
    assert len(links) == 2
    assert links[0].startswith('<turn:a:3478>; rel="ice-server"; username="22600:an%22n"; credential="')
    assert links[1].endswith('; credential-type="password"')
    assert ice_links(ice_servers(["stun:a"], "", "ann", 0.0)) == ['<stun:a>; rel="ice-server"']
