"""Presence over real WebSockets (protocol section 3)."""

from __future__ import annotations

from signaling.server import Server
from tests.signaling.serving import connected, token


async def test_a_state_is_told_and_shown_to_whoever_joins(server: Server) -> None:
    async with connected(server) as ann, connected(server, token("bob")) as bob:
        me = (await ann.join(presence={"status": "here"}))["participant"]["id"]
        assert (await bob.join())["participants"][0]["presence"] == {"status": "here"}
        assert await ann.request("presence.set", state={"status": "away"}) == {"re": 2}
        event = await bob.event("presence")
        assert event == {"type": "presence", "participant": me, "state": {"status": "away"}}
        async with connected(server, token("cleo")) as cleo:
            views = {person["id"]: person["presence"] for person in (await cleo.join())["participants"]}
            assert views[me] == {"status": "away"}


async def test_a_state_with_a_time_to_live_clears_itself(server: Server) -> None:
    async with connected(server) as ann, connected(server, token("bob")) as bob:
        await bob.join()
        await ann.join()
        await ann.request("presence.set", state={"typing": True}, ttl_ms=150)
        assert (await bob.event("presence"))["state"] == {"typing": True}
        assert (await bob.event("presence"))["state"] == {}


async def test_of_many_states_the_last_arrives_and_few_before_it(server: Server) -> None:
    async with connected(server) as ann, connected(server, token("bob")) as bob:
        await bob.join()
        await ann.join()
        for number in range(60):
            await ann.ws.send_json({"id": 100 + number, "type": "presence.set", "state": {"number": number}})
        seen: list[int] = []
        while not seen or seen[-1] != 59:
            seen.append((await bob.event("presence"))["state"]["number"])
        assert seen == sorted(seen)
        assert len(seen) < 30


async def test_presence_survives_a_resume(server: Server) -> None:
    async with connected(server) as ann, connected(server, token("bob")) as bob:
        await bob.join()
        joined = await ann.join()
        await ann.request("presence.set", state={"hand": True})
        assert (await bob.event("presence"))["state"] == {"hand": True}
        await ann.vanish()
        async with connected(server) as again:
            resumed = await again.join(resume=joined["session"])
            assert resumed["participant"]["id"] == joined["participant"]["id"]
            async with connected(server, token("cleo")) as cleo:
                views = {p["identity"]: p["presence"] for p in (await cleo.join())["participants"]}
                assert views["ann"] == {"hand": True}


async def test_a_state_over_four_kib_is_refused(server: Server) -> None:
    async with connected(server) as ann:
        await ann.join()
        refused = await ann.request("presence.set", state={"text": "x" * 4096})
        assert "4096" in refused["error"]["message"]
