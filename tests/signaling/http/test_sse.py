"""`/v1/events` and `/v1/topics` against a real server (protocol section 4)."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from signaling.errors import HubbubError
from signaling.eventlog import EventLog
from signaling.http import event_stream
from signaling.http.event_stream import EventStream
from signaling.retention import Retention, Retentions
from signaling.server import Server
from tests.signaling.event_source import EventSource, event_source
from tests.signaling.serving import connected, http, serving, token
from tests.signaling.waiting import until

TOPICS = [{"name": "news", "access": "publish"}, {"name": "scores/*", "access": "publish"}]
WRITER = token("writer", topics=TOPICS)


async def publish(server: Server, topic: str, data: Any, kind: str = "item", **fields: Any) -> dict[str, Any]:
    body = {"type": kind, "data": data, **fields}
    status, answer, _ = await http(server, "POST", f"/v1/topics/{topic}", WRITER, json=body)
    assert status == 201, answer
    return answer  # type: ignore[no-any-return]  # JSON


def news(server: Server, last_id: str | None = None, **query: Any) -> Any:
    return event_source(server, bearer=WRITER, last_id=last_id, **{"topic": "news", **query})


async def opened(source: EventSource) -> dict[str, bool]:
    event = await source.next()
    assert event is not None
    assert event.type == "open"
    assert event.id
    recovered: dict[str, bool] = event.data["recovered"]
    return recovered


async def test_a_stream_opens_and_then_tells_what_is_published(server: Server) -> None:
    async with news(server) as source:
        assert await opened(source) == {"news": True}
        assert 1_000 <= (source.retry_ms or 0) <= 3_000
        before = int(time.time() * 1000)
        answer = await publish(server, "news", {"title": "café"})
        (event,) = await source.take(1)
        assert event.type == "item"
        assert event.id == answer["cursor"]
        assert event.data == {
            "topic": "news",
            "offset": answer["offset"],
            "at_ms": event.data["at_ms"],
            "data": {"title": "café"},
        }
        assert before - 1 <= event.data["at_ms"] <= time.time() * 1000


async def test_the_response_is_not_cached_buffered_or_compressed(server: Server) -> None:
    async with news(server) as source:
        headers = source.response.headers
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Accel-Buffering"] == "no"
        assert "Content-Encoding" not in headers
        assert "Content-Length" not in headers


async def test_many_topics_share_one_stream_and_one_cursor(server: Server) -> None:
    both: dict[str, Any] = {"topic": ["news", "scores/1"]}
    async with news(server, **both) as source:
        assert await opened(source) == {"news": True, "scores/1": True}
        await publish(server, "news", 1)
        await publish(server, "scores/1", 2)
        events = await source.take(2)
        assert [(event.data["topic"], event.data["data"]) for event in events] == [
            ("news", 1),
            ("scores/1", 2),
        ]
    await publish(server, "scores/1", 3)
    await publish(server, "news", 4)
    await publish(server, "scores/2", "not asked for")
    for query, expected in ((both, [3, 4]), ({"topic": ["news"]}, [4]), ({"topic": "scores/1"}, [3])):
        async with news(server, last_id=events[-1].id, **query) as source:
            assert set((await opened(source)).values()) == {True}
            assert [event.data["data"] for event in await source.take(len(expected))] == expected


async def test_every_position_resumes_exactly(server: Server) -> None:
    async with news(server, topic=["news", "scores/1"]) as source:
        await opened(source)
        ids = [source.last_id]
        for number in range(12):
            await publish(server, "news" if number % 3 else "scores/1", number)
            (event,) = await source.take(1)
            ids.append(event.id)
    for behind, cursor in enumerate(ids):
        async with news(server, topic=["scores/1", "news"], last_id=cursor) as source:
            assert set((await opened(source)).values()) == {True}
            rest = [event.data["data"] for event in await source.take(12 - behind)]
            assert rest == list(range(behind, 12))


async def test_the_cursor_of_a_post_works_as_last_event_id(server: Server) -> None:
    first = await publish(server, "news", 1)
    await publish(server, "news", 2)
    async with news(server, last_id=first["cursor"]) as source:
        await opened(source)
        assert (await source.take(1))[0].data["data"] == 2


async def test_the_header_wins_over_the_query(server: Server) -> None:
    cursors = [(await publish(server, "news", number))["cursor"] for number in range(4)]
    async with news(server, last_event_id=cursors[0]) as source:
        await opened(source)
        assert (await source.take(1))[0].data["data"] == 1
    async with news(server, last_id=cursors[2], last_event_id=cursors[0], since="earliest") as source:
        await opened(source)
        assert (await source.take(1))[0].data["data"] == 3


async def test_since_earliest_reads_all_that_is_kept(server: Server) -> None:
    for number in range(1_100):
        await server.log.append("news", "item", number)
    async with news(server, since="earliest") as source:
        assert await opened(source) == {"news": True}
        assert [event.data["data"] for event in await source.take(1_000)] == list(range(100, 1_100))
        await publish(server, "news", "live")
        assert (await source.take(1))[0].data["data"] == "live"


@pytest.mark.parametrize("cursor", ["garbage", "AAAA", "%00", "x" * 5_000, "AAAAAAAAAAAAAAAAAAAAAAAA"])
async def test_a_garbage_cursor_is_told_as_a_gap_and_what_is_kept_follows(
    server: Server, cursor: str
) -> None:
    await publish(server, "news", 1)
    await publish(server, "news", 2)
    async with news(server, last_id=cursor) as source:
        assert await opened(source) == {"news": False}
        gap, *kept = await source.take(3)
        assert (gap.type, gap.data) == ("gap", {"topic": "news"})
        assert [event.data["data"] for event in kept] == [1, 2]
        await publish(server, "news", 3)
        assert (await source.take(1))[0].data["data"] == 3


async def test_only_the_topic_that_lost_entries_has_a_gap(server: Server) -> None:
    first = await publish(server, "news", "first")
    await publish(server, "scores/1", "kept")
    for number in range(1_050):
        await server.log.append("news", "item", number)
    async with news(server, topic=["news", "scores/1"], last_id=first["cursor"]) as source:
        assert await opened(source) == {"news": False, "scores/1": True}
        gap, *rest = await source.take(1_002)
        assert (gap.type, gap.data) == ("gap", {"topic": "news"})
        assert [event.data["data"] for event in rest] == ["kept", *range(50, 1_050)]


async def test_a_cursor_from_before_the_storage_was_lost_is_foreign(tmp_path: Path) -> None:
    async with serving(tmp_path / "one") as server:
        cursor = (await publish(server, "news", 1))["cursor"]
    async with serving(tmp_path / "two") as server:
        await publish(server, "news", 2)
        async with news(server, last_id=cursor) as source:
            assert await opened(source) == {"news": False}
            assert [event.type for event in await source.take(2)] == ["gap", "item"]


async def test_a_cursor_works_after_a_restart(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        cursor = (await publish(server, "news", 1))["cursor"]
        await publish(server, "news", 2)
    async with serving(tmp_path) as server:
        await publish(server, "news", 3)
        async with news(server, last_id=cursor) as source:
            assert await opened(source) == {"news": True}
            assert [event.data["data"] for event in await source.take(2)] == [2, 3]


async def test_topics_in_memory_and_on_disk_share_a_cursor(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        retentions = Retentions([Retention("scores/*", storage="memory")])
        await server.log.close()
        server.log = EventLog(server.database, retentions=retentions)
        await server.log.start()
        both: dict[str, Any] = {"topic": ["news", "scores/1"]}
        async with news(server, **both) as source:
            await opened(source)
            await publish(server, "news", 1)
            await publish(server, "scores/1", 2)
            await source.take(2)
            cursor = source.last_id
        await publish(server, "scores/1", 3)
        await publish(server, "news", 4)
        async with news(server, last_id=cursor, **both) as source:
            assert set((await opened(source)).values()) == {True}
            assert {event.data["data"] for event in await source.take(2)} == {3, 4}


async def test_a_key_makes_publishing_idempotent(server: Server) -> None:
    first = await publish(server, "news", 1, key="k")
    assert await publish(server, "news", "other", key="k") == first
    async with news(server, since="earliest") as source:
        await opened(source)
        await publish(server, "news", 2)
        assert [event.data["data"] for event in await source.take(2)] == [1, 2]


async def test_json_written_over_several_lines_stays_one_event(server: Server) -> None:
    async with news(server) as source:
        await opened(source)
        body = b'{"type": "item",\r\n "data": {\n"a": [1,\n 2], "b": "x\\ny"}}'
        await http(server, "POST", "/v1/topics/news", WRITER, data=body)
        assert (await source.take(1))[0].data["data"] == {"a": [1, 2], "b": "x\ny"}


async def test_room_events_are_a_topic(server: Server) -> None:
    async with event_source(server, topic="room:demo") as source, connected(server) as ann:
        await opened(source)
        me = (await ann.join())["participant"]["id"]
        await ann.request("chat.send", text="hello")
        await ann.request("leave")
        events = await source.take(3)
        assert [event.type for event in events] == ["participant.joined", "chat", "participant.left"]
        assert events[0].data["data"]["participant"]["id"] == me
        assert events[1].data["data"]["text"] == "hello"
        assert [event.data["offset"] for event in events] == [0, 1, 2]


async def test_private_entries_are_for_their_readers_live_and_replayed(server: Server) -> None:
    async with connected(server) as ann, connected(server, token("bob")) as bob:
        await ann.join()
        to = [(await bob.join())["participant"]["id"]]
        async with event_source(server, topic="room:demo", bearer=token("cleo")) as cleo:
            await opened(cleo)
            start = cleo.last_id
            await ann.request("chat.send", text="psst", to=to)
            await ann.request("chat.send", text="all")
            assert (await cleo.take(1))[0].data["data"]["text"] == "all"
        for identity, texts in (("cleo", ["all"]), ("bob", ["psst", "all"])):
            async with event_source(
                server, topic="room:demo", bearer=token(identity), last_id=start
            ) as source:
                assert await opened(source) == {"room:demo": True}
                assert [event.data["data"]["text"] for event in await source.take(len(texts))] == texts


async def test_a_keepalive_moves_past_what_was_not_for_the_reader(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "KEEPALIVE_SECONDS", 0.05)
    async with event_source(server, topic="room:demo") as source:
        await opened(source)
        before = source.last_id
        await server.log.append("room:demo", "chat", {}, to=("bob",))
        entry = await server.log.append("room:demo", "end", {}, to=("bob",))
        watching = asyncio.create_task(source.next())
        await until(lambda: source.last_id != before)
        assert source.last_id == entry.cursor
        await server.log.append("room:demo", "seen", 1)
        event = await watching
        assert event is not None
        assert event.type == "seen"


async def test_a_comment_keeps_the_stream_alive(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "KEEPALIVE_SECONDS", 0.02)
    async with news(server) as source:
        await opened(source)
        reading = asyncio.create_task(source.next())
        await until(lambda: len(source.comments) >= 3)
        await publish(server, "news", 1)
        assert (await reading).data["data"] == 1


@pytest.mark.parametrize(
    ("bearer", "query", "status"),
    [
        ("", "topic=news", 401),
        ("not.a.token", "topic=news", 401),
        (token("ann"), "topic=news", 403),
        (token("ann"), "topic=room:other", 403),
        (token("ann"), "topic=room:demo&topic=news", 403),
        (token("ann"), "topic=user:bob", 403),
        (WRITER, "", 400),
        (WRITER, "topic=", 400),
        (WRITER, "topic=news&since=yesterday", 400),
        (WRITER, "&".join(f"topic=scores/{number}" for number in range(101)), 400),
    ],
)
async def test_what_may_not_be_read_is_a_plain_error(
    server: Server, bearer: str, query: str, status: int
) -> None:
    answer, body, headers = await http(server, "GET", f"/v1/events?{query}", bearer or None)
    assert answer == status
    assert headers["Content-Type"].startswith("application/json")
    assert "message" in body["error"]


async def test_the_own_topics_are_readable_without_a_claim(server: Server) -> None:
    async with event_source(server, topic=["room:demo", "user:ann"]) as source:
        assert await opened(source) == {"room:demo": True, "user:ann": True}


@pytest.mark.parametrize(
    ("topic", "body", "status"),
    [
        ("sports", {"type": "item", "data": 1}, 403),
        ("room:demo", {"type": "item", "data": 1}, 403),
        ("news", {"data": 1}, 400),
        ("news", {"type": "", "data": 1}, 400),
        ("news", {"type": "a\nb", "data": 1}, 400),
        ("news", {"type": "gap", "data": 1}, 400),
        ("news", {"type": "open", "data": 1}, 400),
        ("news", {"type": "item", "data": "x" * 70_000}, 413),
        ("news", {"type": "item", "data": 1, "key": "k" * 300}, 413),
        ("n" * 300, {"type": "item", "data": 1}, 400),
    ],
)
async def test_what_may_not_be_published_is_refused(
    server: Server, topic: str, body: dict[str, Any], status: int
) -> None:
    answer, said, _ = await http(server, "POST", f"/v1/topics/{topic}", WRITER, json=body)
    assert answer == status, said


@pytest.mark.parametrize(
    "data", [b'"\xff"', b"1e999", b"[1,", b"NaN", b'"\\ud800"', b"[" * 9_000 + b"]" * 9_000]
)
async def test_data_that_readers_could_not_read_is_refused(server: Server, data: bytes) -> None:
    body = b'{"type": "item", "data": ' + data + b"}"
    status, said, _ = await http(server, "POST", "/v1/topics/news", WRITER, data=body)
    assert (status, said["error"]["code"]) == (400, "bad_request")


@pytest.mark.parametrize(
    "kind", ["participant.left", "track.published", "chat", "chat.deleted", "room.closed", "slot"]
)
async def test_nobody_speaks_for_the_server_in_a_room(server: Server, kind: str) -> None:
    bearer = token("app", topics=[{"name": "room:*", "access": "publish"}])
    body = {"type": kind, "data": {"id": "p_1"}}
    status, said, _ = await http(server, "POST", "/v1/topics/room:demo", bearer, json=body)
    assert (status, said["error"]["code"]) == (400, "bad_request")


async def test_an_application_may_add_events_of_its_own_to_a_room(server: Server) -> None:
    bearer = token("app", topics=[{"name": "room:*", "access": "publish"}])
    async with connected(server) as ann:
        await ann.join()
        body = {"type": "poll", "data": {"question": "?"}}
        status, answer, _ = await http(server, "POST", "/v1/topics/room:demo", bearer, json=body)
        assert status == 201
        event = await ann.event("poll")
        assert (event["question"], event["cursor"]) == ("?", answer["cursor"])


async def test_a_stream_ends_with_its_token(server: Server) -> None:
    expiry = int(time.time()) + 2
    bearer = token("ann", exp=expiry)
    async with event_source(server, topic="room:demo", bearer=bearer) as source:
        await opened(source)
        assert await source.rest() == []
        assert time.time() < expiry + 0.1


async def test_a_stream_ends_when_its_token_is_revoked(server: Server) -> None:
    admin = token("root", room=None, grants=["admin"])
    async with event_source(server, topic="room:demo") as source:
        await opened(source)
        await http(server, "POST", "/v1/tokens/revoke", admin, json={"sub": "ann"})
        assert await source.rest() == []


async def test_a_draining_server_answers_200_and_a_later_retry(server: Server) -> None:
    server.draining = True
    async with news(server) as source:
        assert await source.rest() == []
        assert source.retry_ms is not None
        assert source.retry_ms >= 5_000


async def test_a_reader_that_goes_away_is_forgotten(server: Server) -> None:
    async with news(server) as source:
        await opened(source)
        assert len(server.connections) == 1
    await until(lambda: not len(server.connections))
    assert server.log._disk.channels == {}


class RawReader:
    """A socket that asks for a stream and then reads only when it is told to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def connect(cls, server: Server, version: str = "1.1") -> RawReader:
        reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(server.url).port, limit=2**16)
        head = f"GET /v1/events?topic=news&token={WRITER} HTTP/{version}\r\nHost: x\r\n\r\n"
        writer.write(head.encode())
        return cls(reader, writer)


