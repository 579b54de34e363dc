"""Routes that say what they need and do, so that what is routed and what is documented are one table."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Endpoint(web.AbstractRouteDef):
    """`routes(server)` of every module here answers a list of these.

    `path` may hold aiohttp patterns such as `{topic:.+}`. `needs` is the grant or access of protocol
    section 2, empty for public endpoints. `answers` are the statuses of success.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    needs: str = ""
    answers: tuple[int, ...] = (200,)

    def register(self, router: web.UrlDispatcher) -> list[web.AbstractRoute]:
        """A GET answers HEAD too, as HTTP wants it."""
        if self.method == "GET":
            return [router.add_get(self.path, self.handler, allow_head=True)]
        return [router.add_route(self.method, self.path, self.handler)]
