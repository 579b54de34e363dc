"""Real offers answered, and anything else refused with the line that is wrong."""

import contextlib
import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtc import answer, sdp
from rtc.errors import OfferError
from rtc.negotiation import Permissions, Plan, State, negotiate

OFFERS = Path(__file__).parent / "offers"
EVERYTHING = Permissions(publish=True, subscribe=True)
LOCAL = answer.Local(
    ufrag="ufrag",
    pwd="a password of 22 chars",
    fingerprint=sdp.Fingerprint("sha-256", "AA:BB"),
    candidates=("1 1 udp 2130706431 192.0.2.1 7882 typ host",),
)


def offer(name: str) -> str:
    """A fixture without the line that says where it was captured."""
    text = (OFFERS / f"{name}.sdp").read_text()
    return "\r\n".join(line for line in text.splitlines() if not line.startswith("#")) + "\r\n"


def counting() -> Callable[[], int]:
    return itertools.count(1000).__next__


def plan_of(
    text: str, state: State | None = None, permissions: Permissions = EVERYTHING
) -> tuple[Plan, State]:
    return negotiate(sdp.parse(text), state or State(), permissions, counting())


def written(plan: Plan) -> str:
    return answer.write(plan, LOCAL, session_id=1, version=1)


def answered(text: str) -> sdp.Description:
    plan, _ = plan_of(text)
    return sdp.parse(written(plan))


@pytest.mark.parametrize("path", sorted(OFFERS.glob("*.sdp")), ids=lambda path: path.stem)
def test_every_captured_offer_is_answered_section_by_section(path: Path) -> None:
    text = offer(path.stem)
    if path.stem == "chromium_ice_restart":
        return  # a fragment of the publishing offer, used below
    asked, told = sdp.parse(text), answered(text)
    assert [section.kind for section in told.sections] == [section.kind for section in asked.sections]
    assert [section.mid for section in told.sections] == [section.mid for section in asked.sections]
    for theirs, ours in zip(asked.sections, told.sections, strict=True):
        assert set(ours.codecs) <= set(theirs.codecs)
        assert all(not 64 <= pt < 96 for pt in ours.codecs)
        assert {each.id for each in ours.extensions} <= {each.id for each in theirs.extensions}
        if not ours.rejected:
            assert ours.setup == "passive"
            assert ours.mid in told.bundle


def test_a_simulcast_publisher_of_chromium() -> None:
    plan, _ = plan_of(offer("chromium_publish"))
    audio, video = plan.publications
    assert [each.rid for each in video.encodings] == ["q", "h", "f"]
    assert [each.codec for each in audio.payloads] == ["opus", "red", "g722", "pcmu", "pcma"]
    assert audio.encodings[0].ssrc == 2_125_683_970
    assert {each.codec for each in video.payloads} == {"vp8", "vp9", "h264", "av1"}
    vp8 = video.payloads[0]
    assert (vp8.pt, vp8.rtx_pt, vp8.nack, vp8.pli, vp8.transport_cc) == (96, 97, True, True, True)
    assert dict(plan.incoming)[10] == "rid"
    assert (plan.sctp_port, plan.max_message_size) == (5000, 262_144)
    told = answered(offer("chromium_publish"))
    assert told.sections[1].direction == "recvonly"
    assert "a=simulcast:recv q;h;f" in written(plan)


def test_a_publisher_of_firefox_whose_lines_are_sorted() -> None:
    plan, _ = plan_of(offer("firefox_publish"))
    audio, video = plan.publications
    assert [each.rid for each in video.encodings] == ["hi", "lo"]
    assert audio.encodings[0].ssrc == 3_284_017_395
    vp8 = video.payloads[0]
    assert (vp8.codec, vp8.rtx_pt, vp8.nack, vp8.pli, vp8.transport_cc) == ("vp8", 124, True, True, True)
    assert [slot.mid for slot in plan.slots] == ["2"]
    assert dict(plan.incoming)[9] == "repaired_rid"
    assert plan.sctp_port == 5000
    text = written(plan)
    assert "a=fmtp:109 maxplaybackrate=48000;stereo=1;useinbandfec=1" in text
    assert " 0 UDP/" not in text  # bundle-only sections have port 0 in the offer and are used all the same


