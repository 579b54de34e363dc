"""Sessions that end, are lost, resumed, refreshed, revoked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from signaling import participant as participant_module
from signaling.server import Server
from tests.signaling.serving import connected, http, serving, token

ADMIN = token("root", room=None, grants=["admin"])


async def test_a_lost_session_is_resumed_and_nobody_sees_it_leave(server: Server) -> None:
    async with connected(server, token("bob")) as bob:
        await bob.join()
        async with connected(server) as ann:
            before = await ann.join(presence={"hand": True})
            await ann.vanish()
        async with connected(server) as again:
            after = await again.join(resume=before["session"])
            assert after["participant"] == before["participant"]
            assert after["session"] == before["session"]
            (bobs_view,) = [p for p in (await _inspect(server)) if p["identity"] == "ann"]
            assert bobs_view["presence"] == {"hand": True}
            await again.request("leave")
        joined, left = await bob.event("participant.joined"), await bob.receive()
        assert joined["participant"]["id"] == before["participant"]["id"]
        assert (left["type"], left["id"], left["reason"]) == (
            "participant.left",
            joined["participant"]["id"],
            "left",
        )


async def test_a_session_that_is_still_open_is_taken_over_and_closed_with_4409(server: Server) -> None:
    async with connected(server) as old:
        session = (await old.join())["session"]
        async with connected(server) as new:
            await new.join(resume=session)
            assert await old.close_code() == 4409
            assert "at_ms" in await new.request("ping")


async def test_a_session_that_is_not_resumed_in_time_leaves_once(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(participant_module, "RESUME_SECONDS", 0.2)
    async with connected(server, token("bob")) as bob:
        await bob.join()
        async with connected(server) as ann:
            session = (await ann.join())["session"]
        left = await bob.event("participant.left")
        assert left["reason"] == "lost"
        async with connected(server) as again:
            late = await again.join(resume=session)
            assert late["participant"]["id"] != left["id"]


@pytest.mark.parametrize("resume", ["", "nonsense", "p_x.y", "é"])
async def test_a_wrong_session_secret_joins_anew(server: Server, resume: str) -> None:
    async with connected(server) as ann:
        assert (await ann.join(resume=resume))["participants"] == []


async def test_nobody_resumes_the_session_of_another_identity(server: Server) -> None:
    async with connected(server) as ann:
        session = (await ann.join())["session"]
        async with connected(server, token("mallory")) as mallory:
            reply = await mallory.join(resume=session)
            assert reply["participant"]["identity"] == "mallory"
            assert [other["identity"] for other in reply["participants"]] == ["ann"]


async def test_what_was_missed_is_replayed_without_a_hole_or_a_double(server: Server) -> None:
    async with connected(server) as ann:
        cursor = (await ann.join())["room"]["cursor"]
        async with connected(server, token("bob")) as bob:
            bobs = await bob.join()
            await bob.request("leave")
        await ann.request("leave")
    async with connected(server) as again:
        reply = await again.join(since=cursor)
        assert reply["recovered"] is True
        told = [(event["type"], event.get("id") or event["participant"]["id"]) for event in reply["events"]]
        bob_id, ann_id = bobs["participant"]["id"], reply["participant"]["id"]
        assert told[:2] == [("participant.joined", bob_id), ("participant.left", bob_id)]
        assert told[-1] == ("participant.joined", ann_id)
        assert reply["events"][-1]["cursor"] == reply["room"]["cursor"]


@pytest.mark.parametrize("since", ["garbage", "", "room:other.1"])
async def test_a_cursor_that_cannot_be_continued_recovers_nothing(server: Server, since: str) -> None:
    async with connected(server) as ann:
        reply = await ann.join(since=since)
        assert (reply["recovered"], reply["events"]) == (False, [])


async def test_a_connection_ends_no_later_than_its_token(server: Server) -> None:
    expires = time.time() + 1.0
    async with connected(server, token(exp=expires)) as ann:
        await ann.join()
        assert await ann.close_code() == 4401
        assert time.time() <= expires + 0.05


async def test_a_refreshed_connection_outlives_its_first_token(server: Server) -> None:
    async with connected(server, token(exp=time.time() + 0.6)) as ann:
        await ann.join()
        assert await ann.request("auth.refresh", token=token(exp=time.time() + 1.2)) == {"re": 2}
        started = time.time()
        assert await ann.close_code() == 4401
        assert time.time() - started > 0.7


async def test_a_refresh_takes_effect_and_is_told(server: Server) -> None:
    async with connected(server) as ann, connected(server, token("bob")) as bob:
        await ann.join()
        await bob.join()
        await bob.request("auth.refresh", token=token("bob", name="Bob", grants=["subscribe"]))
        updated = (await ann.event("participant.updated"))["participant"]
        assert (updated["name"], updated["grants"]) == ("Bob", ["subscribe"])


@pytest.mark.parametrize(
    ("bearer", "code"),
    [
        (lambda: "nonsense", "unauthorized"),
        (lambda: token(exp=time.time() - 1), "unauthorized"),
        (lambda: token("bob"), "forbidden"),
        (lambda: token(room="other"), "forbidden"),
    ],
)
async def test_a_bad_refresh_changes_nothing(server: Server, bearer: Callable[[], str], code: str) -> None:
    async with connected(server) as ann:
        await ann.join()
        assert (await ann.request("auth.refresh", token=bearer()))["error"]["code"] == code
        assert "at_ms" in await ann.request("ping")


@pytest.mark.parametrize("target", [{"sub": "ann"}, {"jti": "token-1"}])
async def test_a_revoked_token_ends_its_connections_and_stays_refused_over_a_restart(
    tmp_path: Path, target: dict[str, str]
) -> None:
    bearer = token(jti="token-1")
    async with serving(tmp_path) as server:
        async with connected(server, bearer) as ann, connected(server, token("bob")) as bob:
            await bob.join()
            await ann.join()
            revoked = time.monotonic()
            assert (await http(server, "POST", "/v1/tokens/revoke", ADMIN, json=target))[0] == 200
            assert await ann.close_code() == 4401
            assert time.monotonic() - revoked < 2
            assert (await bob.event("participant.left"))["reason"] == "token was revoked"
        await _refused(server, bearer)
    async with serving(tmp_path) as server:
        await _refused(server, bearer)
        async with connected(server, token("bob")) as bob:
            await bob.join()


async def _refused(server: Server, bearer: str) -> None:
    async with connected(server, bearer) as ann:
        assert await ann.close_code() == 4401
    assert (await http(server, "GET", "/v1/ice-servers", bearer))[0] == 401


async def _inspect(server: Server) -> list[dict[str, Any]]:
    status, body, _ = await http(server, "GET", "/v1/rooms/demo", ADMIN)
    assert status == 200
    participants: list[dict[str, Any]] = body["participants"]
    return participants


async def test_draining_tells_everybody_lets_nobody_in_and_closes_with_4503(tmp_path: Path) -> None:
    async with serving(tmp_path, grace_ms=500) as server, connected(server) as ann, connected(server) as bob:
        await ann.join()
        draining = asyncio.create_task(server.drain())
        told = await ann.event("server.draining")
        assert told["deadline_ms"] == pytest.approx(server.clock() * 1000 + 500, abs=400)
        assert (await http(server, "GET", "/readyz"))[0] == 503
        assert (await http(server, "GET", "/healthz"))[0] == 200
        error = (await bob.request("join", room="demo"))["error"]
        assert (error["code"], error["retry"]) == ("unavailable", True)
        async with connected(server) as late:
            assert await late.close_code() == 4503
        await draining
        closing = asyncio.create_task(server.close())
        assert (await ann.close_code(), await bob.close_code()) == (4503, 4503)
        await closing
