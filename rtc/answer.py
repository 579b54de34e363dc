"""The SDP text of an answer (RFC 8829 section 5.3), from what was decided about each section of the offer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rtc.formats import accepted, feedback
from rtc.negotiation import DATA_FORMAT, Decided, Plan, SlotPlan
from rtc.sdp import Codec, Fingerprint

SCTP_PORT = 5000
# What Chromium announces too; the sender of a longer message is told so by its own stack.
MAX_MESSAGE_SIZE = 262_144
# One name for all streams of the server: they run on one clock (RFC 7022), and the plane's reports carry it.
CNAME = "hubbub"


@dataclass(frozen=True, slots=True)
class Local:
    """The server's side of the transport. `candidates` are the values of `a=candidate:` lines."""

    ufrag: str
    pwd: str
    fingerprint: Fingerprint
    candidates: tuple[str, ...]


def write(plan: Plan, local: Local | None, *, session_id: int, version: int) -> str:
    """`local` may be None where the plan has no remote either. `version` counts the answers of a session."""
    return "".join(f"{line}\r\n" for line in _lines(plan, local, session_id, version))


def _lines(plan: Plan, local: Local | None, session_id: int, version: int) -> Iterator[str]:
    yield "v=0"
    yield f"o=- {session_id} {version} IN IP4 127.0.0.1"
    yield "s=-"
    yield "t=0 0"
    used = [each.section.mid for each in plan.decided if each.role != "rejected"]
    if used:
        yield "a=group:BUNDLE " + " ".join(used)
    if plan.mixed_extensions:
        yield "a=extmap-allow-mixed"
    yield "a=msid-semantic: WMS *"
    yield "a=ice-lite"
    slots = {slot.mid: slot for slot in plan.slots}
    for each in plan.decided:
        if each.role == "rejected" or local is None:
            yield from _rejected(each)
            continue
        yield from _media(each)
        yield from _transport(local)
        if each.role == "data":
            yield f"a=sctp-port:{SCTP_PORT}"
            yield f"a=max-message-size:{MAX_MESSAGE_SIZE}"
        else:
            yield from _rtp(each, slots.get(each.section.mid))


def _rejected(decided: Decided) -> Iterator[str]:
    section = decided.section
    yield f"m={section.kind} 0 {section.protocol} {' '.join(section.formats)}"
    yield "c=IN IP4 0.0.0.0"
    if section.mid:
        yield f"a=mid:{section.mid}"
    if section.kind != "application":
        yield "a=inactive"


def _media(decided: Decided) -> Iterator[str]:
    section = decided.section
    formats = [DATA_FORMAT] if decided.role == "data" else [str(codec.pt) for codec in accepted(section)]
    yield f"m={section.kind} 9 {section.protocol} {' '.join(formats)}"
    yield "c=IN IP4 0.0.0.0"
    yield f"a=mid:{section.mid}"


def _transport(local: Local) -> Iterator[str]:
    """The same in every section. The candidates too: aiortc takes those of the last section of a transport."""
    yield f"a=ice-ufrag:{local.ufrag}"
    yield f"a=ice-pwd:{local.pwd}"
    yield f"a=fingerprint:{local.fingerprint.algorithm} {local.fingerprint.value}"
    yield "a=setup:passive"
    for candidate in local.candidates:
        yield f"a=candidate:{candidate}"
    yield "a=end-of-candidates"


def _rtp(decided: Decided, slot: SlotPlan | None) -> Iterator[str]:
    section = decided.section
    yield "a=" + {"publish": "recvonly", "slot": "sendonly"}.get(decided.role, "inactive")
    yield "a=rtcp-mux"
    if section.rtcp_rsize:
        yield "a=rtcp-rsize"
    for extension in decided.extensions:
        yield f"a=extmap:{extension.id} {extension.uri}"
    for codec in accepted(section):
        yield from _codec(codec)
    if decided.role == "publish" and section.simulcast:
        for rid in section.simulcast:
            yield f"a=rid:{rid} recv"
        yield "a=simulcast:recv " + ";".join(section.simulcast)
    if slot is not None:
        yield from _stream(slot)


def _codec(codec: Codec) -> Iterator[str]:
    channels = f"/{codec.channels}" if codec.channels > 1 else ""
    yield f"a=rtpmap:{codec.pt} {codec.name}/{codec.clock_rate}{channels}"
    for message in feedback(codec):
        yield f"a=rtcp-fb:{codec.pt} {message}"
    if codec.parameters:
        yield f"a=fmtp:{codec.pt} {codec.parameters}"


def _stream(slot: SlotPlan) -> Iterator[str]:
    """Constant SSRCs; the audio and the video slot of a pair share a stream, so that lips follow sound."""
    identity = slot.identity
    yield f"a=msid:pair-{identity.pair} {slot.kind}-{identity.pair}"
    repaired = any(payload.rtx_pt is not None for payload in slot.payloads)
    if repaired:
        yield f"a=ssrc-group:FID {identity.ssrc} {identity.rtx_ssrc}"
    yield f"a=ssrc:{identity.ssrc} cname:{CNAME}"
    if repaired:
        yield f"a=ssrc:{identity.rtx_ssrc} cname:{CNAME}"
