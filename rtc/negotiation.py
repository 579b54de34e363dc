"""An offer and what is known of its peer, to a plan for the plane. Pure; `rtc.answer` writes the text.

The client always offers. A section that sends publishes; a recvonly section is a slot, answered with SSRCs
that it keeps over all later offers. Everything is keyed by mid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal, cast

from rtc.errors import OfferError
from rtc.formats import EXTENSIONS, SLOT_EXTENSIONS, accepted, payloads
from rtc.plane import ExtensionKind, Payload
from rtc.sdp import Description, Extension, Fingerprint, Section
from rtc.tracks import Kind

Role = Literal["publish", "slot", "data", "inactive", "rejected"]
"""What becomes of a section. `inactive` keeps its place and its codecs; `rejected` has port 0."""

# RFC 8829 section 5.1.2: TCP where the default candidate is one; the transport is ICE's either way.
MEDIA_PROTOCOLS = ("UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP", "TCP/DTLS/RTP/SAVPF", "TCP/DTLS/RTP/SAVP")
DATA_PROTOCOLS = ("UDP/DTLS/SCTP", "TCP/DTLS/SCTP")
DATA_FORMAT = "webrtc-datachannel"
DIGESTS = ("sha-256", "sha-384", "sha-512")
# A simulcast of more encodings than this is no browser's.
MAX_ENCODINGS = 8


@dataclass(frozen=True, slots=True)
class Remote:
    """The client's side of the transport, as its offer has it."""

    ufrag: str
    pwd: str
    fingerprints: tuple[Fingerprint, ...]


@dataclass(frozen=True, slots=True)
class Encoding:
    """One incoming stream: by RID, or by SSRC, or, with neither, by its MID alone."""

    rid: str | None = None
    ssrc: int | None = None
    rtx_ssrc: int | None = None


@dataclass(frozen=True, slots=True)
class Publication:
    """A section that sends to us. `encodings` are in the order of the offer."""

    mid: str
    kind: Kind
    payloads: tuple[Payload, ...]
    encodings: tuple[Encoding, ...]

    def sends_like(self, other: Publication) -> bool:
        """The plane need not be told of a change. Browsers reorder payload types in later offers."""
        return self.encodings == other.encodings and set(self.payloads) == set(other.payloads)


@dataclass(frozen=True, slots=True)
class Identity:
    """What a slot keeps for as long as its mid lives. Slots of both kinds with one `pair` share one msid."""

    kind: Kind
    pair: int
    ssrc: int
    rtx_ssrc: int


@dataclass(frozen=True, slots=True)
class SlotPlan:
    """A recvonly section."""

    mid: str
    identity: Identity
    payloads: tuple[Payload, ...]

    @property
    def kind(self) -> Kind:
        return self.identity.kind


