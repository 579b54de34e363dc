"""A slot changes its source and its layer without an offer and without a freeze."""

from playwright.async_api import BrowserContext

from tests.e2e.raw_page import RawPage, until
from tests.e2e.server_process import ServerProcess


async def track_of(viewer: RawPage, participant: str, kind: str = "video") -> str:
    async def published() -> str | None:
        joined = await viewer.js("() => client.joined.participants")
        known = [(person["id"], track) for person in joined for track in person["tracks"]]
        known += [(e["participant"], e["track"]) for e in await viewer.events("track.published")]
        return next((t["id"] for who, t in known if who == participant and t["kind"] == kind), None)

    found = await until(published, why=f"no {kind} track of {participant}")
    assert found is not None
    return found


async def height(viewer: RawPage, mid: str) -> int:
    return int((await viewer.inbound_of(mid)).get("frameHeight", 0))


async def reaches(viewer: RawPage, mid: str, wanted: int) -> None:
    await until(lambda: height(viewer, mid), lambda h: h == wanted, 30, f"a layer of {wanted} lines")


async def test_a_slot_moves_between_layers_and_people_without_an_offer(
    context: BrowserContext, server: ServerProcess
) -> None:
    layered = await RawPage.open(context, server, "layered")
    await layered.call(slots=0, colour="red", width=960, height=540, fps=15, simulcast=True)
    plain = await RawPage.open(context, server, "plain")
    await plain.call(slots=0, colour="blue")
    viewer = await RawPage.open(context, server, "viewer")
    await viewer.join()
    await viewer.request("media.policy", mode="manual")
    await viewer.offer(video_slots=1)
    (mid,) = [slot["mid"] for slot in await viewer.js("() => client.answer.slots")]
    layers, other = (await track_of(viewer, layered.participant), await track_of(viewer, plain.participant))

    await viewer.request("media.subscribe", mid=mid, track=layers, max_height=1080)
    await reaches(viewer, mid, 540)
    start = await viewer.now()
    for wanted in (135, 270, 540, 135, 540):
        await viewer.request("media.subscribe", mid=mid, track=layers, max_height=wanted)
        await reaches(viewer, mid, wanted)
    await viewer.shows(mid, "red")
    await viewer.request("media.subscribe", mid=mid, track=other)
    await viewer.shows(mid, "blue")
    await viewer.request("media.subscribe", mid=mid, track=layers)
    await viewer.shows(mid, "red")

    assert await viewer.js("() => client.offers") == 1
    # The old picture goes on until the new one's keyframe is there.
    assert await viewer.longest_gap(mid, start) < 500
    last = (await viewer.slots())[mid]
    assert (last["participant"], last["track"]) == (layered.participant, layers)


async def test_an_unsubscribed_slot_says_that_it_is_empty(
    context: BrowserContext, server: ServerProcess
) -> None:
    publisher = await RawPage.open(context, server, "publisher")
    await publisher.call(slots=0, colour="lime")
    viewer = await RawPage.open(context, server, "viewer")
    await viewer.join()
    await viewer.request("media.policy", mode="manual")
    await viewer.offer(video_slots=1)
    mid = (await viewer.js("() => client.answer.slots"))[0]["mid"]
    track = await track_of(viewer, publisher.participant)
    await viewer.request("media.subscribe", mid=mid, track=track)
    await viewer.decodes(mid, 10)
    await viewer.request("media.unsubscribe", mid=mid)
    await until(viewer.slots, lambda slots: slots[mid]["track"] is None)


async def test_more_slots_are_had_by_a_new_offer_and_old_ones_keep_their_sources(
    context: BrowserContext, server: ServerProcess
) -> None:
    first = await RawPage.open(context, server, "first")
    await first.call(slots=0, colour="red")
    second = await RawPage.open(context, server, "second")
    await second.call(slots=0, colour="blue")
    viewer = await RawPage.open(context, server, "viewer")
    await viewer.join()
    await viewer.offer(audio_slots=1, video_slots=1)
    (mid,) = [s["mid"] for s in await viewer.js("() => client.answer.slots") if s["kind"] == "video"]
    await viewer.decodes(mid, 10)
    before = (await viewer.inbound_of(mid))["ssrc"]
    await viewer.offer(audio_slots=1, video_slots=1)
    await viewer.decodes(await viewer.slot_of(first.participant), 10)
    await viewer.decodes(await viewer.slot_of(second.participant), 10)
    assert (await viewer.inbound_of(mid))["ssrc"] == before
