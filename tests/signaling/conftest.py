from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from signaling.server import Server
from tests.signaling.serving import serving


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with serving(tmp_path) as server:
        yield server