def test_a_sendrecv_publisher_of_safari_is_received_and_gets_no_slot() -> None:
    plan, _ = plan_of(offer("safari_publish"))
    assert [each.encodings[0].rtx_ssrc for each in plan.publications] == [None, 3_344_556_677]
    assert plan.slots == ()
    assert [each.codec for each in plan.publications[1].payloads] == ["h264", "h264", "vp8"]
    assert [each.direction for each in answered(offer("safari_publish")).sections[:2]] == ["recvonly"] * 2


def test_h264_profiles_are_told_apart_and_levels_are_not() -> None:
    plan, _ = plan_of(offer("chromium_publish"))
    h264 = [each for each in plan.publications[1].payloads if each.codec == "h264"]
    # What Chromium calls baseline and constrained baseline is the same; main is not, nor the other packetization.
    assert len({each.codec_key for each in h264}) == 4
    aiortc, _ = plan_of(offer("aiortc_publish"))
    theirs = {each.codec_key for each in aiortc.publications[1].payloads if each.codec == "h264"}
    assert theirs <= {each.codec_key for each in h264}


def test_slots_come_in_pairs_of_one_stream_and_keep_their_ssrcs() -> None:
    text = offer("chromium_slots")
    plan, state = plan_of(text)
    audio = [slot for slot in plan.slots if slot.kind == "audio"]
    video = [slot for slot in plan.slots if slot.kind == "video"]
    pairs = list(zip(audio, video, strict=False))
    assert pairs
    for one, other in pairs:
        assert one.identity.pair == other.identity.pair
    again, _ = negotiate(sdp.parse(text), state, EVERYTHING, itertools.count(9000).__next__)
    assert [slot.identity for slot in again.slots] == [slot.identity for slot in plan.slots]
    assert written(plan).count("a=msid:pair-0 ") == 2
    assert {kind for _, kind in plan.outgoing} == {"transport_sequence"}


def test_slots_negotiate_what_a_later_publication_needs() -> None:
    """Chromium offers an extension in a new section only if some section has it: a simulcast needs RID."""
    told = answered(offer("chromium_slots"))
    video = next(section for section in told.sections if section.kind == "video")
    uris = {each.uri.rpartition(":")[2] for each in video.extensions}
    assert {"mid", "rtp-stream-id", "repaired-rtp-stream-id"} <= uris


def test_candidates_are_told_in_every_section_since_aiortc_takes_those_of_the_last() -> None:
    plan, _ = plan_of(offer("aiortc_publish"))
    assert written(plan).count("a=candidate:") == len(plan.decided)


def test_a_recycled_section_has_a_new_mid_at_its_index() -> None:
    plan, state = plan_of(offer("chromium_recycled"))
    assert [mid for mid, _ in state.media if mid]
    assert [each.role for each in plan.decided].count("rejected") >= 1


def test_an_offer_that_takes_everything_back_is_answered_with_rejected_sections() -> None:
    text = offer("aiortc_publish")
    _, state = plan_of(text)
    taken_back = text.replace("m=audio 33858", "m=audio 0").replace("m=video 42433", "m=video 0")
    plan, state = plan_of(taken_back, state)
    assert plan.remote is None
    assert all(
        section.rejected for section in sdp.parse(answer.write(plan, None, session_id=1, version=2)).sections
    )
    assert [mid for mid, _ in state.media] == ["", ""]


def test_without_permission_publishing_is_rejected_and_a_slot_is_inactive() -> None:
    nothing = Permissions(publish=False, subscribe=False)
    plan, _ = plan_of(offer("chromium_publish"), permissions=nothing)
    assert [each.role for each in plan.decided] == ["rejected", "rejected", "data"]
    plan, state = plan_of(offer("chromium_slots"), permissions=nothing)
    assert {each.role for each in plan.decided if each.section.kind != "application"} == {"inactive"}
    assert state.slots == {}


