"""Headless Chromium for the tests of this directory: a page with fake devices and no network of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Page, async_playwright

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    # Without it host candidates are mDNS names, which nobody here resolves.
    "--disable-features=WebRtcHideLocalIpsWithMdns",
]
# getUserMedia exists on secure origins only; this one is answered by the test itself and never resolved.
ORIGIN = "https://page.test/"


@asynccontextmanager
async def chromium_pages(count: int = 1) -> AsyncIterator[list[Page]]:
    """`count` blank pages, each in its own context."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            yield [await _blank(await browser.new_page()) for _ in range(count)]
        finally:
            await browser.close()


async def _blank(page: Page) -> Page:
    await page.route(
        ORIGIN + "**",
        lambda route: route.fulfill(body="<!doctype html><title>page</title>", content_type="text/html"),
    )
    await page.goto(ORIGIN)
    return page
