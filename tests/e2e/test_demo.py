"""The demo as a person uses it: two tabs, one room."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext, Page, expect

from tests.e2e.raw_page import until
from tests.e2e.server_process import ServerProcess


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ServerProcess]:
    process = ServerProcess(tmp_path / "data", ["--dev"])
    await process.start()
    yield process
    await process.stop()


async def enter(context: BrowserContext, server: ServerProcess, name: str, *, p2p: bool = False) -> Page:
    page = await context.new_page()
    await page.goto(server.url)
    await page.get_by_test_id("lobby-name").fill(name)
    await page.get_by_test_id("lobby-room").fill("tea kitchen")
    if p2p:
        await page.get_by_test_id("mode-p2p").check()
    await page.get_by_test_id("lobby-join").click()
    await expect(page.get_by_test_id("leave")).to_be_visible(timeout=20_000)
    return page


async def moving_pictures(page: Page) -> int:
    """Tiles whose video has presented more than 60 frames."""
    count: int = await page.evaluate(
        """() => [...document.querySelectorAll('[data-testid="tile-video"]')]
            .map((tile) => (tile instanceof HTMLVideoElement ? tile : tile.querySelector("video")))
            .filter((video) => video && video.getVideoPlaybackQuality().totalVideoFrames > 60).length"""
    )
    return count


async def both_move(page: Page) -> None:
    await until(
        lambda: moving_pictures(page), lambda count: count == 2, seconds=45, why="two moving pictures"
    )


async def test_two_tabs_see_each_other_and_one_leaves(context: BrowserContext, server: ServerProcess) -> None:
    ann = await enter(context, server, "Ann")
    ben = await enter(context, server, "Ben")
    for page in (ann, ben):
        await page.bring_to_front()
        await expect(page.get_by_test_id("tile")).to_have_count(2, timeout=20_000)
        await both_move(page)
        await expect(page.get_by_text("That did not work")).to_have_count(0)
    await ben.get_by_test_id("leave").click()
    await ann.bring_to_front()
    await expect(ann.get_by_test_id("tile")).to_have_count(1, timeout=20_000)


async def test_a_muted_microphone_is_shown_to_the_others(
    context: BrowserContext, server: ServerProcess
) -> None:
    ann = await enter(context, server, "Ann")
    ben = await enter(context, server, "Ben")
    await ann.get_by_test_id("toggle-mic").click()
    muted = """() => [...window.hubbub.room.participants.values()]
        .some((person) => person.name === "Ann" && [...person.tracks.values()].some((track) => track.muted))"""
    await ben.wait_for_function(muted, timeout=15_000)


async def test_the_demo_comes_back_after_the_server_was_killed(
    context: BrowserContext, server: ServerProcess
) -> None:
    ann = await enter(context, server, "Ann")
    ben = await enter(context, server, "Ben")
    await expect(ann.get_by_test_id("tile")).to_have_count(2, timeout=20_000)
    await server.kill()
    await expect(ann.get_by_test_id("banner")).to_be_visible(timeout=20_000)
    await server.start()
    for page in (ann, ben):
        await page.bring_to_front()
        await expect(page.get_by_test_id("banner")).to_be_hidden(timeout=45_000)
        await expect(page.get_by_test_id("tile")).to_have_count(2, timeout=20_000)
        await both_move(page)


async def test_a_peer_to_peer_room_needs_no_relay(context: BrowserContext, server: ServerProcess) -> None:
    ann = await enter(context, server, "Ann", p2p=True)
    await enter(context, server, "Ben", p2p=True)
    await ann.bring_to_front()
    await expect(ann.get_by_test_id("tile")).to_have_count(2, timeout=20_000)
    await both_move(ann)
