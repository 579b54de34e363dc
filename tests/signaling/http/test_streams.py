"""Token streams against a real server (protocol section 5)."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from signaling import streams
from signaling.generators import Generation
from signaling.server import Server
from tests.signaling.event_source import Event, event_source
from tests.signaling.serving import SECRET, http, serving, token
from tests.signaling.waiting import until

ANN = token("ann")
BOB = token("bob")


async def create(server: Server, bearer: str = ANN, **fields: Any) -> str:
    status, answer, _ = await http(server, "POST", "/v1/streams", bearer, json=fields)
    assert status == 201, answer
    assert answer["url"].endswith(f"/v1/streams/{answer['id']}")
    return str(answer["id"])


async def post(server: Server, path: str, bearer: str = ANN, **options: Any) -> tuple[int, Any]:
    status, answer, _ = await http(server, "POST", f"/v1/streams/{path}", bearer, **options)
    return status, answer


async def say(server: Server, stream: str, *texts: str) -> None:
    for text in texts:
        assert await post(server, stream, json={"text": text}) == (200, {})


def reading(server: Server, stream: str, **options: Any) -> Any:
    return event_source(server, f"/v1/streams/{stream}", **{"bearer": ANN, **options})


def text_of(events: list[Event]) -> str:
    return "".join(event.data["text"] for event in events if event.type == "token" and "text" in event.data)


async def test_pieces_are_read_as_they_come_and_then_the_end(server: Server) -> None:
    stream = await create(server)
    async with reading(server, stream) as source:
        await say(server, stream, "Hel")
        first = await source.next()
        assert first == Event("token", '{"text":"Hel"}', "1")
        await say(server, stream, "lo")
        assert await post(server, f"{stream}/finish", json={"data": {"usage": 2}}) == (200, {})
        events = await source.rest()
        assert [(event.type, event.id) for event in events] == [("token", "2"), ("done", "3")]
        assert events[-1].data == {"data": {"usage": 2}}
        assert source.retry_ms is not None
        assert 1_000 <= source.retry_ms <= 3_000


async def test_every_reader_starts_at_the_beginning_also_after_the_end(server: Server) -> None:
    stream = await create(server)
    await say(server, stream, "a", "b", "c")
    await post(server, f"{stream}/finish")
    for _ in range(3):
        async with reading(server, stream) as source:
            events = await source.rest()
            assert text_of(events) == "abc"
            assert [event.type for event in events][-1] == "done"
            assert events[-1].data == {}


async def test_a_reader_resumes_behind_its_last_event_id(server: Server) -> None:
    stream = await create(server)
    await say(server, stream, "a", "b", "c")
    async with reading(server, stream, last_id="2") as source:
        assert (await source.next()) == Event("token", '{"text":"c"}', "3")
        await post(server, f"{stream}/finish")
        assert [event.type for event in await source.rest()] == ["done"]
    async with reading(server, stream, last_event_id=3) as source:
        assert [event.type for event in await source.rest()] == ["done"]
    async with reading(server, stream, last_id="garbage") as source:
        assert text_of(await source.rest()) == "abc"


async def test_whoever_has_read_everything_is_told_to_come_no_more(server: Server) -> None:
    stream = await create(server)
    await say(server, stream, "a")
    await post(server, f"{stream}/finish")
    status, body, _ = await http(server, "GET", f"/v1/streams/{stream}", ANN, headers={"Last-Event-ID": "2"})
    assert (status, body) == (204, "")


async def test_data_and_text_stay_in_order(server: Server) -> None:
    stream = await create(server)
    await say(server, stream, "a")
    assert await post(server, stream, json={"data": {"tool": "search"}}) == (200, {})
    await say(server, stream, "b")
    await post(server, f"{stream}/finish")
    async with reading(server, stream) as source:
        pieces = [event.data for event in await source.rest() if event.type == "token"]
    assert pieces == [{"text": "a"}, {"data": {"tool": "search"}}, {"text": "b"}]


async def test_ndjson_is_read_as_it_arrives(server: Server) -> None:
    stream = await create(server)
    gate = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield b'{"text": "Hel'
        yield b'lo"}\n\n{"text"'
        await gate.wait()
        yield b': " wor"}\n{"text": "ld"}'

    headers = {"Content-Type": "application/x-ndjson"}
    async with reading(server, stream) as source:
        posting = asyncio.create_task(post(server, stream, data=body(), headers=headers))
        assert (await source.next()) == Event("token", '{"text":"Hello"}', "1")
        gate.set()
        assert await posting == (200, {})
        await post(server, f"{stream}/finish")
        assert text_of(await source.rest()) == " world"


async def test_many_small_pieces_reach_readers_as_few(server: Server) -> None:
    stream = await create(server)
    lines = b"".join(json.dumps({"text": f"{number} "}).encode() + b"\n" for number in range(2_000))
    assert await post(server, stream, data=lines, headers={"Content-Type": "application/x-ndjson"}) == (
        200,
        {},
    )
    await post(server, f"{stream}/finish")
    async with reading(server, stream) as source:
        events = await source.rest()
    assert text_of(events) == "".join(f"{number} " for number in range(2_000))
    assert len(events) < 200
    assert [int(event.id) for event in events] == list(range(1, len(events) + 1))


async def test_several_lines_under_the_name_of_json_are_understood(server: Server) -> None:
    stream = await create(server)
    headers = {"Content-Type": "application/json"}
    assert await post(server, stream, data=b'{"text":"a"}\n{"text":"b"}\n', headers=headers) == (200, {})
    await post(server, f"{stream}/finish")
    async with reading(server, stream) as source:
        assert text_of(await source.rest()) == "ab"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{}", 400),
        (b'{"text": "a", "data": 1}', 400),
        (b'{"text": 1}', 400),
        (b"[", 400),
        (b"", 400),
        (b'{"data": 1e999}', 400),
        (b'{"text": "' + b"x" * 70_000 + b'"}', 413),
    ],
)
@pytest.mark.parametrize("content_type", ["application/json", "application/x-ndjson"])
async def test_what_is_no_piece_is_refused(
    server: Server, body: bytes, status: int, content_type: str
) -> None:
    stream = await create(server)
    answer, said = await post(server, stream, data=body, headers={"Content-Type": content_type})
    if body or content_type == "application/json":
        assert answer == status, said
    await say(server, stream, "still open")


async def test_only_its_maker_appends(server: Server) -> None:
    stream = await create(server, topic="room:demo")
    for path, body in (
        (stream, {"text": "x"}),
        (f"{stream}/finish", {}),
        (f"{stream}/fail", {"message": "x"}),
    ):
        status, answer = await post(server, path, BOB, json=body)
        assert (status, answer["error"]["code"]) == (403, "forbidden")


@pytest.mark.parametrize(
    ("topic", "reader", "status"),
    [
        (None, "bob", 403),
        ("room:demo", "bob", 200),
        ("user:ann", "bob", 403),
        (None, "ann", 200),
    ],
)
async def test_who_may_read(server: Server, topic: str | None, reader: str, status: int) -> None:
    stream = await create(server, **({} if topic is None else {"topic": topic}))
    await post(server, f"{stream}/finish")
    answer, _, _ = await http(server, "GET", f"/v1/streams/{stream}", token(reader))
    assert answer == status


async def test_a_stream_cannot_be_hung_on_a_topic_that_its_maker_may_not_read(server: Server) -> None:
    status, _, _ = await http(server, "POST", "/v1/streams", ANN, json={"topic": "user:bob"})
    assert status == 403


@pytest.mark.parametrize("path", ["s_nobody", "s_nobody/finish", "s_nobody/stop"])
async def test_unknown_streams_are_not_found(server: Server, path: str) -> None:
    assert (await post(server, path, json={"text": "x"}))[0] == 404


async def test_reading_an_unknown_stream_is_not_found(server: Server) -> None:
    status, said, _ = await http(server, "GET", "/v1/streams/s_nobody", ANN)
    assert (status, said["error"]["code"]) == (404, "not_found")


async def test_a_token_is_needed(server: Server) -> None:
    assert (await http(server, "GET", "/v1/streams/s_nobody"))[0] == 401
    assert (await http(server, "POST", "/v1/streams"))[0] == 401


async def test_a_failure_is_told_to_readers(server: Server) -> None:
    stream = await create(server)
    async with reading(server, stream) as source:
        await say(server, stream, "a")
        assert await post(server, f"{stream}/fail", json={"message": "out of tokens"}) == (200, {})
        events = await source.rest()
    assert [event.type for event in events] == ["token", "error"]
    assert events[-1].data == {"message": "out of tokens"}


@pytest.mark.parametrize("stopper", [ANN, BOB])
async def test_stopping_ends_the_stream_and_the_next_append_is_a_conflict(
    server: Server, stopper: str
) -> None:
    stream = await create(server, topic="room:demo")
    async with reading(server, stream) as source:
        await say(server, stream, "a")
        assert await post(server, f"{stream}/stop", stopper) == (200, {})
        assert [event.type for event in await source.rest()] == ["token", "stopped"]
    status, answer = await post(server, stream, json={"text": "b"})
    assert (status, answer["error"]["code"]) == (409, "conflict")
    assert (await post(server, f"{stream}/finish"))[0] == 409
    assert (await post(server, f"{stream}/stop", stopper))[0] == 200


async def test_a_producer_hears_of_a_stop_in_the_middle_of_its_body(server: Server) -> None:
    stream = await create(server)
    over = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield b'{"text": "a"}\n'
        await over.wait()

    async with reading(server, stream) as source:
        headers = {"Content-Type": "application/x-ndjson"}
        posting = asyncio.create_task(post(server, stream, data=body(), headers=headers))
        await source.next()
        await post(server, f"{stream}/stop")
        async with asyncio.timeout(5):
            assert (await posting)[0] == 409
        over.set()


async def test_whoever_may_not_read_may_not_stop(server: Server) -> None:
    stream = await create(server)
    assert (await post(server, f"{stream}/stop", BOB))[0] == 403


async def test_an_end_is_final_and_repeating_it_changes_nothing(server: Server) -> None:
    stream = await create(server)
    assert (await post(server, f"{stream}/finish", json={"data": 1}))[0] == 200
    assert (await post(server, f"{stream}/finish", json={"data": 2}))[0] == 200
    assert (await post(server, f"{stream}/fail", json={"message": "x"}))[0] == 409
    assert (await post(server, stream, json={"text": "x"}))[0] == 409
    async with reading(server, stream) as source:
        assert [event.data for event in await source.rest()] == [{"data": 1}]


async def test_a_silent_producer_ends_the_stream(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "LEASE_SECONDS", 0.3)
    stream = await create(server)
    async with reading(server, stream) as source:
        await say(server, stream, "a")
        events = await source.rest()
    assert [event.type for event in events] == ["token", "error"]
    assert "silent" in events[-1].data["message"]


async def test_a_producer_that_goes_away_in_the_middle_ends_the_stream(server: Server) -> None:
    stream = await create(server)
    started = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield b'{"text": "a"}\n'
        started.set()
        await asyncio.Event().wait()

    async with reading(server, stream) as source:
        headers = {"Content-Type": "application/x-ndjson"}
        posting = asyncio.create_task(post(server, stream, data=body(), headers=headers))
        await started.wait()
        await source.next()
        posting.cancel()
        events = await source.rest()
    assert [event.type for event in events] == ["error"]
    assert "went away" in events[0].data["message"]


async def test_a_stream_is_forgotten_after_its_time(tmp_path: Path) -> None:
    now = 1_000_000.0
    async with serving(tmp_path) as server:
        stream = await create(server, ttl_ms=60_000)
        other = await create(server)
        await post(server, f"{stream}/finish")
        await post(server, f"{other}/finish")
        now = server.log.now_ms() / 1000
        server.log._clock = lambda: now + 61
        assert (await http(server, "GET", f"/v1/streams/{stream}", ANN))[0] == 404
        assert (await http(server, "GET", f"/v1/streams/{stream}?format=ai-sdk", ANN))[0] == 204
        assert (await http(server, "GET", f"/v1/streams/{other}", ANN))[0] == 200
        server.log._clock = lambda: now + 3_601
        assert (await http(server, "GET", f"/v1/streams/{other}", ANN))[0] == 404


async def test_an_identity_has_a_limit_of_open_streams(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "MAX_OPEN", 2)
    made = [await create(server), await create(server)]
    status, said, _ = await http(server, "POST", "/v1/streams", ANN)
    assert (status, said["error"]["code"]) == (429, "rate_limited")
    assert said["error"]["retry_after_ms"] > 0
    await create(server, BOB)
    await post(server, f"{made[0]}/finish")
    await create(server)


async def test_streams_are_not_open_to_publishers_of_topics(server: Server) -> None:
    stream = await create(server)
    bearer = token("app", topics=[{"name": "*", "access": "publish"}])
    body = {"type": "token", "data": {"text": "forged"}}
    assert (await http(server, "POST", f"/v1/topics/stream:{stream}", bearer, json=body))[0] == 403


async def test_the_ai_sdk_reads_its_own_format(server: Server) -> None:
    stream = await create(server)
    await say(server, stream, "Hel", "lo")
    await post(server, stream, json={"data": {"source": 1}})
    await post(server, f"{stream}/finish", json={"data": {"tokens": 2}})
    status, body, headers = await http(server, "GET", f"/v1/streams/{stream}?format=ai-sdk", ANN)
    assert status == 200
    assert headers["x-vercel-ai-ui-message-stream"] == "v1"
    assert headers["Content-Type"].startswith("text/event-stream")
    blocks = body.strip().split("\n\n")
    assert all(block.startswith("data: ") and "\n" not in block for block in blocks)
    assert blocks[-1] == "data: [DONE]"
    chunks = [json.loads(block.removeprefix("data: ")) for block in blocks[:-1]]
    assert chunks == [
        {"type": "start", "messageId": stream},
        {"type": "text-start", "id": "text-1"},
        {"type": "text-delta", "id": "text-1", "delta": "Hel"},
        {"type": "text-delta", "id": "text-1", "delta": "lo"},
        {"type": "data-piece", "data": {"source": 1}},
        {"type": "text-end", "id": "text-1"},
        {"type": "finish", "messageMetadata": {"tokens": 2}},
    ]


async def test_the_ai_sdk_is_told_of_errors_and_stops(server: Server) -> None:
    for end, body, last in (
        ("fail", {"message": "no"}, {"type": "error", "errorText": "no"}),
        ("stop", {}, {"type": "abort"}),
    ):
        stream = await create(server)
        await post(server, f"{stream}/{end}", json=body)
        _, text, _ = await http(server, "GET", f"/v1/streams/{stream}?format=ai-sdk", ANN)
        assert [json.loads(block[6:]) for block in text.strip().split("\n\n")[1:-1]] == [last]


async def test_the_ai_sdk_has_nothing_to_resume_where_there_is_no_stream(server: Server) -> None:
    status, body, _ = await http(server, "GET", "/v1/streams/s_nobody?format=ai-sdk", ANN)
    assert (status, body) == (204, "")
    stream = await create(server)
    assert (await http(server, "GET", f"/v1/streams/{stream}?format=ai-sdk", BOB))[0] == 403


# -- handlers in Python


async def story(generation: Generation) -> AsyncIterator[str | dict[str, Any]]:
    for word in generation.body["words"]:
        yield word
    yield {"by": generation.claims.sub}


async def test_a_handler_streams_back_and_can_be_resumed(server: Server) -> None:
    server.generators.register("story", story)
    url = f"{server.url}/v1/generate/story"
    headers = {"Authorization": f"Bearer {ANN}"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, json={"words": ["once ", "upon"]}, headers=headers) as answer,
    ):
        assert answer.status == 200
        stream = answer.headers["X-Stream-Id"]
        body = await answer.text()
    assert "event: done" in body
    async with reading(server, stream) as source:
        events = await source.rest()
    assert text_of(events) == "once upon"
    assert events[-2].data == {"data": {"by": "ann"}}
    assert events[-1].type == "done"


async def test_a_handler_speaks_to_the_ai_sdk(server: Server) -> None:
    server.generators.register("story", story)
    _, body, headers = await http(
        server, "POST", "/v1/generate/story?format=ai-sdk", ANN, json={"words": ["a"]}
    )
    assert headers["x-vercel-ai-ui-message-stream"] == "v1"
    assert body.endswith("data: [DONE]\n\n")


async def test_a_handler_goes_on_without_its_reader(server: Server) -> None:
    gate = asyncio.Event()

    @server.generators.handler("slow")
    async def slow(generation: Generation) -> AsyncIterator[str]:
        yield "a"
        await gate.wait()
        yield "b"

    async with aiohttp.ClientSession() as session:
        answer = await session.post(
            f"{server.url}/v1/generate/slow", headers={"Authorization": f"Bearer {ANN}"}
        )
        stream = answer.headers["X-Stream-Id"]
        await answer.content.readuntil(b'"a"}')
        answer.close()
    await until(lambda: not len(server.connections))
    gate.set()
    async with reading(server, stream, last_id="1") as source:
        assert [event.type for event in await source.rest()] == ["token", "done"]


async def test_a_stopped_handler_is_cancelled(server: Server) -> None:
    ended: list[str] = []

    @server.generators.handler("endless")
    async def endless(generation: Generation) -> AsyncIterator[str]:
        try:
            yield "a"
            await asyncio.Event().wait()
        finally:
            ended.append(generation.stream_id)

    async with aiohttp.ClientSession() as session:
        headers = {"Authorization": f"Bearer {ANN}"}
        async with session.post(f"{server.url}/v1/generate/endless", headers=headers) as answer:
            stream = answer.headers["X-Stream-Id"]
            assert (await post(server, f"{stream}/stop"))[0] == 200
            assert "event: stopped" in await answer.text()
    await until(lambda: ended == [stream])


async def test_a_handler_that_fails_says_so_without_its_secrets(server: Server) -> None:
    @server.generators.handler("broken")
    async def broken(generation: Generation) -> AsyncIterator[str]:
        yield "a"
        raise ValueError("the secret is 42")

    _, body, _ = await http(server, "POST", "/v1/generate/broken", ANN)
    assert "event: error" in body
    assert "42" not in body


async def test_a_handler_may_want_a_grant(server: Server) -> None:
    server.generators.register("story", story, grant="moderate")
    status, _, _ = await http(server, "POST", "/v1/generate/story", ANN, json={"words": []})
    assert status == 403
    assert (await http(server, "POST", "/v1/generate/nothing", ANN, json={}))[0] == 404


async def test_handlers_come_from_modules_that_settings_name(tmp_path: Path) -> None:
    async with serving(tmp_path, handlers=("tests.signaling.handlers",)) as server:
        _, body, _ = await http(server, "POST", "/v1/generate/echo", ANN, json="hello")
        assert '"text":"hello"' in body


# -- restarts

PROGRAM = """
import asyncio, sys
from pathlib import Path
from pydantic import SecretStr
from signaling.config import Settings
from signaling.server import Server

