"""A peer without its network: what the plane is told, and what losing and finding a path means."""

from __future__ import annotations

from typing import Any

import pytest

from rtc.conference import PeerConnected, PeerLost, SlotChanged, TransportError
from rtc.plane import ConsentLost, PathSelected, TransportId
from tests.rtc.call import Room, engine
from tests.rtc.test_negotiation import offer

SLOTS = offer("aiortc_slots")
PUBLISH = offer("aiortc_publish")


class Orders:
    """Every command to the plane of these names, in order."""

    def __init__(self, plane: Any, monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
        self.given: list[tuple[str, tuple[Any, ...]]] = []
        for name in names:
            monkeypatch.setattr(plane, name, self._watched(name, getattr(plane, name)))

    def _watched(self, name: str, command: Any) -> Any:
        def give(*arguments: Any, **named: Any) -> Any:
            self.given.append((name, arguments))
            return command(*arguments, **named)

        return give

    def count(self, name: str) -> int:
        return sum(each == name for each, _ in self.given)


async def test_an_inactive_slot_keeps_its_sink_and_one_that_is_gone_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with engine() as media:
        peer = Room.of(media).add("ann")
        orders = Orders(media.plane, monkeypatch, "add_sink", "remove_sink")
        await peer.offer(SLOTS, {})
        assert orders.count("add_sink") == 2
        sink = peer.slots["1"].sink
        inactive = SLOTS.replace("m=video", "m=video", 1).split("m=video")
        await peer.offer(inactive[0] + "m=video" + inactive[1].replace("a=recvonly", "a=inactive"), {})
        assert (set(peer.slots), set(peer.parked)) == ({"0"}, {"1"})
        await peer.offer(SLOTS, {})
        assert peer.slots["1"].sink == sink
        assert (orders.count("add_sink"), orders.count("remove_sink")) == (2, 0)
        await peer.offer(SLOTS.replace("m=video 60061", "m=video 0"), {})
        assert (orders.count("remove_sink"), peer.parked) == (1, {})


async def test_a_slot_with_other_codecs_gets_other_ssrcs() -> None:
    async with engine() as media:
        peer = Room.of(media).add("ann")
        first = await peer.offer(SLOTS, {})
        fewer = await peer.offer(SLOTS.replace("SAVPF 97 98 99 100 101 102", "SAVPF 97 98"), {})
        streams = [
            [line for line in answer.sdp.splitlines() if line.startswith("a=ssrc:")]
            for answer in (first, fewer)
        ]
        assert streams[0][0] == streams[1][0]
        assert set(streams[0][1:]).isdisjoint(streams[1][1:])
        again = await peer.offer(SLOTS.replace("SAVPF 97 98 99 100 101 102", "SAVPF 98 97"), {})
        assert [line for line in again.sdp.splitlines() if line.startswith("a=ssrc:")] == streams[1]


async def test_a_path_that_is_lost_and_found_keeps_the_association(monkeypatch: pytest.MonkeyPatch) -> None:
    async with engine() as media:
        room = Room.of(media)
        ann, bob = room.add("ann"), room.add("bob")
        await ann.offer(PUBLISH, {})
        await bob.offer(SLOTS, {})
        await room.until(lambda: room.slot("bob", "0"))
        link = ann.link
        assert link is not None
        link.dtls.connected = True  # as after a handshake, for which nobody is here
        path = PathSelected(link.id, "udp", ("192.0.2.1", 1), ("192.0.2.2", 2))  # type: ignore[arg-type] # plain tuples do
        media._dispatch(path)
        media._dispatch(ConsentLost(link.id))
        media._dispatch(ConsentLost(link.id))
        lost = room.slot("bob", "0")
        assert lost is not None
        assert (lost.participant, lost.paused) == ("ann", True)
        assert ann.link is link
        media._dispatch(path)
        back = room.slot("bob", "0")
        assert back is not None
        assert not back.paused
        told = [event for event in room.events if isinstance(event, (PeerConnected, PeerLost))]
        assert told == [PeerConnected("ann"), PeerLost("ann", "consent"), PeerConnected("ann")]


async def test_consent_that_never_was_is_no_loss() -> None:
    async with engine() as media:
        room = Room.of(media)
        peer = room.add("ann")
        await peer.offer(SLOTS, {})
        assert peer.link is not None
        media._dispatch(ConsentLost(peer.link.id))
        media._dispatch(ConsentLost(TransportId(99_999)))
        assert room.all(PeerLost) == []


async def test_ice_is_restarted_by_credentials_alone() -> None:
    async with engine() as media:
        peer = Room.of(media).add("ann")
        with pytest.raises(TransportError):
            peer.restart_ice("ufrag", "a password of 22 chars")
        await peer.offer(SLOTS, {})
        assert peer.link is not None
        before = (peer.link.id, peer.link.ufrag)
        restart = peer.restart_ice("ufrag", "a password of 22 chars")
        assert peer.link.id == before[0]
        assert restart.ufrag == peer.link.ufrag != before[1]
        assert any(" udp " in line for line in restart.candidates)


async def test_after_everything_was_taken_back_the_next_offer_begins_anew() -> None:
    async with engine() as media:
        room = Room.of(media)
        ann, bob = room.add("ann"), room.add("bob")
        await bob.offer(SLOTS, {})
        await ann.offer(PUBLISH, {})
        first = ann.link
        await room.until(lambda: room.slot("bob", "0"))
        answer = await ann.offer(
            PUBLISH.replace("m=audio 33858", "m=audio 0").replace("m=video 42433", "m=video 0"), {}
        )
        assert (answer.tracks, ann.link, "a=group" in answer.sdp) == ({}, None, False)
        await room.until(lambda: room.slot("bob", "0") == SlotChanged("bob", "0", None, None, None, False))
        await ann.offer(PUBLISH, {})
        assert ann.link is not None
        assert ann.link is not first


async def test_a_large_offer_is_answered_within_a_moment() -> None:
    """A hundred slots with every codec of Chromium: 300 kB, by far the largest that a client makes."""
    head, *sections = offer("chromium_slots").split("m=")
    slots = [section for section in sections if not section.startswith("application")]
    wide = [slot.replace(f"a=mid:{slot.split('a=mid:')[1].split()[0]}\r\n", "a=mid:{}\r\n") for slot in slots]
    many = [wide[number % len(wide)].replace("a=mid:{}", f"a=mid:{number}") for number in range(100)]
    mids = " ".join(str(number) for number in range(100))
    text = head.replace(head.split("a=group:")[1].split("\r\n")[0], f"BUNDLE {mids}") + "".join(
        "m=" + section for section in many
    )
    async with engine() as media:
        peer = Room.of(media).add("ann")
        answer = await peer.offer(text, {})
        assert len(answer.slots) == 100
        assert len({slot.plan.identity.ssrc for slot in peer.slots.values()}) == 100
