"""Which codecs, feedback and header extensions the relay knows, and when two payloads are the same."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from rtc.plane import Codec as PlaneCodec
from rtc.plane import ExtensionKind, Payload
from rtc.sdp import Codec, Section

# RFC 5761 section 4: with RTP and RTCP on one port these would be taken for RTCP packets 192 to 223.
UNSAFE_PAYLOAD_TYPES = range(64, 96)

KNOWN: dict[str, tuple[str, PlaneCodec]] = {
    "opus": ("audio", "opus"),
    "red": ("audio", "red"),
    "g722": ("audio", "g722"),
    "pcmu": ("audio", "pcmu"),
    "pcma": ("audio", "pcma"),
    "vp8": ("video", "vp8"),
    "vp9": ("video", "vp9"),
    "h264": ("video", "h264"),
    "av1": ("video", "av1"),
}

EXTENSIONS: dict[str, ExtensionKind] = {
    "urn:ietf:params:rtp-hdrext:ssrc-audio-level": "audio_level",
    "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time": "abs_send_time",
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01": "transport_sequence",
    "urn:ietf:params:rtp-hdrext:sdes:mid": "mid",
    "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id": "rid",
    "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id": "repaired_rid",
    "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension": (
        "dependency_descriptor"
    ),
    "http://www.webrtc.org/experiments/rtp-hdrext/video-layers-allocation00": "video_layers_allocation",
}

# A slot's source changes: what counts per source (MID, RID, frame numbers) would contradict itself there, and
# a publisher rotates its picture itself where orientation is not negotiated.
SLOT_EXTENSIONS: frozenset[ExtensionKind] = frozenset({"transport_sequence"})
FEEDBACK = ("nack", "nack pli", "ccm fir", "transport-cc")


def canonical(codec: Codec) -> str:
    """Equal exactly for formats that decode each other: name, clock, channels, profile, packetization."""
    name = codec.name.lower()
    parts = [name, str(codec.clock_rate), str(codec.channels)]
    if name == "h264":
        parts += [
            h264_profile(codec.parameter("profile-level-id")),
            codec.parameter("packetization-mode") or "0",
        ]
    elif name == "vp9":
        parts.append(codec.parameter("profile-id") or "0")
    elif name == "av1":
        parts.append(codec.parameter("profile") or "0")
    return "/".join(parts)


def h264_profile(profile_level_id: str | None) -> str:
    """The profile without its level (RFC 6184 section 8.1); baseline is what nothing said means.

    Constraints are left out: what senders call baseline (42001f) keeps to constrained baseline (42e01f), and
    Safari and Firefox take only what is called the latter.
    """
    return (profile_level_id or "420010").lower()[:2]


def codec_key(codec: Codec) -> int:
    """The same number on every node for the same format."""
    return zlib.crc32(canonical(codec).encode()) & 0x7FFF_FFFF


def accepted(section: Section) -> list[Codec]:
    """The section's codecs that are forwarded, in the offer's order, each followed by its retransmission."""
    chosen: list[Codec] = []
    retransmissions = retransmission_of(section)
    for codec in _in_order(section):
        kind, _ = KNOWN.get(codec.name.lower(), ("", ""))
        if kind != section.kind or codec.pt in UNSAFE_PAYLOAD_TYPES:
            continue
        chosen.append(codec)
        if codec.pt in retransmissions:
            chosen.append(retransmissions[codec.pt])
    return chosen


def _in_order(section: Section) -> Iterator[Codec]:
    for text in section.formats:
        codec = section.codecs.get(int(text)) if text.isdecimal() else None
        if codec is not None:
            yield codec


def retransmission_of(section: Section) -> dict[int, Codec]:
    """Payload type to the RTX codec that repairs it (RFC 4588)."""
    found: dict[int, Codec] = {}
    for codec in section.codecs.values():
        if codec.name.lower() == "rtx" and codec.pt not in UNSAFE_PAYLOAD_TYPES:
            apt = codec.parameter("apt")
            if apt is not None and apt.isascii() and apt.isdecimal():
                found.setdefault(int(apt), codec)
    return found


def feedback(codec: Codec) -> list[str]:
    """What is answered; the older estimate (REMB) only to who has no transport-wide feedback."""
    known = FEEDBACK if "transport-cc" in codec.feedback else (*FEEDBACK, "goog-remb")
    return [message for message in known if message in codec.feedback]


def payloads(section: Section, *, transport_cc: bool) -> tuple[Payload, ...]:
    """What the plane has to know of the section's payload types."""
    retransmissions = retransmission_of(section)
    found = []
    for codec in accepted(section):
        if codec.name.lower() == "rtx":
            continue
        repaired_by = retransmissions.get(codec.pt)
        found.append(
            Payload(
                pt=codec.pt,
                codec=KNOWN[codec.name.lower()][1],
                codec_key=codec_key(codec),
                clock_rate=codec.clock_rate,
                rtx_pt=repaired_by.pt if repaired_by else None,
                nack="nack" in codec.feedback,
                pli="nack pli" in codec.feedback,
                transport_cc=transport_cc and "transport-cc" in codec.feedback,
            )
        )
    return tuple(found)