def test_a_stopped_track_leaves_the_plan_and_the_rest_stays() -> None:
    text = offer("aiortc_publish")
    _, state = plan_of(text)
    stopped = text.replace("a=sendonly", "a=inactive", 1)
    plan, _ = plan_of(stopped, state)
    assert [each.mid for each in plan.publications] == ["1"]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("a=setup:actpass", "a=setup:passive", "passive"),
        ("a=ice-ufrag:IOFZ\r\n", "", "ice-ufrag"),
        ("a=ice-pwd:d6hLf9llNiqmCQjmgkg3LR", "a=ice-pwd:short", "ice-pwd"),
        ("a=fingerprint:sha", "a=fingerprint:md", "fingerprint"),
        ("a=extmap:3 ", "a=extmap:2 ", "two meanings"),
        ("a=mid:1", "a=mid:0", "twice"),
        ("m=audio 33858", "m=audio port", "port"),
        ("v=0", "v=1", "v=0"),
        ("s=-", "nonsense", "type"),
        ("a=group:BUNDLE 0 1", "a=group:BUNDLE 8 9", "no section"),
    ],
)
def test_a_wrong_offer_is_refused_with_its_reason(old: str, new: str, reason: str) -> None:
    with pytest.raises(OfferError, match=reason):
        plan_of(offer("aiortc_publish").replace(old, new))


def test_the_refusal_names_the_line() -> None:
    text = offer("aiortc_publish")
    number = text.split("\r\n").index("a=mid:1") + 1
    with pytest.raises(OfferError) as refused:
        plan_of(text.replace("a=mid:1", "a=mid:far too long for a header extension"))
    assert refused.value.line == number


def test_sections_never_go_away_and_a_mid_stays_at_its_place() -> None:
    text = offer("aiortc_publish")
    _, state = plan_of(text)
    with pytest.raises(OfferError, match="m= sections"):
        plan_of(text[: text.index("m=video")].replace("BUNDLE 0 1", "BUNDLE 0"), state)
    with pytest.raises(OfferError, match="was mid 1"):
        plan_of(text.replace("a=mid:1", "a=mid:7").replace("BUNDLE 0 1", "BUNDLE 0 7"), state)


@pytest.mark.parametrize(
    "line",
    ["a=ssrc:{} cname:x", "a=rtcp-fb:* nack", "a=rid:r{} send", "a=extmap:3 urn:x{}", "a=ssrc-group:FID {}"],
)
def test_what_makes_offers_dear_is_bounded(line: str) -> None:
    many = "\r\n".join(line.format(number) for number in range(20_000))
    with pytest.raises(OfferError, match="more than"):
        sdp.parse(offer("aiortc_publish") + many)


def test_a_line_with_a_control_character_is_refused() -> None:
    with pytest.raises(OfferError, match="control character"):
        sdp.parse(offer("aiortc_publish").replace("a=fmtp:98 apt=97", "a=fmtp:98 apt=97\ra=x"))


LINES = sorted({line for path in OFFERS.glob("*.sdp") for line in path.read_text().splitlines()})


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_whatever_is_done_to_an_offer_is_answered_or_refused(data: st.DataObject) -> None:
    lines = offer(data.draw(st.sampled_from(["aiortc_publish", "chromium_publish"]))).split("\r\n")
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(lines) - 1))
        match data.draw(st.sampled_from(["drop", "swap", "cut", "insert", "garble"])):
            case "drop":
                lines[at : at + 1] = [""]
            case "swap":
                other = data.draw(st.integers(0, len(lines) - 1))
                lines[at], lines[other] = lines[other], lines[at]
            case "cut":
                lines[at] = lines[at][: data.draw(st.integers(0, 20))]
            case "insert":
                lines.insert(at, data.draw(st.sampled_from(LINES)))
            case "garble":
                lines[at] = lines[at][:4] + data.draw(st.text(max_size=12))
    try:
        plan, _ = plan_of("\r\n".join(lines))
    except OfferError:
        return
    assert sdp.parse(written(plan)).sections


@given(st.text(max_size=400))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    with contextlib.suppress(OfferError):
        assert sdp.parse("v=0\n" + text).sections
