"""The command, as an operator runs it: in a process of its own."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from signaling.tokens import Keyring
from tests.signaling.serving import SECRET, Client, token

KEYS = "main:" + "k" * 40
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("HUBBUB_")}


async def start(*arguments: str, **variables: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "signaling.cli",
        *arguments,
        env={**CLEAN, **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def run(*arguments: str, **variables: str) -> tuple[int | None, str, str]:
    process = await start(*arguments, **variables)
    async with asyncio.timeout(30):
        out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


@asynccontextmanager
async def serve(*arguments: str, **variables: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """The process and the URL that it prints."""
    process = await start("serve", "--port", "0", "--media-port", "0", *arguments, **variables)
    assert process.stdout is not None
    async with asyncio.timeout(30):
        line = (await process.stdout.readline()).decode()
    try:
        match = re.fullmatch(r"listening on (http://127\.0\.0\.1:\d+)\n", line)
        assert match is not None, line
        yield process, match[1]
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_without_keys_the_server_refuses_and_says_how() -> None:
    code, _, err = await run("serve")
    assert code == 2
    assert "HUBBUB_API_KEYS" in err
    assert "--dev" in err


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"HUBBUB_API_KEYS": "main:short"}, "32 bytes"),
        ({"HUBBUB_API_KEYS": KEYS, "HUBBUB_PORT": "99999"}, "port"),
        ({"HUBBUB_API_KEYS": KEYS, "HUBBUB_CONFIG": "/nowhere.toml"}, "HUBBUB_CONFIG"),
    ],
)
async def test_wrong_settings_are_named_and_no_secret_is_shown(variables: dict[str, str], said: str) -> None:
    code, _, err = await run("serve", **variables)
    assert code == 2
    assert said in err
    assert "main:" not in err.replace('"main:$', "")
    assert "Traceback" not in err


async def test_flags_win_over_variables_and_variables_over_the_file(tmp_path: Path) -> None:
    config = tmp_path / "hubbub.toml"
    config.write_text(f'api_keys = "{KEYS}"\nhubbub_data_dir = "{tmp_path}"\ndemo = true\nhost = "0.0.0.0"\n')
    variables = {"HUBBUB_CONFIG": str(config), "HUBBUB_HOST": "127.0.0.1", "HUBBUB_DEMO": "true"}
    async with serve("--no-demo", "--no-media", **variables) as (_, url), aiohttp.ClientSession() as http:
        async with http.get(url) as answer:
            assert answer.status == 404
        async with http.get(f"{url}/readyz") as answer:
            assert answer.status == 200


async def test_a_minted_token_carries_what_was_asked_for() -> None:
    asked = ["--identity", "ann", "--room", "demo", "--grant", "publish", "--grant", "chat", "--name", "Ann"]
    more = ["--ttl", "60", "--doc", "a/*=write", "--topic", "news=read", "--meta", '{"x": 1}']
    code, out, err = await run("token", *asked, *more, HUBBUB_API_KEYS=KEYS)
    assert (code, err) == (0, "")
    claims = Keyring.parse(KEYS).verify(out.strip(), time.time())
    assert (claims.sub, claims.room, claims.name, claims.meta) == ("ann", "demo", "Ann", {"x": 1})
    assert claims.grants == {"publish", "chat"}
    assert (claims.doc_access("a/b"), claims.topic_access("news")) == ("write", "read")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["--grant", "fly"], "fly"),
        (["--key-id", "other"], "other"),
        (["--doc", "a"], "docs"),
        (["--meta", "x"], "meta"),
    ],
)
async def test_a_token_that_would_be_refused_is_not_printed(asked: list[str], said: str) -> None:
    code, out, err = await run("token", "--identity", "ann", *asked, HUBBUB_API_KEYS=KEYS)
    assert (code, out) == (2, "")
    assert said in err
    assert "Traceback" not in err


async def test_development_needs_nothing_and_a_signal_drains_it(tmp_path: Path) -> None:
    async with (
        serve("--dev", "--data-dir", str(tmp_path), "--grace-ms", "300", "--log-format", "json") as (
            process,
            url,
        ),
        aiohttp.ClientSession() as http,
    ):
        wish = {"identity": "ann", "room": "demo"}
        async with http.post(f"{url}/dev/token", json=wish) as answer:
            given = await answer.json()
        async with http.ws_connect(given["url"], protocols=["hubbub.v1", f"bearer.{given['token']}"]) as ws:
            client = Client(ws)
            await client.join()
            process.terminate()
            await client.event("server.draining")
            assert await client.close_code() == 4503
        async with asyncio.timeout(10):
            _, err = await process.communicate()
        assert process.returncode == 0
        logged = err.decode()
        assert '"event": "draining"' in logged
        assert given["token"] not in logged
        assert "ann" not in logged
        assert "127.0.0.1" not in logged


async def test_after_a_kill_everybody_who_was_there_has_left_once(tmp_path: Path) -> None:
    variables = {
        "HUBBUB_API_KEYS": f"test:{SECRET}",
        "HUBBUB_DATA_DIR": str(tmp_path),
        "HUBBUB_HOST": "127.0.0.1",
    }
    async with joining(variables) as (process, client):
        before = await client.join()
        process.kill()
        await process.wait()
    async with joining(variables) as (_, client):
        after = await client.join(since=before["room"]["cursor"], resume=before["session"])
        assert after["recovered"] is True
        told = [event["type"] for event in after["events"]]
        assert told == ["participant.left", "participant.joined"]
        assert after["events"][0]["id"] == before["participant"]["id"] != after["participant"]["id"]


async def test_two_servers_do_not_share_a_directory(tmp_path: Path) -> None:
    async with serve("--dev", "--no-media", "--data-dir", str(tmp_path)):
        code, _, err = await run("serve", "--dev", "--no-media", "--port", "0", "--data-dir", str(tmp_path))
        assert code == 2
        assert "another server" in err


@asynccontextmanager
async def joining(variables: dict[str, str]) -> AsyncIterator[tuple[asyncio.subprocess.Process, Client]]:
    async with (
        serve("--no-media", **variables) as (process, url),
        aiohttp.ClientSession() as http,
        http.ws_connect(f"{url}/v1/ws", params={"token": token()}) as ws,
    ):
        yield process, Client(ws)
