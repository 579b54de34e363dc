"""The listening socket of an application."""

from __future__ import annotations

from aiohttp import web

# Seconds that unfinished HTTP answers get when the listener closes; WebSockets were told before.
SHUTDOWN_SECONDS = 2.0


class Listener:
    """Serves one application on one address. Port 0 takes a free one."""

    def __init__(self, app: web.Application, host: str, port: int) -> None:
        # The access log would write tokens (query) and addresses; our own log names routes only.
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
        self._host = host
        self._port = port

    async def start(self) -> None:
        """Raises OSError when the address is taken."""
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port).start()

    async def close(self) -> None:
        await self._runner.cleanup()

    @property
    def url(self) -> str:
        """Where it listens, such as `http://127.0.0.1:8080`."""
        host, port = self._runner.addresses[0][:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
