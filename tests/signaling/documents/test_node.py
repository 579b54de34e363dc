"""The unmodified npm packages against a real server: y-websocket 3.0 and 3.1, Hocuspocus 3 and 4."""

import asyncio
import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from signaling.server import Server
from tests.signaling.documents.peer import reader, synced, writer

NODE = Path(__file__).resolve().parents[2] / "node"


@pytest.fixture(scope="session", autouse=True)
def packages() -> None:
    """What the lock file says, once."""
    if not (NODE / "node_modules").is_dir():
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=NODE, check=True, capture_output=True)


async def run(script: str, server: Server, **job: Any) -> Any:
    """The last line that the script prints."""
    job = {"url": server.url.replace("http", "ws"), **job}
    process = await asyncio.create_subprocess_exec(
        "node",
        script,
        json.dumps(job),
        cwd=NODE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return json.loads(out.decode().strip().splitlines()[-1])


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_ten_clients_of_every_kind_converge_over_lost_connections(server: Server, seed: int) -> None:
    result = await run("converge.mjs", server, name="room/notes", token=writer(), seed=seed, rounds=600)
    async with synced(server, "room/notes") as peer:
        assert str(peer.text) == json.loads(result["content"])[0]


@pytest.mark.timeout(200)
async def test_idle_clients_without_awareness_stay_connected_for_90_seconds(server: Server) -> None:
    result = await run("idle.mjs", server, token=writer(), seconds=90)
    assert result["disconnects"] == [0, 0, 0, 0]
    assert result["denied"] == [[0, 0], [0, 0]]


async def test_awareness_access_and_tokens_as_the_clients_see_them(server: Server) -> None:
    now = int(time.time())
    kinds = ["y-websocket 3.0", "y-websocket 3.1", "hocuspocus 3", "hocuspocus 4"]
    expiring = {kind: writer(exp=now + (6 if kind.startswith("y-websocket") else 30)) for kind in kinds}
    result = await run("access.mjs", server, writer=writer(), reader=reader(), expiring=expiring)
    for kind in kinds:
        assert result[kind]["text"] == "written"
        assert result[kind]["synced"] == 0
    assert result["hocuspocus 3 renewed"] == {"disconnects": 0, "denied": []}
    assert result["hocuspocus 4 renewed"] == {"disconnects": 0, "denied": []}
    assert result["y-websocket 3.1 expired"] == {"disconnects": 1, "connected": False}
    assert result["y-websocket 3.0 expired"]["disconnects"] == 1
    assert result["y-websocket 3.0 expired"]["connected"]


async def test_a_document_of_20_megabytes_goes_up_and_down(server: Server) -> None:
    result = await run("large.mjs", server, name="large", token=writer())
    assert result["lengths"] == [20 * 1024 * 1024] * 4