async def main():
    keys = SecretStr("test:" + sys.argv[2])
    server = Server(Settings(host="127.0.0.1", port=0, data_dir=Path(sys.argv[1]), api_keys=keys, media=False))
    await server.start()
    print("at", server.url, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_a_stream_whose_server_was_killed_ends_with_an_error_and_can_be_read(tmp_path: Path) -> None:
    process = subprocess.Popen(  # noqa: ASYNC220 - it only starts
        [sys.executable, "-c", PROGRAM, str(tmp_path), SECRET], stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        line = ""
        while not line.startswith("at "):
            line = await asyncio.to_thread(process.stdout.readline)
        url = line.removeprefix("at ").strip()
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {ANN}"}) as session:
            async with session.post(f"{url}/v1/streams") as answer:
                stream = (await answer.json())["id"]
            async with session.post(f"{url}/v1/streams/{stream}", json={"text": "kept"}) as answer:
                assert answer.status == 200
        process.send_signal(signal.SIGKILL)
    async with serving(tmp_path) as server:
        async with reading(server, stream) as source:
            events = await source.rest()
        assert [event.type for event in events] == ["token", "error"]
        assert text_of(events) == "kept"
        assert (await post(server, stream, json={"text": "more"}))[0] == 409
    async with serving(tmp_path) as server, reading(server, stream) as source:
        assert [event.type for event in await source.rest()] == ["token", "error"]


async def test_a_server_that_goes_down_ends_its_streams(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        stream = await create(server)
        await say(server, stream, "a")
    async with serving(tmp_path) as server, reading(server, stream) as source:
        events = await source.rest()
        assert [event.type for event in events] == ["token", "error"]
