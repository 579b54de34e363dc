"""The demo application at `/`: static files that `make web` builds into `static/`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import hdrs, web

from signaling.errors import not_found
from signaling.http.endpoints import Endpoint

if TYPE_CHECKING:
    from signaling.server import Server

STATIC = Path(__file__).parent / "static"
# Names under assets/ carry a hash of their content; everything else is asked for anew.
IMMUTABLE = "public, max-age=31536000, immutable"
REVALIDATE = "no-cache"
NOT_BUILT = """\
<!doctype html>
<meta charset="utf-8">
<title>hubbub</title>
<h1>hubbub is running</h1>
<p>The demo application is not built here. Build it with <code>make web</code>, or switch this page off with
<code>hubbub serve --no-demo</code>. The API: <a href="/v1/openapi.json">/v1/openapi.json</a>.</p>
"""


def routes(server: Server) -> list[Endpoint]:
    """Last in the list: its pattern takes every path that is not the server's own."""

    async def page(request: web.Request) -> web.StreamResponse:
        wanted = request.match_info["path"]
        return _file(wanted) if "." in wanted.rpartition("/")[2] else _index()

    if not server.settings.demo:
        return []
    path = "/{path:(?!v1/|dev/|healthz$|readyz$|metrics$).*}"
    return [Endpoint("GET", path, page, "The demo application")]


def _index() -> web.StreamResponse:
    """Pages such as /dashboard are routes of the application, which begins at its index."""
    index = STATIC / "index.html"
    if not index.is_file():
        return web.Response(
            text=NOT_BUILT, content_type="text/html", headers={hdrs.CACHE_CONTROL: REVALIDATE}
        )
    return _served(index, REVALIDATE)


def _file(wanted: str) -> web.StreamResponse:
    path = (STATIC / wanted).resolve()
    if not path.is_relative_to(STATIC.resolve()) or not path.is_file():
        raise not_found("no such file")
    return _served(path, IMMUTABLE if wanted.startswith("assets/") else REVALIDATE)


def _served(path: Path, caching: str) -> web.FileResponse:
    headers = {hdrs.CACHE_CONTROL: caching, "X-Content-Type-Options": "nosniff"}
    return web.FileResponse(path, headers=headers)