@dataclass(frozen=True, slots=True)
class Decided:
    """One section of the offer and what becomes of it."""

    section: Section
    role: Role
    extensions: tuple[Extension, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    remote: Remote | None
    """None where the client has taken every section back: its transport has ended."""
    decided: tuple[Decided, ...]
    publications: tuple[Publication, ...]
    slots: tuple[SlotPlan, ...]
    incoming: tuple[tuple[int, ExtensionKind], ...]
    """Header extension ids that the client sends with."""
    outgoing: tuple[tuple[int, ExtensionKind], ...]
    """Header extension ids that its slots understand."""
    sctp_port: int | None
    """The client's; None without a data section."""
    max_message_size: int
    """What the client takes, in bytes; 0 is any."""
    mixed_extensions: bool


@dataclass(frozen=True, slots=True)
class State:
    """What later offers of the same peer have to agree with. Replaced when an answer is given, not before."""

    media: tuple[tuple[str, str], ...] = ()
    """mid and media of each section of the last offer; an empty mid where it was rejected."""
    slots: dict[str, SlotPlan] = field(default_factory=dict)
    """By mid, those that are inactive for now too."""


@dataclass(frozen=True, slots=True)
class Permissions:
    publish: bool
    subscribe: bool


def negotiate(
    offer: Description, state: State, permissions: Permissions, new_ssrc: Callable[[], int]
) -> tuple[Plan, State]:
    """Decide about `offer`. Raises OfferError; then nothing has changed.

    `new_ssrc` has to give numbers that the peer does not use. A section that the peer has no permission for
    is rejected where it publishes and inactive where it is a slot.
    """
    _agree(offer, state)
    bundled = _bundled(offer)
    decided = tuple(_decide(section, bundled, permissions) for section in offer.sections)
    used = [each.section for each in decided if each.role != "rejected"]
    if not used and asks(offer):
        raise OfferError("no section can be used: each is rejected, unknown or outside the BUNDLE group")
    slots = _slots(decided, state, new_ssrc)
    data = next((each.section for each in decided if each.role == "data"), None)
    plan = Plan(
        remote=_remote(offer, used) if used else None,
        decided=decided,
        publications=tuple(_publication(each) for each in decided if each.role == "publish"),
        slots=slots,
        incoming=_extension_ids(each for each in decided if each.role == "publish"),
        outgoing=_sent_to_slots(_extension_ids(each for each in decided if each.role == "slot")),
        sctp_port=data.sctp_port if data else None,
        max_message_size=data.max_message_size if data else 0,
        mixed_extensions=offer.mixed_extensions,
    )
    kept = {slot.mid: slot for slot in slots}
    # A slot that is inactive for now comes back with the SSRCs that it had.
    for each in decided:
        if each.role == "inactive" and each.section.mid in state.slots:
            kept[each.section.mid] = state.slots[each.section.mid]
    media = tuple(
        (each.section.mid if each.role != "rejected" else "", each.section.kind) for each in decided
    )
    return plan, State(media, kept)


def _agree(offer: Description, state: State) -> None:
    """JSEP: sections never go away, and only one that was rejected is given to another mid."""
    if len(offer.sections) < len(state.media):
        raise OfferError(f"has {len(offer.sections)} m= sections, the offer before it had {len(state.media)}")
    for section, (mid, kind) in zip(offer.sections, state.media, strict=False):
        if mid and not section.rejected and (section.mid, section.kind) != (mid, kind):
            raise OfferError(f"this section was mid {mid} ({kind}) and was not rejected since", section.line)
    if offer.ice_lite:
        raise OfferError("the server is ICE-lite, so that the client cannot be")


def _bundled(offer: Description) -> frozenset[str]:
    """The mids that share the transport. Without a group one section can be served."""
    if offer.bundle:
        return frozenset(offer.bundle)
    usable = [section.mid for section in offer.sections if not section.rejected]
    return frozenset(usable[:1])


def _decide(section: Section, bundled: frozenset[str], permissions: Permissions) -> Decided:
    if section.rejected or not section.mid or section.mid not in bundled:
        return Decided(section, "rejected")
    if section.kind == "application":
        usable = section.protocol in DATA_PROTOCOLS and section.formats == [DATA_FORMAT]
        return Decided(section, "data" if usable else "rejected")
    media = section.kind in ("audio", "video") and section.protocol in MEDIA_PROTOCOLS
    if not media or not section.rtcp_mux or not accepted(section):
        return Decided(section, "rejected")
    role = _media_role(section, permissions)
    return Decided(section, role, _extensions(section))


def _media_role(section: Section, permissions: Permissions) -> Role:
    match section.direction:
        case "sendonly" | "sendrecv":
            return "publish" if permissions.publish else "rejected"
        case "recvonly":
            return "slot" if permissions.subscribe else "inactive"
        case _:
            return "inactive"


def _extensions(section: Section) -> tuple[Extension, ...]:
    """All that are known, on slots and inactive sections too: Chromium offers an extension in a later section only
    where one of the connection has it, so a simulcast published after the slots would go without RID."""
    return tuple(each for each in section.extensions if each.uri in EXTENSIONS)


def _sent_to_slots(incoming: Iterable[tuple[int, ExtensionKind]]) -> tuple[tuple[int, ExtensionKind], ...]:
    table = tuple(incoming)
    # Receivers without transport-wide feedback estimate from the sending times.
    wanted = SLOT_EXTENSIONS if SLOT_EXTENSIONS & {kind for _, kind in table} else {"abs_send_time"}
    return tuple((number, kind) for number, kind in table if kind in wanted)


def _extension_ids(decided: Iterable[Decided]) -> tuple[tuple[int, ExtensionKind], ...]:
    """One table for the transport: with BUNDLE an id means the same in every section (RFC 8843 section 8)."""
    table: dict[int, ExtensionKind] = {}
    for each in decided:
        for extension in each.extensions:
            kind = EXTENSIONS[extension.uri]
            if table.setdefault(extension.id, kind) != kind:
                raise OfferError(f"extmap id {extension.id} has two meanings", each.section.line)
    return tuple(table.items())


def _remote(offer: Description, used: list[Section]) -> Remote:
    """Credentials of the section that carries the bundle, which comes first in the group."""
    carrier = next((each for mid in offer.bundle for each in used if each.mid == mid), used[0])
    if not carrier.ufrag or not carrier.pwd:
        raise OfferError("needs a=ice-ufrag and a=ice-pwd", carrier.line)
    supported = _supported(carrier)
    if not supported:
        raise OfferError("needs an a=fingerprint of sha-256, sha-384 or sha-512", carrier.line)
    if carrier.setup not in ("actpass", "active"):
        raise OfferError("a=setup has to be actpass or active: the server is passive", carrier.setup_line)
    return Remote(carrier.ufrag, carrier.pwd, supported)


def asks(offer: Description) -> bool:
    """Whether the client wants anything; after its last track was stopped an offer has rejected sections only."""
    return any(not section.rejected for section in offer.sections)


def fingerprints(offer: Description) -> tuple[Fingerprint, ...]:
    """Whose offer it is: another RTCPeerConnection has another certificate."""
    return next((_supported(section) for section in offer.sections if section.fingerprints), ())


def _supported(section: Section) -> tuple[Fingerprint, ...]:
    return tuple(each for each in section.fingerprints if each.algorithm in DIGESTS)


def _slots(decided: tuple[Decided, ...], state: State, new_ssrc: Callable[[], int]) -> tuple[SlotPlan, ...]:
    reserved = {(each.kind, each.identity.pair) for each in state.slots.values()}
    found = []
    for each in decided:
        if each.role != "slot":
            continue
        kind, mid, offered = cast(Kind, each.section.kind), each.section.mid, _payloads(each)
        known = state.slots.get(mid)
        if known is not None and known.kind == kind and set(known.payloads) == set(offered):
            found.append(known)
            continue
        if known is not None and known.kind == kind:
            # Other codecs are another stream of the plane, whose SRTP index starts anew: under the old SSRC it
            # would repeat initialization vectors.
            pair = known.identity.pair
        else:
            pair = next(k for k in range(len(decided) + len(reserved) + 1) if (kind, k) not in reserved)
            reserved.add((kind, pair))
        found.append(SlotPlan(mid, Identity(kind, pair, new_ssrc(), new_ssrc()), offered))
    return tuple(found)


def _payloads(decided: Decided) -> tuple[Payload, ...]:
    kinds = {EXTENSIONS[extension.uri] for extension in decided.extensions}
    return payloads(decided.section, transport_cc="transport_sequence" in kinds)


def _publication(decided: Decided) -> Publication:
    section = decided.section
    return Publication(section.mid, cast(Kind, section.kind), _payloads(decided), tuple(_encodings(section)))


def _encodings(section: Section) -> list[Encoding]:
    if section.simulcast:
        unknown = [rid for rid in section.simulcast if rid not in section.rids]
        if unknown:
            raise OfferError(f"simulcast names {unknown[0]}, which is no rid of direction send", section.line)
        if len(section.simulcast) > MAX_ENCODINGS:
            raise OfferError(f"more than {MAX_ENCODINGS} simulcast encodings", section.line)
        return [Encoding(rid=rid) for rid in section.simulcast]
    repairs = {group[0]: group[1] for name, group in section.groups if name == "FID" and len(group) == 2}
    layers = next((group for name, group in section.groups if name == "SIM"), [])
    first = section.ssrcs[:1]
    named = layers[:MAX_ENCODINGS] or first
    return [Encoding(ssrc=ssrc, rtx_ssrc=repairs.get(ssrc)) for ssrc in named] or [Encoding()]
