"""A Chromium page that runs tests/e2e/raw_client.js, with the calls that tests make of it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from playwright.async_api import BrowserContext, Page

from tests.e2e.server_process import ServerProcess, token

RAW_CLIENT = (Path(__file__).parent / "raw_client.js").read_text()
T = TypeVar("T")
COLOURS = {"red": (255, 0, 0), "lime": (0, 255, 0), "blue": (0, 0, 255), "yellow": (255, 255, 0)}


async def until(
    what: Callable[[], Awaitable[T]], wanted: Callable[[T], object] = bool, seconds: float = 30, why: str = ""
) -> T:
    """Ask again until the answer is wanted; the error says the last answer."""
    deadline = time.monotonic() + seconds
    while True:
        answer = await what()
        if wanted(answer):
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {why or what}; last answer: {answer!r}")
        await asyncio.sleep(0.1)


class RawPage:
    """`window.client` of one page, and the room that it joined."""

    def __init__(self, page: Page, server: ServerProcess, identity: str) -> None:
        self.page = page
        self.server = server
        self.identity = identity
        self.participant = ""

    @classmethod
    async def open(cls, context: BrowserContext, server: ServerProcess, identity: str) -> "RawPage":
        page = await context.new_page()
        await page.goto(f"{server.url}/healthz")
        await page.evaluate(RAW_CLIENT)
        await page.evaluate("window.client = new RawClient()")
        return cls(page, server, identity)

    async def js(self, script: str, argument: object = None) -> Any:
        return await self.page.evaluate(script, argument)

    async def connect(self, room: str = "demo", bearer: str | None = None) -> None:
        bearer = bearer or token(self.identity, room)
        await self.js("([url, token]) => client.connect(url, token)", [self.server.ws_url, bearer])

    async def join(self, room: str = "demo", **fields: object) -> dict[str, Any]:
        await self.connect(room)
        joined: dict[str, Any] = await self.js(
            "([room, fields]) => client.join(room, fields)", [room, fields]
        )
        self.participant = joined["participant"]["id"]
        return joined

    async def request(self, kind: str, **fields: object) -> dict[str, Any]:
        answer: dict[str, Any] = await self.js(
            "([kind, fields]) => client.request(kind, fields)", [kind, fields]
        )
        return answer

    async def publish(self, **options: object) -> None:
        await self.js("(options) => client.publish(options)", options)

    async def offer(self, *, audio_slots: int = 0, video_slots: int = 0, **options: object) -> dict[str, Any]:
        await self.js("([a, v]) => client.addSlots(a, v)", [audio_slots, video_slots])
        answer: dict[str, Any] = await self.js("(options) => client.offer(options)", options)
        return answer

    async def call(self, *, room: str = "demo", slots: int = 1, **publish: object) -> dict[str, Any]:
        """Join, publish and ask for `slots` pairs: what most tests start with."""
        await self.join(room)
        await self.publish(**publish)
        return await self.offer(audio_slots=slots, video_slots=slots)

    async def through(self, port: int) -> None:
        """Media goes to the proxy at `port` from the next answer on, and nowhere else."""
        await self.js("(port) => { impairment.udpPort = port }", port)

    async def events(self, kind: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = await self.js("(kind) => client.eventsOf(kind)", kind)
        return found

    async def slots(self) -> dict[str, dict[str, Any]]:
        """The last word of the server on each slot, by mid."""
        return {event["mid"]: event for event in await self.events("slot")}

    async def slot_of(self, participant: str, kind: str = "video") -> str:
        """The mid of the slot that shows `participant`, waited for."""
        kinds = {slot["mid"]: slot["kind"] for slot in await self.js("() => client.answer.slots")}

        async def shown() -> str | None:
            for mid, event in (await self.slots()).items():
                if event["participant"] == participant and kinds[mid] == kind:
                    return mid
            return None

        found = await until(shown, why=f"{self.identity} has no {kind} slot with {participant}")
        assert found is not None
        return found

    async def inbound(self, kind: str | None = None) -> list[dict[str, Any]]:
        reports: list[dict[str, Any]] = await self.js("() => client.inbound()")
        return [report for report in reports if kind is None or report["kind"] == kind]

    async def inbound_of(self, mid: str) -> dict[str, Any]:
        return next((report for report in await self.inbound() if report.get("mid") == mid), {})

    async def frames(self, mid: str) -> int:
        report = await self.inbound_of(mid)
        return int(report.get("framesDecoded", 0))

    async def decodes(self, mid: str, frames: int, seconds: float = 30) -> None:
        """Until `frames` more have been decoded in that slot."""
        start = await self.frames(mid)
        await until(
            lambda: self.frames(mid),
            lambda now: now >= start + frames,
            seconds,
            f"{self.identity} slot {mid}",
        )

    async def shows(self, mid: str, colour: str, seconds: float = 15) -> None:
        """Until the picture in that slot has the colour that a publisher draws."""

        async def shown() -> bool:
            seen = await self.js("(mid) => client.colourOf(mid)", mid)
            return all(abs(a - b) < 70 for a, b in zip(seen, COLOURS[colour], strict=True))

        await until(shown, seconds=seconds, why=f"{self.identity} slot {mid} is not {colour}")

    async def lost_its_socket(self) -> bool:
        lost: bool = await self.js("() => client.closed !== null")
        return lost

    async def now(self) -> float:
        now: float = await self.js("() => performance.now()")
        return now

    async def longest_gap(self, mid: str, since: float) -> float:
        gap: float = await self.js("([mid, since]) => client.longestGap(mid, since)", [mid, since])
        return gap
