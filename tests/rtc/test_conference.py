"""Real aiortc clients in a real conference: sockets, ICE, DTLS, SRTP and codecs are all there."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator

import pytest
from aiortc import RTCDataChannel

from rtc.conference import (
    ChannelOpened,
    MediaEngine,
    NoSuchPeer,
    NoSuchSlot,
    NoSuchTrack,
    NotPermitted,
    OfferError,
    PeerConnected,
    PeerLost,
    SlotChanged,
    Speakers,
    TrackInfo,
    TrackPublished,
    TrackUnpublished,
    TrackUpdated,
    TransportError,
)
from tests.rtc.call import Client, Colour, Room, Tone, clients, engine


@pytest.fixture
async def media() -> AsyncIterator[MediaEngine]:
    async with engine() as started:
        yield started


@pytest.fixture
def room(media: MediaEngine) -> Room:
    return Room.of(media)


def publisher(client: Client, brightness: int, hertz: float) -> None:
    client.publish(Tone(hertz), "microphone")
    client.publish(Colour(brightness), "camera")


def near(one: float, other: float, within: float) -> bool:
    return abs(one - other) <= within


def shows(viewer: Client, mid: str, brightness: int) -> bool:
    return near(viewer.brightness(mid), brightness, 10)


async def test_two_peers_see_and_hear_each_other(room: Room) -> None:
    async with clients(room, "ann", "bob") as [ann, bob]:
        publisher(ann, 40, 440)
        ann.slots("audio", "video")
        publisher(bob, 200, 880)
        bob.slots("audio", "video")
        await ann.negotiate()
        answer = await bob.negotiate()
        assert [(slot.mid, slot.kind) for slot in answer.slots] == [("2", "audio"), ("3", "video")]
        assert set(answer.tracks) == {"0", "1"}
        await ann.until_decoded(lambda: near(ann.brightness("3"), 200, 10) and near(ann.pitch("2"), 880, 60))
        await bob.until_decoded(lambda: near(bob.brightness("3"), 40, 10) and near(bob.pitch("2"), 440, 60))
        assert {event.peer_id for event in room.all(PeerConnected)} == {"ann", "bob"}
        told = room.slot("bob", "3")
        assert told is not None
        assert (told.participant, told.layer, told.paused) == ("ann", 0, False)


async def test_a_slot_changes_between_publishers_without_an_offer(room: Room) -> None:
    async with clients(room, "ann", "bob", "eve") as [ann, bob, eve]:
        publisher(ann, 40, 440)
        publisher(bob, 200, 880)
        eve.slots("video")
        first, second = (await ann.negotiate()).tracks["1"], (await bob.negotiate()).tracks["1"]
        room.conference.set_policy("eve", "manual")
        await eve.negotiate()
        for track, brightness in ((first, 40), (second, 200), (first, 40)):
            room.conference.subscribe("eve", "0", track)
            await eve.until_decoded(functools.partial(shows, eve, "0", brightness))
            told = room.slot("eve", "0")
            assert told is not None
            assert told.track == track
        room.conference.unsubscribe("eve", "0")
        await room.until(lambda: room.slot("eve", "0") == SlotChanged("eve", "0", None, None, None, False))


async def test_a_data_channel_echoes(room: Room) -> None:
    def echo(opened: ChannelOpened) -> None:
        opened.channel.on_message = opened.channel.send

    room.on(ChannelOpened, echo)
    async with clients(room, "ann") as [ann]:
        channel: RTCDataChannel = ann.channel("events")
        heard: asyncio.Queue[bytes | str] = asyncio.Queue()
        channel.on("message", heard.put_nowait)
        channel.on("open", lambda: channel.send("hello"))
        await ann.negotiate()
        async with asyncio.timeout(20):
            assert await heard.get() == "hello"
        assert [event.channel.label for event in room.all(ChannelOpened)] == ["events"]


async def test_more_tracks_and_slots_come_with_later_offers_and_nothing_else_moves(room: Room) -> None:
    async with clients(room, "ann", "bob") as [ann, bob]:
        ann.publish(Tone(440), "microphone")
        bob.slots("audio")
        before = await ann.negotiate()
        first = await bob.negotiate()
        await bob.until_decoded(lambda: near(bob.pitch("0"), 440, 60))
        ann.publish(Colour(90), "camera")
        bob.slots("video")
        after = await ann.negotiate()
        second = await bob.negotiate()
        assert after.tracks["0"] == before.tracks["0"]
        assert [each for each in second.sdp.split("\r\n") if each in first.sdp and each.startswith("a=ssrc")]
        assert second.slots[0] == first.slots[0]
        await bob.until_decoded(lambda: near(bob.brightness("1"), 90, 10))
        heard = bob.counts["0"]
        await bob.until_decoded(lambda: bob.counts["0"] > heard + 10)
        assert len(room.all(TrackPublished)) == 2
        assert room.all(TrackUnpublished) == []


async def test_the_same_offer_again_changes_nothing(room: Room) -> None:
    async with clients(room, "ann") as [ann]:
        publisher(ann, 40, 440)
        ann.slots("audio", "video")
        answer = await ann.negotiate()
        events = list(room.events)
        again = await ann.peer.offer(ann.connection.localDescription.sdp, {})
        assert (again.tracks, again.slots) == (answer.tracks, answer.slots)
        assert [
            line for line in again.sdp.splitlines() if line.startswith(("a=ice", "a=ssrc", "a=msid"))
        ] == [line for line in answer.sdp.splitlines() if line.startswith(("a=ice", "a=ssrc", "a=msid"))]
        assert [
            event for event in room.events if event not in events and not isinstance(event, PeerConnected)
        ] == []


async def test_a_refused_offer_leaves_the_call_as_it_was(room: Room) -> None:
    async with clients(room, "ann", "bob") as [ann, bob]:
        publisher(ann, 40, 440)
        bob.slots("audio")
        await ann.negotiate()
        await bob.negotiate()
        with pytest.raises(OfferError) as refused:
            await ann.peer.offer(ann.connection.localDescription.sdp.replace("a=mid:1", "a=mid:0"), {})
        assert refused.value.line > 0
        await bob.until_decoded(lambda: near(bob.pitch("0"), 440, 60))
        assert room.all(TrackUnpublished) == []


async def test_mute_pauses_and_the_owner_cannot_lift_the_mute_of_the_server(room: Room) -> None:
    async with clients(room, "ann", "bob") as [ann, bob]:
        ann.publish(Tone(440), "microphone")
        bob.slots("audio")
        track = (await ann.negotiate()).tracks["0"]
        await bob.negotiate()
        await bob.until_decoded(lambda: near(bob.pitch("0"), 440, 60))
        room.conference.mute(track, True, by_server=True)
        room.conference.mute(track, True, by_server=False)
        room.conference.mute(track, False, by_server=False)
        told = room.slot("bob", "0")
        assert told is not None
        assert (told.track, told.paused) == (track, True)
        assert [event.track.muted for event in room.all(TrackUpdated)] == [True]
        room.conference.mute(track, False, by_server=True)
        told = room.slot("bob", "0")
        assert told is not None
        assert not told.paused
        heard = bob.counts["0"]
        await bob.until_decoded(lambda: bob.counts["0"] > heard + 50 and near(bob.pitch("0"), 440, 60))


async def test_who_may_not_publish_any_more_is_unpublished_at_once(room: Room) -> None:
    async with clients(room, "ann", "bob") as [ann, bob]:
        publisher(ann, 40, 440)
        bob.slots("audio", "video")
        await ann.negotiate()
        await bob.negotiate()
        await bob.until_decoded(lambda: near(bob.brightness("1"), 40, 10))
        room.conference.set_permissions("ann", may_publish=False, may_subscribe=True)
        assert len(room.all(TrackUnpublished)) == 2
        assert room.conference.tracks() == []
        await room.until(lambda: all(s.track is None for m in "01" if (s := room.slot("bob", m))))


async def test_who_may_not_subscribe_any_more_has_empty_slots(room: Room) -> None:
    async with clients(room, "ann", "bob") as [ann, bob]:
        publisher(ann, 40, 440)
        bob.slots("audio", "video")
        track = (await ann.negotiate()).tracks["0"]
        await bob.negotiate()
        await room.until(lambda: room.slot("bob", "0"))
        room.conference.set_permissions("bob", may_publish=True, may_subscribe=False)
        told = room.slot("bob", "0")
        assert told is not None
        assert told.track is None
        with pytest.raises(NotPermitted):
            room.conference.subscribe("bob", "0", track)
        room.conference.set_permissions("bob", may_publish=True, may_subscribe=True)
        await bob.negotiate()
        await bob.until_decoded(lambda: near(bob.brightness("1"), 40, 10) and near(bob.pitch("0"), 440, 60))


async def test_a_new_connection_of_the_same_peer_replaces_the_old_one(room: Room) -> None:
    async with clients(room, "ann", "bob") as [ann, bob]:
        publisher(ann, 40, 440)
        bob.slots("video")
        await ann.negotiate()
        await bob.negotiate()
        await bob.until_decoded(lambda: near(bob.brightness("0"), 40, 10))
        again = Client(room, "bob", peer=bob.peer)
        try:
            again.slots("video", "audio")
            await again.negotiate()
            await again.until_decoded(lambda: near(again.brightness("0"), 40, 10))
        finally:
            await again.close()


async def test_a_peer_that_closes_its_connection_is_lost_and_its_tracks_are_gone(room: Room) -> None:
    async with clients(room, "ann") as [ann]:
        publisher(ann, 40, 440)
        await ann.negotiate()
        await ann.until_connected()
        await ann.connection.close()
        lost = await room.until(lambda: room.all(PeerLost))
        assert lost == [PeerLost("ann", "closed_by_peer")]
        assert len(room.all(TrackUnpublished)) == 2


async def test_a_removed_peer_hears_of_it_and_the_others_slots_empty(room: Room) -> None:
    async with clients(room, "ann", "bob") as [ann, bob]:
        publisher(ann, 40, 440)
        bob.slots("audio", "video")
        await ann.negotiate()
        await bob.negotiate()
        await bob.until_decoded(lambda: near(bob.brightness("1"), 40, 10))
        closed = asyncio.Event()
        ann.connection.on("connectionstatechange", closed.set)
        room.conference.remove_peer("ann")
        await room.until(lambda: all(s.track is None for m in "01" if (s := room.slot("bob", m))))
        async with asyncio.timeout(20):
            await closed.wait()
        with pytest.raises(TransportError):
            await ann.peer.offer("v=0", {})


async def test_one_audio_slot_follows_who_speaks(room: Room) -> None:
    async with clients(room, "ann", "bob", "eve") as [ann, bob, eve]:
        quiet, loud = Tone(440, amplitude=0.0), Tone(880)
        ann.publish(quiet, "microphone")
        bob.publish(loud, "microphone")
        eve.slots("audio")
        await ann.negotiate()
        await bob.negotiate()
        await eve.negotiate()
        await eve.until_decoded(lambda: near(eve.pitch("0"), 880, 60))
        speaking = [level for event in room.all(Speakers) for level in event.levels if level.speaking]
        assert {level.peer_id for level in speaking} == {"bob"}
        loud.amplitude, quiet.amplitude = 0.0, 0.5
        await eve.until_decoded(lambda: near(eve.pitch("0"), 440, 60))


async def test_statistics_name_tracks_slots_and_the_path(room: Room) -> None:
    async with clients(room, "ann", "bob") as [ann, bob]:
        publisher(ann, 40, 440)
        bob.slots("audio", "video")
        tracks = (await ann.negotiate()).tracks
        await bob.negotiate()
        await bob.until_decoded(lambda: near(bob.brightness("1"), 40, 10))
        stats = await room.conference.stats()
        assert {source["track"] for source in stats["ann"]["sources"]} == set(tracks.values())
        assert {slot["mid"]: slot["track"] for slot in stats["bob"]["slots"]} == tracks
        assert stats["ann"]["transport"]["path"][0] == "udp"
        with pytest.raises(NoSuchPeer):
            await room.conference.stats("nobody")


async def test_wishes_that_name_nothing_are_refused(room: Room) -> None:
    async with clients(room, "ann", "bob") as [ann, bob]:
        ann.publish(Tone(), "microphone")
        track = (await ann.negotiate()).tracks["0"]
        bob.slots("video")
        await bob.negotiate()
        with pytest.raises(NoSuchSlot):
            room.conference.subscribe("bob", "9", track)
        with pytest.raises(NoSuchTrack):
            room.conference.subscribe("bob", "0", "tr_none")
        with pytest.raises(NoSuchTrack):
            room.conference.subscribe("bob", "0", track)
        with pytest.raises(NoSuchPeer):
            room.conference.unsubscribe("nobody", "0")
        with pytest.raises(NoSuchTrack):
            room.conference.mute("tr_none", True, by_server=True)
        with pytest.raises(ValueError, match="already"):
            room.add("ann")


async def test_what_is_said_of_a_track_is_told_where_it_changes(room: Room) -> None:
    async with clients(room, "ann") as [ann]:
        ann.publish(Tone(), "microphone")
        await ann.negotiate()
        offer = ann.connection.localDescription.sdp
        await ann.peer.offer(offer, {"0": TrackInfo("microphone", "headset", muted=True)})
        await ann.peer.offer(offer, {"0": TrackInfo("microphone", "headset", muted=True)})
        told = [(event.track.name, event.track.muted) for event in room.all(TrackUpdated)]
        assert told == [("headset", True)]


async def test_a_worker_that_fails_loses_its_peers_and_takes_new_offers(
    media: MediaEngine, room: Room
) -> None:
    async with clients(room, "ann") as [ann]:
        publisher(ann, 40, 440)
        await ann.negotiate()
        await room.until(lambda: room.all(PeerConnected))
        media.plane._dataplane.fail_worker(0)
        lost = await room.until(lambda: room.all(PeerLost))
        assert lost == [PeerLost("ann", "worker_failed")]
        again = Client(room, "ann", peer=ann.peer)
        try:
            publisher(again, 90, 440)
            await again.negotiate()
            await room.until(lambda: len(room.all(PeerConnected)) == 2)
        finally:
            await again.close()


async def test_a_conference_that_is_closed_leaves_nothing_behind(media: MediaEngine) -> None:
    room = Room.of(media)
    async with clients(room, "ann", "bob") as [ann, bob]:
        publisher(ann, 40, 440)
        bob.slots("audio", "video")
        await ann.negotiate()
        await bob.negotiate()
        await bob.until_decoded(lambda: near(bob.brightness("1"), 40, 10))
        room.conference.close()
        room.conference.close()
        assert not media._owners
        assert not media._links
        assert not media._conferences
