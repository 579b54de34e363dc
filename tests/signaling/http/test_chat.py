"""Chat and events of a room, over real WebSockets (protocol section 3)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from signaling.server import Server
from tests.signaling.serving import Client, connected, serving, token


@pytest.fixture
async def people(server: Server) -> AsyncIterator[list[Client]]:
    """ann, bob and cleo, joined in that order."""
    async with AsyncExitStack() as stack:
        joined = []
        for identity in ("ann", "bob", "cleo"):
            client = await stack.enter_async_context(connected(server, token(identity)))
            client.me = (await client.join())["participant"]  # type: ignore[attr-defined]  # of this fixture
            joined.append(client)
        yield joined


def participant(client: Client) -> dict[str, Any]:
    me: dict[str, Any] = client.me  # type: ignore[attr-defined]  # set by the fixture
    return me


async def test_a_message_reaches_everybody_its_sender_too(people: list[Client]) -> None:
    ann = people[0]
    reply = await ann.request("chat.send", text="hello, café", data={"reply": 12})
    assert set(reply) == {"re", "offset", "at_ms"}
    for person in people:
        event = await person.event("chat")
        assert event["message"] == {
            "offset": reply["offset"],
            "at_ms": reply["at_ms"],
            "from": {"id": participant(ann)["id"], "identity": "ann", "name": None},
            "text": "hello, café",
            "data": {"reply": 12},
            "to": None,
        }
        assert isinstance(event["cursor"], str)


async def test_messages_come_in_the_order_of_their_offsets(people: list[Client]) -> None:
    ann, bob, cleo = people
    for client in (ann, bob):
        for number in range(20):
            await client.ws.send_json({"id": 1000 + number, "type": "chat.send", "text": str(number)})
    offsets = [(await cleo.event("chat"))["message"]["offset"] for _ in range(40)]
    assert offsets == list(range(offsets[0], offsets[0] + 40))


async def test_a_private_message_is_seen_by_those_it_names_and_its_sender(people: list[Client]) -> None:
    ann, bob, cleo = people
    await ann.request("chat.send", text="psst", to=[participant(bob)["id"]])
    await ann.request("chat.send", text="all")
    assert [(await ann.event("chat"))["message"]["text"] for _ in range(2)] == ["psst", "all"]
    first = (await bob.event("chat"))["message"]
    assert (first["text"], first["to"]) == ("psst", [participant(bob)["id"]])
    assert (await cleo.event("chat"))["message"]["text"] == "all"


async def test_a_private_message_is_in_nobody_elses_history(people: list[Client]) -> None:
    ann, bob, _ = people
    await ann.request("chat.send", text="psst", to=[participant(bob)["id"]])
    await ann.request("chat.send", text="all")
    texts = [
        [message["text"] for message in (await person.request("chat.history"))["messages"]]
        for person in people
    ]
    assert texts == [["psst", "all"], ["psst", "all"], ["all"]]


async def test_a_private_message_is_no_hole_for_the_others(server: Server, people: list[Client]) -> None:
    ann, bob, cleo = people
    await ann.request("chat.send", text="before")
    since = (await cleo.event("chat"))["cursor"]
    await ann.request("chat.send", text="psst", to=[participant(bob)["id"]])
    await ann.request("chat.send", text="after")
    for identity, texts in (("cleo", ["after"]), ("bob", ["psst", "after"])):
        async with connected(server, token(identity)) as again:
            reply = await again.join(since=since)
            assert reply["recovered"] is True
            chats = [event["message"]["text"] for event in reply["events"] if event["type"] == "chat"]
            assert chats == texts


async def test_a_message_to_nobody_is_refused(people: list[Client]) -> None:
    reply = await people[0].request("chat.send", text="hello", to=["p_nobody"])
    assert reply["error"]["code"] == "not_found"
    assert "to" in reply["error"]["message"]


async def test_chat_needs_its_grant(server: Server) -> None:
    async with connected(server, token("dan", grants=["subscribe"])) as dan:
        await dan.join()
        for kind, fields in (
            ("chat.send", {"text": "x"}),
            ("chat.react", {"offset": 0, "reaction": "+"}),
            ("event.send", {"name": "x", "data": None}),
        ):
            assert (await dan.request(kind, **fields))["error"]["code"] == "forbidden"
        assert (await dan.request("chat.history"))["messages"] == []


async def test_chat_needs_a_room(server: Server) -> None:
    async with connected(server) as ann:
        for kind, fields in (
            ("chat.send", {"text": "x"}),
            ("chat.history", {}),
            ("presence.set", {"state": {}}),
        ):
            assert (await ann.request(kind, **fields))["error"]["code"] == "bad_request"


async def test_a_text_over_eight_kib_is_refused(people: list[Client]) -> None:
    reply = await people[0].request("chat.send", text="é" * 4097)
    assert "8192" in reply["error"]["message"]
    assert "offset" in await people[0].request("chat.send", text="é" * 4096)


async def test_the_same_key_answers_the_first_message_again(people: list[Client]) -> None:
    ann, bob, _ = people
    first = await ann.request("chat.send", text="once", key="k-1")
    again = await ann.request("chat.send", text="twice", key="k-1")
    other = await bob.request("chat.send", text="bob's", key="k-1")
    assert (again["offset"], again["at_ms"]) == (first["offset"], first["at_ms"])
    assert other["offset"] != first["offset"]
    texts = [message["text"] for message in (await ann.request("chat.history"))["messages"]]
    assert texts == ["once", "bob's"]


async def test_a_key_holds_over_a_restart_even_where_its_addressees_are_gone(tmp_path: Path) -> None:
    answers = []
    to: list[str] = []
    for _ in range(2):
        async with (
            serving(tmp_path) as server,
            connected(server) as ann,
            connected(server, token("bob")) as bob,
        ):
            to = to or [(await bob.join())["participant"]["id"]]
            await ann.join()
            answers.append(
                [
                    await ann.request("chat.send", text="once", key="k"),
                    await ann.request("chat.send", text="psst", key="p", to=to),
                ]
            )
            history = (await ann.request("chat.history"))["messages"]
            assert [message["text"] for message in history] == ["once", "psst"]
    places = [[(answer["offset"], answer["at_ms"]) for answer in both] for both in answers]
    assert places[0] == places[1]


async def test_history_is_read_backwards_in_pages(people: list[Client]) -> None:
    ann = people[0]
    offsets = [(await ann.request("chat.send", text=str(number)))["offset"] for number in range(7)]
    await ann.request("event.send", name="poll", data=1, keep=True)
    page = await ann.request("chat.history", limit=3)
    assert ([message["text"] for message in page["messages"]], page["more"]) == (["4", "5", "6"], True)
    page = await ann.request("chat.history", limit=3, before=offsets[4])
    assert ([message["text"] for message in page["messages"]], page["more"]) == (["1", "2", "3"], True)
    page = await ann.request("chat.history", limit=3, before=offsets[1])
    assert ([message["text"] for message in page["messages"]], page["more"]) == (["0"], False)


async def test_an_edit_is_told_and_shows_in_history(people: list[Client]) -> None:
    ann, bob, _ = people
    sent = await ann.request("chat.send", text="helo")
    edited = await ann.request("chat.edit", offset=sent["offset"], text="hello")
    event = await bob.event("chat.edited")
    assert event["message"]["offset"] == sent["offset"]
    assert event["message"]["text"] == "hello"
    assert event["offset"] == edited["offset"]
    assert event["by"]["identity"] == "ann"
    (message,) = (await bob.request("chat.history"))["messages"]
    assert (message["text"], message["edited"]["by"], message["at_ms"]) == ("hello", "ann", sent["at_ms"])
    assert "edit" not in message


async def test_a_deleted_message_is_nowhere_kept(server: Server, people: list[Client]) -> None:
    ann, bob, _ = people
    since = (await ann.request("chat.send", text="start")) and (await bob.event("chat"))["cursor"]
    sent = await ann.request("chat.send", text="secret-one")
    await ann.request("chat.edit", offset=sent["offset"], text="secret-two")
    await ann.request("chat.edit", offset=sent["offset"], text="secret-three")
    await ann.request("chat.delete", offset=sent["offset"])
    event = await bob.event("chat.deleted")
    assert event["message"]["deleted"] is True
    message = (await bob.request("chat.history"))["messages"][-1]
    assert (message["text"], message["deleted"], message["from"]["identity"]) == ("", True, "ann")
    async with connected(server, token("dan")) as dan:
        reply = await dan.join(since=since)
        assert reply["recovered"]
        assert "secret" not in str(reply)
    entries, _ = await server.log.history("room:demo")
    assert not [entry for entry in entries if b"secret" in bytes(entry.data)]


async def test_others_messages_are_for_moderators(server: Server, people: list[Client]) -> None:
    ann, bob, _ = people
    sent = await ann.request("chat.send", text="rude")
    for kind, fields in (("chat.edit", {"text": "nice"}), ("chat.delete", {})):
        assert (await bob.request(kind, offset=sent["offset"], **fields))["error"]["code"] == "forbidden"
    async with connected(server, token("mod", grants=["moderate"])) as mod:
        await mod.join()
        assert "error" not in await mod.request("chat.delete", offset=sent["offset"])
    assert (await bob.event("chat.deleted"))["by"]["identity"] == "mod"


async def test_corrections_of_what_is_no_message_are_refused(people: list[Client]) -> None:
    ann, bob, cleo = people
    kept = await ann.request("event.send", name="poll", data=1, keep=True)
    private = await ann.request("chat.send", text="psst", to=[participant(bob)["id"]])
    for client, offset in ((ann, kept["offset"]), (ann, 10_000), (ann, -1), (cleo, private["offset"])):
        for kind, fields in (("chat.delete", {}), ("chat.react", {"reaction": "+"})):
            assert (await client.request(kind, offset=offset, **fields))["error"]["code"] == "not_found"


async def test_reactions_are_counted_once_per_identity_and_taken_back(people: list[Client]) -> None:
    ann, bob, cleo = people
    offset = (await ann.request("chat.send", text="nice?"))["offset"]
    for client in (bob, bob, cleo):
        await client.request("chat.react", offset=offset, reaction="👍")
    event = await ann.event("chat.reacted")
    assert (event["message"], event["reaction"], event["on"]) == ({"offset": offset}, "👍", True)
    assert event["from"]["identity"] == "bob"
    (message,) = (await ann.request("chat.history"))["messages"]
    assert message["reactions"] == {"👍": ["cleo", "bob"]} or message["reactions"] == {"👍": ["bob", "cleo"]}
    for client in (bob, cleo):
        await client.request("chat.react", offset=offset, reaction="👍", on=False)
    (message,) = (await ann.request("chat.history"))["messages"]
    assert message["reactions"] == {}


async def test_a_reaction_to_a_private_message_stays_private(people: list[Client]) -> None:
    ann, bob, cleo = people
    offset = (await ann.request("chat.send", text="psst", to=[participant(bob)["id"]]))["offset"]
    await bob.request("chat.react", offset=offset, reaction="+")
    await ann.request("chat.send", text="end")
    await ann.event("chat.reacted")
    seen: list[dict[str, Any]] = []
    while not seen or seen[-1]["type"] != "chat":
        seen.append(await cleo.receive())
    assert "chat.reacted" not in [event["type"] for event in seen]


async def test_how_far_somebody_has_read_is_kept_per_identity(tmp_path: Path) -> None:
    async with serving(tmp_path) as server, connected(server) as phone, connected(server) as laptop:
        await phone.join()
        await laptop.join()
        assert (await phone.request("chat.read"))["offset"] is None
        offset = (await phone.request("chat.send", text="hello"))["offset"]
        assert (await phone.request("chat.read", offset=offset))["offset"] == offset
        assert (await laptop.event("chat.read"))["offset"] == offset
    async with (
        serving(tmp_path) as server,
        connected(server) as laptop,
        connected(server, token("bob")) as bob,
    ):
        await laptop.join()
        await bob.join()
        assert (await laptop.request("chat.read"))["offset"] == offset
        assert (await bob.request("chat.read"))["offset"] is None


async def test_an_event_that_is_not_kept_is_told_and_forgotten(server: Server, people: list[Client]) -> None:
    ann, bob, _ = people
    assert set(await ann.request("event.send", name="cursor", data={"x": 1})) == {"re"}
    event = await bob.event("event")
    assert (event["name"], event["data"], event["from"]["identity"]) == ("cursor", {"x": 1}, "ann")
    assert "cursor" not in event
    assert (await ann.event("event"))["name"] == "cursor"
    entries, _ = await server.log.history("room:demo", types=frozenset({"event"}))
    assert entries == []


async def test_a_kept_event_is_replayed(server: Server, people: list[Client]) -> None:
    ann, bob, _ = people
    since = (await ann.request("chat.send", text="x")) and (await bob.event("chat"))["cursor"]
    reply = await ann.request("event.send", name="poll", data=[1], keep=True)
    assert (await bob.event("event"))["offset"] == reply["offset"]
    async with connected(server, token("dan")) as dan:
        events = (await dan.join(since=since))["events"]
        assert [event["name"] for event in events if event["type"] == "event"] == ["poll"]


async def test_an_event_for_some_reaches_them_alone(people: list[Client]) -> None:
    ann, bob, cleo = people
    for keep in (False, True):
        await ann.request("event.send", name="psst", data=1, to=[participant(bob)["id"]], keep=keep)
        await ann.request("event.send", name="all", data=1)
        assert [(await bob.event("event"))["name"] for _ in range(2)] == ["psst", "all"]
        assert (await cleo.event("event"))["name"] == "all"


async def test_many_at_once_get_gapless_offsets(people: list[Client]) -> None:
    async def send(client: Client, count: int) -> list[int]:
        return [(await client.request("chat.send", text="x"))["offset"] for _ in range(count)]

    offsets = sorted(chain(*await asyncio.gather(*(send(client, 30) for client in people))))
    assert offsets == list(range(offsets[0], offsets[0] + 90))
