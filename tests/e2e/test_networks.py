"""Calls on networks that lose datagrams, change, or let no UDP through."""

from playwright.async_api import BrowserContext

from tests.e2e.raw_page import RawPage, until
from tests.e2e.server_process import ServerProcess
from tests.e2e.udp_proxy import UdpProxy


async def two_people(
    context: BrowserContext, server: ServerProcess, port: int | None = None
) -> tuple[RawPage, RawPage, str]:
    """A publisher and a viewer, the viewer's media through the proxy at `port`; and the slot's mid."""
    publisher = await RawPage.open(context, server, "publisher")
    await publisher.call(slots=0, colour="red", tone=440)
    viewer = await RawPage.open(context, server, "viewer")
    await viewer.join()
    if port:
        await viewer.through(port)
    await viewer.offer(audio_slots=1, video_slots=1)
    mid = await viewer.slot_of(publisher.participant)
    await viewer.decodes(mid, 15)
    return publisher, viewer, mid


async def test_video_without_a_freeze_at_five_percent_loss(
    context: BrowserContext, server: ServerProcess
) -> None:
    async with UdpProxy(("127.0.0.1", server.media_port), seed=5) as proxy:
        _, viewer, mid = await two_people(context, server, proxy.port)
        proxy.to_client.loss = 0.05
        start = await viewer.now()
        await viewer.decodes(mid, 150, seconds=40)
        assert proxy.dropped > 0
        report = await viewer.inbound_of(mid)
        assert report["nackCount"] > 0
        assert report["retransmittedPacketsReceived"] > 0
        assert await viewer.longest_gap(mid, start) < 1000


async def test_loss_from_the_publisher_is_repaired_by_our_own_nack(
    context: BrowserContext, server: ServerProcess
) -> None:
    async with UdpProxy(("127.0.0.1", server.media_port), seed=6) as proxy:
        publisher = await RawPage.open(context, server, "publisher")
        await publisher.through(proxy.port)
        await publisher.call(slots=0, colour="red")
        viewer = await RawPage.open(context, server, "viewer")
        await viewer.join()
        await viewer.offer(audio_slots=1, video_slots=1)
        mid = await viewer.slot_of(publisher.participant)
        await viewer.decodes(mid, 15)
        proxy.to_server.loss = 0.05
        start = await viewer.now()
        await viewer.decodes(mid, 150, seconds=40)
        outbound = [s for s in await publisher.js("() => client.stats()") if s["type"] == "outbound-rtp"]
        assert sum(report["nackCount"] for report in outbound) > 0
        assert sum(report["retransmittedPacketsSent"] for report in outbound) > 0
        assert await viewer.longest_gap(mid, start) < 1000


async def test_a_call_survives_a_change_of_the_clients_port(
    context: BrowserContext, server: ServerProcess
) -> None:
    async with UdpProxy(("127.0.0.1", server.media_port), seed=7) as proxy:
        publisher, viewer, mid = await two_people(context, server, proxy.port)
        proxy.change_client_port()
        await viewer.decodes(mid, 30)
        assert await publisher.events("participant.left") == []
        assert await viewer.js("() => client.offers") == 1


async def test_an_ice_restart_keeps_the_dtls_association(
    context: BrowserContext, server: ServerProcess
) -> None:
    _, viewer, mid = await two_people(context, server)

    async def dtls() -> list[str]:
        stats = await viewer.js("() => client.stats()")
        return [s.get("remoteCertificateId", "") + s["dtlsState"] for s in stats if s["type"] == "transport"]

    before = await dtls()
    ufrag = await viewer.js("() => client.pc.remoteDescription.sdp.match(/a=ice-ufrag:(\\S+)/)[1]")
    start = await viewer.now()
    await viewer.offer(iceRestart=True)
    await viewer.decodes(mid, 30)
    assert await viewer.js("() => client.pc.remoteDescription.sdp.match(/a=ice-ufrag:(\\S+)/)[1]") != ufrag
    assert await dtls() == before
    assert await viewer.longest_gap(mid, start) < 2000


async def test_where_udp_is_blocked_media_goes_over_tcp(
    context: BrowserContext, server: ServerProcess
) -> None:
    publisher = await RawPage.open(context, server, "publisher")
    await publisher.call(slots=0, colour="red", tone=440)
    viewer = await RawPage.open(context, server, "viewer")
    await viewer.join()
    await viewer.js("() => { impairment.tcpOnly = true }")
    await viewer.offer(audio_slots=1, video_slots=1)
    mid = await viewer.slot_of(publisher.participant)
    await viewer.decodes(mid, 61)
    pair = await until(lambda: viewer.js("() => client.selectedPair()"))
    assert pair["remote"]["protocol"] == "tcp"
    assert pair["remote"]["port"] == server.media_port
