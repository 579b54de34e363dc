import aiohttp
from pycrdt import Doc, Text

from signaling.errors import CloseCode
from signaling.server import Server
from tests.signaling.documents.peer import eventually, reader, synced, writer
from tests.signaling.serving import http, token


def update(words: str) -> bytes:
    doc: Doc[Text] = Doc()
    doc["text"] = Text(words)
    return doc.get_update()


async def state(server: Server, path: str, bearer: str) -> tuple[int, bytes, str | None]:
    headers = {"Authorization": f"Bearer {bearer}"}
    async with aiohttp.ClientSession() as client, client.get(server.url + path, headers=headers) as answer:
        return answer.status, await answer.read(), answer.headers.get("ETag")


async def test_what_is_posted_is_got_back_under_a_tag_of_its_state(server: Server) -> None:
    status, _, headers = await http(server, "POST", "/v1/docs/a/b", writer(), data=update("hello"))
    assert status == 204
    status, body, tag = await state(server, "/v1/docs/a/b", writer())
    doc: Doc[Text] = Doc()
    doc.apply_update(body)
    assert (status, str(doc.get("text", type=Text)), tag) == (200, "hello", headers["ETag"])
    assert tag is not None
    unchanged = {"If-None-Match": tag}
    assert (await http(server, "GET", "/v1/docs/a/b", writer(), headers=unchanged))[0] == 304


async def test_a_document_is_shown_as_json(server: Server) -> None:
    await http(server, "POST", "/v1/docs/demo", writer(), data=update("hello"))
    status, body, _ = await http(server, "GET", "/v1/docs/demo?format=json", writer())
    assert (status, body) == (200, {"text": "hello"})


async def test_a_posted_update_reaches_who_is_connected(server: Server) -> None:
    async with synced(server) as ann:
        await http(server, "POST", "/v1/docs/demo", writer(), data=update("hello"))
        await ann.until(lambda: str(ann.text) == "hello")


async def test_access_is_asked_for(server: Server) -> None:
    assert (await http(server, "GET", "/v1/docs/demo"))[0] == 401
    assert (await http(server, "GET", "/v1/docs/demo", token()))[0] == 403
    assert (await http(server, "POST", "/v1/docs/demo", reader(), data=update("x")))[0] == 403
    assert (await http(server, "DELETE", "/v1/docs/demo", writer()))[0] == 403
    assert (await http(server, "GET", "/v1/docs/demo", reader()))[0] == 404


async def test_what_is_no_update_is_a_bad_request(server: Server) -> None:
    status, body, _ = await http(server, "POST", "/v1/docs/demo", writer(), data=b"\xff\xff")
    assert (status, body["error"]["code"]) == (400, "bad_request")


async def test_a_body_beyond_the_limit_is_too_large(server: Server) -> None:
    server.documents.limit = 1_000
    status, body, _ = await http(server, "POST", "/v1/docs/demo", writer(), data=b"x" * 2_000)
    assert (status, body["error"]["code"]) == (413, "too_large")


async def test_deleting_ends_who_is_connected_and_leaves_nothing(server: Server) -> None:
    admin = writer(grants=["admin"])
    async with synced(server) as ann:
        await ann.write("gone")
        await ann.until(lambda: ann.echoes)
        assert (await http(server, "DELETE", "/v1/docs/demo", admin))[0] == 204
        assert await ann.close_code() == CloseCode.ROOM_CLOSED
    assert (await http(server, "GET", "/v1/docs/demo", admin))[0] == 404
    async with synced(server) as bob:
        assert str(bob.text) == ""


async def test_versions_are_made_listed_compared_and_restored_as_an_edit(server: Server) -> None:
    async with synced(server) as ann:
        await ann.write("first\nsecond\n")
        await ann.until(lambda: ann.echoes)
        path = "/v1/docs/demo/versions"
        status, version, _ = await http(server, "POST", path, writer(), json={"label": "draft"})
        assert (status, version["label"], version["author"]) == (201, "draft", "ann")
        await ann.write("third\n")
        await ann.until(lambda: len(ann.echoes) == 2)
        listed = (await http(server, "GET", path, reader()))[1]["versions"]
        assert [entry["id"] for entry in listed] == [version["id"]]
        shown = (await http(server, "GET", f"{path}/{version['id']}?format=json", reader()))[1]
        assert shown == {"text": "first\nsecond\n"}
        diff = (await http(server, "GET", f"{path}/{version['id']}/diff", reader()))[1]
        assert diff == {"roots": {"text": [{"equal": "first\nsecond\n"}, {"insert": "third\n"}]}}
        restore = f"{path}/{version['id']}/restore"
        assert (await http(server, "POST", restore, reader()))[0] == 403
        assert (await http(server, "POST", restore, writer()))[0] == 204
        await ann.until(lambda: str(ann.text) == "first\nsecond\n")
        assert len((await http(server, "GET", path, reader()))[1]["versions"]) == 2


async def test_automatic_versions_are_made_and_thinned_out(server: Server) -> None:
    server.documents.version_seconds = 0
    server.documents.keep_automatic = 3
    async with synced(server) as ann:
        for count in range(1, 7):
            await ann.write("x")
            await ann.until(lambda count=count: len(ann.echoes) >= count)  # type: ignore[misc]
        await eventually(lambda: not server.documents._tasks)
    assert len(await server.documents.store.versions("demo")) == 3


async def test_server_side_code_edits_with_everybody_else(server: Server) -> None:
    seen: list[str] = []

    async def changed(name: str, doc: Doc[Text]) -> None:
        seen.append(f"{name}: {doc.get('text', type=Text)}")

    server.documents.on_change.append(changed)
    server.documents.change_debounce = 0.01
    async with synced(server) as ann:
        async with server.document("demo") as doc:
            doc.get("text", type=Text).insert(0, "from the server")
        await ann.until(lambda: str(ann.text) == "from the server")
        await eventually(lambda: seen)
    assert seen == ["demo: from the server"]


async def test_a_hook_may_fill_a_document_when_it_is_loaded(server: Server) -> None:
    async def fill(name: str, doc: Doc[Text]) -> None:
        text = doc.get("text", type=Text)
        if not len(text):
            text.insert(0, f"welcome to {name}")

    server.documents.on_load.append(fill)
    async with synced(server, "lobby") as ann:
        await ann.until(lambda: str(ann.text) == "welcome to lobby")
    assert (await http(server, "GET", "/v1/docs/lobby?format=json", reader()))[1] == {
        "text": "welcome to lobby"
    }