async def test_a_reader_that_is_too_far_behind_sees_the_end_at_a_whole_block(server: Server) -> None:
    slow = await RawReader.connect(server)
    await slow.reader.readuntil(b"event: open")
    for number in range(200):
        await server.log.append("news", "item", {"number": number, "filling": "x" * 60_000})
        if not len(server.connections):
            break
    assert len(server.connections) == 0
    async with asyncio.timeout(10):
        body = await slow.reader.read()
    slow.writer.close()
    assert body.endswith(b"0\r\n\r\n")
    assert body[: -len(b"0\r\n\r\n")].endswith(b"\n\n\r\n")


async def test_a_long_replay_does_not_count_as_being_behind(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = []
    drained = EventStream.drained

    async def counted(stream: EventStream) -> None:
        waits.append(stream)
        await drained(stream)

    monkeypatch.setattr(EventStream, "drained", counted)
    for number in range(120):
        await server.log.append("news", "item", {"number": number, "filling": "x" * 50_000})
    async with news(server, since="earliest") as source:
        await opened(source)
        await until(lambda: len(waits) > 3)
        assert [event.data["data"]["number"] for event in await source.take(120)] == list(range(120))


async def test_http_1_0_gets_the_stream_unchunked(server: Server) -> None:
    reader = await RawReader.connect(server, "1.0")
    await reader.reader.readuntil(b"event: open")
    await server.log.append("news", "item", 1)
    block = await reader.reader.readuntil(b'"data":1}\n\n')
    assert b"\r\n" not in block
    reader.writer.close()


async def test_what_a_reader_sends_behind_its_request_is_ignored(server: Server) -> None:
    reader = await RawReader.connect(server)
    await reader.reader.readuntil(b"event: open")
    reader.writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 50)
    await reader.writer.drain()
    await server.log.append("news", "item", 1)
    await reader.reader.readuntil(b'"data":1}\n\n')
    reader.writer.close()


async def test_storage_that_fails_ends_the_stream_so_that_the_reader_comes_back(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any, **__: Any) -> None:
        raise HubbubError("unavailable", "no disk")

    monkeypatch.setattr(server.log, "follow", broken)
    async with news(server) as source:
        assert await source.rest() == []


async def test_a_head_request_answers_without_a_stream(server: Server) -> None:
    status, body, headers = await http(server, "HEAD", "/v1/events?topic=news", WRITER)
    assert (status, body) == (200, "")
    assert headers["Content-Type"].startswith("text/event-stream")
