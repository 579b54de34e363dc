import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from pycrdt import Doc, Text

from signaling.documents import hocuspocus, messages
from signaling.errors import CloseCode
from signaling.http import hocuspocus as door
from signaling.server import Server
from tests.signaling.documents.peer import SECONDS, WRITE, reader, writer
from tests.signaling.serving import token


class Socket:
    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.ws = ws

    async def say(self, address: str, body: bytes) -> None:
        await self.ws.send_bytes(hocuspocus.prefix(address) + body)

    async def hear(self, address: str, start: bytes) -> bytes:
        """The next body for that address with that beginning; others are skipped."""
        while True:
            message = await self.ws.receive(timeout=SECONDS)
            assert message.type is aiohttp.WSMsgType.BINARY, (message, self.ws.close_code)
            prefix = hocuspocus.prefix(address)
            if message.data.startswith(prefix + start):
                return bytes(message.data[len(prefix) :])

    async def close_code(self) -> int | None:
        async for _ in self.ws:
            pass
        return self.ws.close_code


@asynccontextmanager
async def socket(server: Server) -> AsyncIterator[Socket]:
    async with aiohttp.ClientSession() as http, http.ws_connect(f"{server.url}/v1/hocuspocus") as ws:
        yield Socket(ws)


def update(words: str) -> bytes:
    doc: Doc[Text] = Doc()
    doc["text"] = Text(words)
    return doc.get_update()


AUTHENTICATED = b"\x02\x02"
DENIED = b"\x02\x01"
ACCEPTED, REFUSED = b"\x08\x01", b"\x08\x00"


async def test_a_writer_is_told_its_scope_and_that_its_update_is_stored(server: Server) -> None:
    async with socket(server) as ann:
        await ann.say("notes", hocuspocus.auth(writer()))
        assert b"read-write" in await ann.hear("notes", AUTHENTICATED)
        await ann.say("notes", messages.update(update("hello")))
        await ann.hear("notes", ACCEPTED)


async def test_a_step_1_is_answered_by_both_steps(server: Server) -> None:
    async with socket(server) as ann:
        await ann.say("notes", hocuspocus.auth(writer()))
        await ann.say("notes", messages.sync_step_1(b"\x00"))
        await ann.hear("notes", b"\x00\x00")
        await ann.hear("notes", b"\x00\x01")
        await ann.say("notes", messages.sync_step_2(b"\x00\x00"))
        await ann.hear("notes", ACCEPTED)


async def test_a_reader_is_told_that_its_update_was_not_taken(server: Server) -> None:
    async with socket(server) as bob:
        await bob.say("notes", hocuspocus.auth(reader()))
        assert b"readonly" in await bob.hear("notes", AUTHENTICATED)
        await bob.say("notes", messages.update(update("sneaked")))
        await bob.hear("notes", REFUSED)
        await bob.say("notes", messages.sync_step_2(b"\x00\x00"))
        await bob.hear("notes", ACCEPTED)


async def test_a_denied_document_leaves_the_others_of_the_socket_alone(server: Server) -> None:
    bearer = token(docs=[{"name": "mine", "access": "write"}])
    async with socket(server) as ann:
        await ann.say("mine", hocuspocus.auth(bearer))
        await ann.hear("mine", AUTHENTICATED)
        await ann.say("yours", hocuspocus.auth(bearer))
        await ann.hear("yours", DENIED)
        for _ in range(door.MAX_PENDING_MESSAGES + 1):
            await ann.say("yours", messages.update(update("x")))
        await ann.say("mine", messages.update(update("y")))
        await ann.hear("mine", ACCEPTED)


async def test_a_socket_may_carry_a_document_twice(server: Server) -> None:
    async with socket(server) as ann:
        for address in ("notes\0one", "notes\0two"):
            await ann.say(address, hocuspocus.auth(writer()))
            await ann.hear(address, AUTHENTICATED)
        await ann.say("notes\0one", messages.update(update("hello")))
        assert b"hello" in await ann.hear("notes\0two", b"\x00\x02")


async def test_what_comes_before_the_token_is_answered_after_it(server: Server) -> None:
    async with socket(server) as ann:
        await ann.say("notes", messages.update(update("early")))
        await ann.say("notes", hocuspocus.auth(writer()))
        await ann.hear("notes", ACCEPTED)


async def test_too_much_before_the_token_closes_the_socket(server: Server) -> None:
    async with socket(server) as mallory:
        for number in range(door.MAX_PENDING_DOCUMENTS + 1):
            await mallory.say(f"d{number}", messages.sync_step_1(b"\x00"))
        assert await mallory.close_code() == CloseCode.RATE_LIMITED


async def test_a_token_is_asked_for_before_it_expires_and_a_new_one_goes_on(server: Server) -> None:
    async with socket(server) as ann:
        await ann.say("notes", hocuspocus.auth(writer(exp=int(time.time()) + 2)))
        await ann.hear("notes", hocuspocus.token_request())
        await ann.say("notes", hocuspocus.auth(reader("ann")))
        assert b"readonly" in await ann.hear("notes", AUTHENTICATED)


async def test_an_expired_token_denies_its_document_and_closes_the_socket_with_the_last(
    server: Server,
) -> None:
    async with socket(server) as ann:
        await ann.say("notes", hocuspocus.auth(token(docs=WRITE, exp=int(time.time()) + 1)))
        await ann.hear("notes", DENIED)
        assert await ann.close_code() == CloseCode.UNAUTHORIZED


async def test_the_pulse_of_a_socket_is_answered(server: Server) -> None:
    async with socket(server) as ann:
        await ann.ws.send_bytes(b"\x09")
        assert (await ann.ws.receive()).data == hocuspocus.PONG


async def test_a_broadcast_by_a_client_is_refused(server: Server) -> None:
    async with socket(server) as mallory:
        await mallory.say("notes", hocuspocus.auth(writer()))
        await mallory.say("notes", b"\x06\x01x")
        assert await mallory.close_code() == CloseCode.BAD_MESSAGE
