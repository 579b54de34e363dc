"""Webhooks from a real server to a real receiver."""

from __future__ import annotations

import asyncio
import hmac
import json
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from signaling import webhooks
from signaling.config import Settings
from signaling.server import Server
from signaling.webhooks import FIRST_PAUSE_MS, LONGEST_PAUSE_MS, pause_ms, signature
from tests.signaling.serving import connected, http, serving, token
from tests.signaling.waiting import until

WEBHOOK_SECRET = "a secret to sign webhooks with, long enough"
ADMIN = token("root", room=None, grants=["admin"])


class Receiver:
    """Answers what `answer` says; keeps what it was told."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.attempts: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.bodies: list[bytes] = []
        self.answer: Callable[[dict[str, Any]], int] = lambda event: 200
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        event = json.loads(body)
        self.attempts.append(event)
        self.bodies.append(body)
        self.headers.append(dict(request.headers))
        status = self.answer(event)
        if 200 <= status < 300:
            self.told.append(event)
        return web.Response(status=status, headers={"Location": "/elsewhere"} if status == 302 else {})

    def of(self, topic: str) -> list[int]:
        return [event["offset"] for event in self.told if event["topic"] == topic]


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/hook", receiver.handle)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0]
    receiver.url = f"http://{host}:{port}/hook"
    try:
        yield receiver
    finally:
        await runner.cleanup()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "FIRST_PAUSE_MS", 20)
    monkeypatch.setattr(webhooks, "LONGEST_PAUSE_MS", 50)
    monkeypatch.setattr(webhooks, "LOOK_SECONDS", 0.02)


def told_by(tmp_path: Path, *urls: str) -> Any:
    return serving(tmp_path, webhook_urls=urls, webhook_secret=SecretStr(WEBHOOK_SECRET))


async def test_room_events_are_told_in_order(tmp_path: Path, receiver: Receiver) -> None:
    async with told_by(tmp_path, receiver.url) as server, connected(server) as ann:
        me = (await ann.join())["participant"]["id"]
        await ann.request("chat.send", text="hello")
        await ann.request("leave")
        await until(lambda: len(receiver.told) == 3)
    events = receiver.told
    assert [event["type"] for event in events] == ["participant.joined", "chat", "participant.left"]
    assert {event["topic"] for event in events} == {"room:demo"}
    assert events[0]["data"]["participant"]["id"] == events[2]["data"]["id"] == me
    assert [event["offset"] for event in events] == [0, 1, 2]
    assert len({event["id"] for event in events}) == 3


async def test_every_attempt_is_signed_with_its_time(tmp_path: Path, receiver: Receiver) -> None:
    async with told_by(tmp_path, receiver.url) as server:
        await server.log.append("room:demo", "x", {"é": 1})
        await until(lambda: receiver.told)
    fields = dict(part.split("=") for part in receiver.headers[0]["Hubbub-Signature"].split(","))
    signed = fields["t"].encode() + b"." + receiver.bodies[0]
    assert fields["v1"] == hmac.new(WEBHOOK_SECRET.encode(), signed, sha256).hexdigest()
    assert abs(int(fields["t"]) - time.time()) < 5
    assert receiver.headers[0]["Content-Type"] == "application/json"


async def test_other_topics_are_nobodys_business(tmp_path: Path, receiver: Receiver) -> None:
    async with told_by(tmp_path, receiver.url) as server:
        await server.log.append("user:ann", "x", 1)
        await server.log.append("room:demo", "x", 2)
        await until(lambda: receiver.told)
    assert [event["topic"] for event in receiver.attempts] == ["room:demo"]


@pytest.mark.parametrize("status", [500, 404, 302])
async def test_what_is_not_taken_is_tried_again_and_the_room_waits(
    tmp_path: Path, receiver: Receiver, status: int
) -> None:
    tries: dict[int, int] = defaultdict(int)

    def answer(event: dict[str, Any]) -> int:
        tries[event["offset"]] += 1
        return status if event["offset"] == 1 and tries[1] < 4 else 204

    receiver.answer = answer
    async with told_by(tmp_path, receiver.url) as server:
        for number in range(4):
            await server.log.append("room:demo", "x", number)
        await until(lambda: len(receiver.told) == 4)
    assert [event["offset"] for event in receiver.attempts] == [0, 1, 1, 1, 1, 2, 3]
    assert [headers["Hubbub-Attempt"] for headers in receiver.headers] == ["1", "1", "2", "3", "4", "1", "1"]
    assert len({event["id"] for event in receiver.attempts}) == 4


async def test_other_rooms_do_not_wait(tmp_path: Path, receiver: Receiver) -> None:
    receiver.answer = lambda event: 500 if event["topic"] == "room:stuck" else 200
    async with told_by(tmp_path, receiver.url) as server:
        for number in range(20):
            await server.log.append("room:stuck", "x", number)
            await server.log.append("room:demo", "x", number)
        await until(lambda: len(receiver.told) == 20)
    assert receiver.of("room:demo") == list(range(20))
    assert {event["offset"] for event in receiver.attempts if event["topic"] == "room:stuck"} == {0}


async def test_each_url_has_its_own_place(tmp_path: Path, receiver: Receiver) -> None:
    async with receiving() as other:
        other.answer = lambda event: 503
        async with told_by(tmp_path, receiver.url, other.url) as server:
            for number in range(3):
                await server.log.append("room:demo", "x", number)
            await until(lambda: len(receiver.told) == 3)
            status, body, _ = await http(server, "GET", "/v1/webhooks", ADMIN)
            assert status == 200
            waiting = {hook["url"]: hook["waiting"] for hook in body["webhooks"]}
            assert waiting[other.url] == 3
            other.answer = lambda event: 200
            await until(lambda: len(other.told) == 3)


async def test_nothing_is_lost_over_restarts_and_an_absent_receiver(tmp_path: Path) -> None:
    async with receiving() as receiver:
        url = receiver.url
    async with told_by(tmp_path, url) as server:
        for number in range(5):
            await server.log.append("room:demo", "x", number)
        await until_error(server)
    async with serving(tmp_path) as server:
        await server.log.append("room:demo", "x", "while webhooks were off")
    async with receiving() as receiver:
        async with told_by(tmp_path, url) as server:
            # The port is another one now: a proxy of the test's stands in for the receiver that came back.
            server.webhooks._targets[0]._post = _redirected(server, receiver.url)
            await server.log.append("room:demo", "x", 6)
            await until(lambda: len(receiver.told) == 7)
        assert receiver.of("room:demo") == list(range(7))


def _redirected(server: Server, url: str) -> Any:
    async def post(_: str, body: bytes, headers: Any) -> int:
        return await server._poster.post(url, body, headers)

    return post


async def until_error(server: Server) -> None:
    async with asyncio.timeout(10):
        while not (await server.webhooks.status())[0]["error"]:  # noqa: ASYNC110 - asked of the database
            await asyncio.sleep(0.01)


async def test_after_a_day_an_event_is_a_dead_letter_and_its_room_goes_on(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "GIVE_UP_MS", 100)
    receiver.answer = lambda event: 500 if event["offset"] == 0 else 200
    async with told_by(tmp_path, receiver.url) as server:
        await server.log.append("room:demo", "x", "poison")
        await server.log.append("room:demo", "x", "fine")
        await until(lambda: receiver.of("room:demo") == [1])
        status, body, _ = await http(server, "GET", "/v1/webhooks/dead-letters", ADMIN)
        assert status == 200
        (letter,) = body["dead_letters"]
        assert (letter["event"]["data"], letter["error"], letter["url"]) == (
            "poison",
            "status 500",
            receiver.url,
        )
        assert body["more"] is False
        receiver.answer = lambda event: 200
        path = f"/v1/webhooks/dead-letters/{letter['id']}/replay"
        assert (await http(server, "POST", path, ADMIN))[1] == {"replayed": 1}
        await until(lambda: receiver.of("room:demo") == [1, 0])
        assert (await http(server, "POST", path, ADMIN))[0] == 404
        assert (await http(server, "POST", "/v1/webhooks/dead-letters/replay", ADMIN))[1] == {"replayed": 0}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/webhooks"),
        ("GET", "/v1/webhooks/dead-letters"),
        ("POST", "/v1/webhooks/dead-letters/replay"),
        ("POST", "/v1/webhooks/dead-letters/1/replay"),
    ],
)
async def test_webhooks_are_for_administrators(server: Server, method: str, path: str) -> None:
    assert (await http(server, method, path, token("ann")))[0] == 403


def test_webhooks_need_a_secret_and_a_web_address() -> None:
    with pytest.raises(ValidationError, match="webhook_secret"):
        Settings.model_validate({"webhook_urls": ("http://x/",)})
    with pytest.raises(ValidationError, match="http://"):
        Settings.model_validate({"webhook_urls": ("ftp://x/",), "webhook_secret": WEBHOOK_SECRET})


def test_the_signature_is_the_one_that_the_documentation_shows() -> None:
    signed = signature("secret", b'{"id":1}', 1_700_000_000)
    assert signed == "t=1700000000,v1=" + hmac.new(b"secret", b'1700000000.{"id":1}', sha256).hexdigest()


@given(st.integers(0, 10_000), st.floats(0, 1))
def test_pauses_grow_and_stay_within_bounds(attempts: int, jitter: float) -> None:
    pause = pause_ms(attempts, jitter)
    assert webhooks.FIRST_PAUSE_MS // 2 <= pause <= webhooks.LONGEST_PAUSE_MS
    assert FIRST_PAUSE_MS <= LONGEST_PAUSE_MS
