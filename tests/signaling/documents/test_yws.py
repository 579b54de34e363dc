import asyncio
import sqlite3
import time
from typing import Any

import aiohttp
import pytest
from pycrdt import Doc

from signaling.documents import messages, session
from signaling.documents.lib0 import write_string, write_uint
from signaling.errors import CloseCode, HubbubError, unavailable
from signaling.server import Server
from tests.signaling.documents.peer import eventually, joined, reader, synced, writer
from tests.signaling.serving import http, token


def awareness(client: int, clock: int, text: str) -> bytes:
    return messages.awareness(write_uint(1) + write_uint(client) + write_uint(clock) + write_string(text))


async def test_two_clients_converge_and_hear_their_own_echo(server: Server) -> None:
    async with synced(server, "a/b") as ann, synced(server, "a/b") as bob:
        update = await ann.write("hello")
        await ann.until(lambda: update in ann.echoes)
        await bob.until(lambda: str(bob.text) == "hello")
        await bob.write("é ", at=0)
        await ann.until(lambda: str(ann.text) == "é hello")


async def test_documents_of_two_names_do_not_mix(server: Server) -> None:
    async with synced(server, "one") as ann, synced(server, "two") as bob:
        await ann.write("mine")
        await ann.until(lambda: ann.echoes)
        await bob.write("yours")
        await bob.until(lambda: bob.echoes)
        assert (str(ann.text), str(bob.text)) == ("mine", "yours")


async def test_an_echo_means_that_the_update_is_on_disk(server: Server) -> None:
    async with synced(server) as ann:
        update = await ann.write("kept")
        await ann.until(lambda: ann.echoes)
        rows = await server.database.read(_contents)
    assert update in rows


def _contents(connection: sqlite3.Connection) -> list[bytes]:
    return [row[0] for row in connection.execute("SELECT content FROM document_updates")]


async def test_a_document_leaves_memory_with_its_last_client_and_comes_back_whole(server: Server) -> None:
    async with synced(server) as ann:
        await ann.write("kept")
        await ann.until(lambda: ann.echoes)
    await eventually(lambda: not len(server.documents))
    async with synced(server) as bob:
        assert str(bob.text) == "kept"


async def test_a_reader_is_denied_once_and_its_changes_reach_nobody(server: Server) -> None:
    async with synced(server) as ann, synced(server, bearer=reader()) as bob:
        await bob.write("sneaked")
        await bob.write("sneaked again")
        await ann.write("seen")
        await bob.until(lambda: "seen" in str(bob.text))
        await ann.until(lambda: ann.echoes)
        assert str(ann.text) == "seen"
        assert bob.denials == ["this connection may only read"]


async def test_a_reader_that_has_nothing_new_is_not_denied(server: Server) -> None:
    async with synced(server) as ann:
        await ann.write("seen")
        await ann.until(lambda: ann.echoes)
        async with joined(server, bearer=reader(), doc=ann.doc) as bob:
            await bob.until(lambda: bob.synced)
            await bob.ws.send_bytes(messages.sync_step_2(ann.doc.get_update()))
            await ann.write("more")
            await bob.until(lambda: bob.echoes)
            assert bob.denials == []


@pytest.mark.parametrize("bearer", ["nonsense", "none", "foreign"])
async def test_refused_access_is_accepted_told_and_idles(server: Server, bearer: str) -> None:
    given = {"none": token(), "foreign": token(docs=[{"name": "other", "access": "write"}])}
    async with joined(server, bearer=given.get(bearer, bearer)) as mallory:
        await mallory.until(lambda: mallory.denials)
        await mallory.write("sneaked")
        await mallory.ws.ping()
        assert not mallory.ws.closed
    assert (await http(server, "GET", "/v1/docs/demo", writer()))[0] == 404


async def test_a_connection_ends_with_its_token_and_not_before_when_it_brings_a_new_one(
    server: Server,
) -> None:
    short = int(time.time()) + 1
    async with (
        synced(server, bearer=writer(exp=short)) as ann,
        synced(server, bearer=writer(exp=short)) as bob,
    ):
        await ann.ws.send_bytes(messages.token(writer()))
        assert await bob.close_code() == CloseCode.UNAUTHORIZED
        update = await ann.write("still here")
        await ann.until(lambda: update in ann.echoes)


async def test_revoking_an_identity_ends_its_documents(server: Server) -> None:
    async with synced(server, bearer=writer("eve")) as eve:
        await server.revoke("sub", "eve")
        assert await eve.close_code() == CloseCode.UNAUTHORIZED


async def test_awareness_appears_and_disappears(server: Server) -> None:
    async with synced(server) as ann:
        async with synced(server, bearer=writer("bob")) as bob:
            await bob.ws.send_bytes(awareness(7, 1, '{"name":"bob"}'))
            await ann.until(lambda: any(b"bob" in state for state in ann.awareness))
            await ann.ws.send_bytes(awareness(7, 5, '{"name":"ann says"}'))
        await ann.until(lambda: any(b"null" in state for state in ann.awareness))
        assert not any(b"ann says" in state for state in ann.awareness)


async def test_a_newcomer_is_told_who_is_there(server: Server) -> None:
    async with synced(server) as ann:
        await ann.ws.send_bytes(awareness(7, 1, '{"name":"ann"}'))
        await ann.until(lambda: ann.awareness)
        async with joined(server) as bob:
            await bob.until(lambda: any(b"ann" in state for state in bob.awareness))


@pytest.mark.parametrize(
    "message", [b"", b"\x00\x09", b"\x00\x02\x05abc", messages.update(b"\x01\x00\x05\x00\x00")]
)
async def test_a_client_that_breaks_the_protocol_is_closed_alone(server: Server, message: bytes) -> None:
    async with synced(server) as ann, synced(server) as mallory:
        await mallory.ws.send_bytes(message)
        assert await mallory.close_code() == CloseCode.BAD_MESSAGE
        await ann.write("undisturbed")
        await ann.until(lambda: ann.echoes)


async def test_an_update_that_waits_for_another_is_kept_and_joined_later(server: Server) -> None:
    made: list[bytes] = []
    doc: Doc[Any] = Doc()
    doc.observe(lambda event: made.append(event.update))
    async with synced(server) as ann:
        author = type(ann)(ann.ws, doc)
        for letter in "abc":
            author.text.insert(len(str(author.text)), letter)
        await ann.ws.send_bytes(messages.update(made[2]))
        await ann.write("x")
        await ann.until(lambda: ann.echoes)
    async with synced(server) as ann:
        assert str(ann.text) == "x"
        document = server.documents._open["demo"]
        await server.documents.compact(document)
        await ann.ws.send_bytes(messages.update(made[0]))
        await ann.ws.send_bytes(messages.update(made[1]))
        await ann.until(lambda: len(str(ann.text)) == 4)
    async with synced(server) as ann:
        assert "abc" in str(ann.text)


async def test_a_full_document_refuses_edits_with_a_reason_and_is_read_on(server: Server) -> None:
    server.documents.limit = 10_000
    async with synced(server) as ann:
        await ann.write("x" * 9_000)
        await ann.until(lambda: ann.echoes)
        await ann.write("y" * 9_000)
        await ann.until(lambda: ann.denials)
        assert "limit of 10000 bytes" in ann.denials[0]
        async with synced(server) as bob:
            assert str(bob.text) == "x" * 9_000


async def test_a_reader_that_stops_reading_is_dropped_and_resynchronised(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "HIGH_WATER", 10_000)
    async with synced(server) as ann, synced(server) as bob:
        assert bob.ws._response.connection is not None
        transport = bob.ws._response.connection.transport
        assert isinstance(transport, asyncio.Transport)
        transport.pause_reading()
        document = server.documents._open["demo"]
        for _ in range(40):
            await ann.write("z" * 500_000)
        await eventually(
            lambda: not (document.stored < 40 or not any(_missed(member) for member in document.members))
        )
        transport.resume_reading()
        await bob.until(lambda: str(bob.text) == str(ann.text))


def _missed(member: Any) -> bool:
    return member._missed is not None


async def test_storage_that_fails_stops_acknowledging_and_recovers(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with synced(server) as ann, synced(server) as bob:
        broken = True
        append = server.documents.store.append

        def failing(entries: Any, done: Any) -> None:
            if broken:
                raise unavailable("storage failed")
            append(entries, done)

        monkeypatch.setattr(server.documents.store, "append", failing)
        await ann.write("not yet")
        document = server.documents._open["demo"]
        await eventually(lambda: document.failing)
        assert ann.echoes == []
        broken = False
        await bob.until(lambda: str(bob.text) == "not yet")
        await ann.until(lambda: ann.echoes)
        assert not document.failing


async def test_a_document_that_cannot_be_loaded_is_an_error_and_not_empty(server: Server) -> None:
    async with synced(server) as ann:
        await ann.write("precious")
        await ann.until(lambda: ann.echoes)
    await server.database.write(lambda db: db.execute("UPDATE document_updates SET content = x'ff'").rowcount)
    await eventually(lambda: not len(server.documents))
    async with joined(server) as bob:
        assert await bob.close_code() == CloseCode.INTERNAL
        assert not bob.synced
    with pytest.raises(HubbubError, match="cannot be read"):
        async with server.document("demo"):
            pass


async def test_a_text_message_is_refused(server: Server) -> None:
    async with synced(server) as ann:
        await ann.ws.send_str("hello")
        assert await ann.close_code() == CloseCode.BAD_MESSAGE


async def test_foreign_pages_are_refused(server: Server) -> None:
    async with aiohttp.ClientSession() as client:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await client.ws_connect(
                f"{server.url}/v1/docs/demo", params={"token": writer()}, origin="https://evil.example"
            )
    assert refused.value.status == 403
