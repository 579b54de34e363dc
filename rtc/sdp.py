"""Session descriptions as values (RFC 8866, RFC 8829): text in, types out.

Read is what an offer for an SFU can say; attributes that are not known are passed over. Nothing but
OfferError, which names the line, is raised for any text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sized
from dataclasses import dataclass, field
from typing import Literal, cast

from rtc.errors import OfferError

Direction = Literal["sendrecv", "sendonly", "recvonly", "inactive"]

# A 50 + 50 slot offer with every codec that Chromium has is 296 KB.
MAX_BYTES = 512 * 1024
MAX_LINE = 8 * 1024
MAX_SECTIONS = 512
# Of one section. Far above what browsers send; without bounds a hostile offer would cost seconds of the loop.
MAX_FORMATS = 128
MAX_EXTENSIONS = 64
MAX_RIDS = 16
MAX_SSRCS = 64
MAX_FEEDBACK = 32
# RFC 5285 ids of the two-byte form end at 255; 15 is reserved by the one-byte form.
RESERVED_EXTENSION_ID = 15
DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")


@dataclass(slots=True)
class Codec:
    """One payload type: `a=rtpmap` with its `a=fmtp` and `a=rtcp-fb`."""

    pt: int
    name: str
    clock_rate: int
    channels: int = 1
    parameters: str = ""
    """The `a=fmtp` value as it was sent."""
    feedback: list[str] = field(default_factory=list)
    line: int = 0

    def parameter(self, name: str) -> str | None:
        """One `name=value` of the fmtp line; names are compared without case."""
        for part in self.parameters.split(";"):
            key, separator, value = part.strip().partition("=")
            if separator and key.strip().lower() == name:
                return value.strip()
        return None


@dataclass(frozen=True, slots=True)
class Extension:
    """`a=extmap` (RFC 8285)."""

    id: int
    uri: str


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """`a=fingerprint` (RFC 8122): hash function and digest as colon-separated hexadecimal."""

    algorithm: str
    value: str


@dataclass(slots=True)
class Section:
    """One m= section. Transport attributes of the session level are copied into it where it has none."""

    kind: str
    port: int
    protocol: str
    formats: list[str]
    line: int
    mid: str = ""
    direction: Direction = "sendrecv"
    ufrag: str = ""
    pwd: str = ""
    fingerprints: list[Fingerprint] = field(default_factory=list)
    setup: str = ""
    setup_line: int = 0
    rtcp_mux: bool = False
    rtcp_rsize: bool = False
    bundle_only: bool = False
    codecs: dict[int, Codec] = field(default_factory=dict)
    extensions: list[Extension] = field(default_factory=list)
    rids: list[str] = field(default_factory=list)
    """RIDs of direction send, in order."""
    simulcast: list[str] = field(default_factory=list)
    """RIDs that `a=simulcast:send` lists, in order, first alternatives only."""
    ssrcs: list[int] = field(default_factory=list)
    groups: list[tuple[str, list[int]]] = field(default_factory=list)
    sctp_port: int = 0
    max_message_size: int = 65_536
    """RFC 8841 section 6.1: 64 KiB where it is not said; 0 means any."""

    @property
    def rejected(self) -> bool:
        """The client took the section back, or never had it (RFC 8843 section 6)."""
        return self.port == 0 and not self.bundle_only


@dataclass(slots=True)
class Description:
    sections: list[Section]
    bundle: list[str]
    """Mids of the first BUNDLE group; empty without one."""
    ice_lite: bool = False
    mixed_extensions: bool = False


def parse(text: str) -> Description:
    """Read an offer. Raises OfferError."""
    if len(text) > MAX_BYTES:
        raise OfferError(f"longer than {MAX_BYTES} characters")
    return _Parser().parse(text)


class _Parser:
    def __init__(self) -> None:
        self.number = 0
        self.session = Section(kind="session", port=0, protocol="", formats=[], line=0)
        self.current = self.session
        self.description = Description(sections=[], bundle=[])
        self.static = {0: ("PCMU", 8000), 8: ("PCMA", 8000), 9: ("G722", 8000)}

    def parse(self, text: str) -> Description:
        for kind, value in self._lines(text):
            if kind == "m":
                self._media(value)
            elif kind == "a":
                self._attribute(value)
        for section in self.description.sections:
            self._inherit(section)
        self.number = 0
        if not self.description.sections:
            raise self._error("has no m= section")
        return self.description

    def _lines(self, text: str) -> Iterator[tuple[str, str]]:
        for number, line in enumerate(text.split("\n"), 1):
            self.number = number
            line = line.removesuffix("\r")
            if not line:
                continue
            if len(line) > MAX_LINE:
                raise self._error(f"longer than {MAX_LINE} characters")
            if "\r" in line or "\0" in line:
                raise self._error("has a control character")
            if len(line) < 2 or line[1] != "=":
                raise self._error("is not of the form <type>=<value>")
            if number == 1 and line != "v=0":
                raise self._error("an SDP text begins with v=0")
            yield line[0], line[2:]

    def _error(self, reason: str) -> OfferError:
        return OfferError(reason, self.number)

    def _media(self, value: str) -> None:
        parts = value.split()
        if len(parts) < 4:
            raise self._error("m= needs media, port, protocol and formats")
        if len(self.description.sections) == MAX_SECTIONS:
            raise self._error(f"more than {MAX_SECTIONS} m= sections")
        if len(parts) - 3 > MAX_FORMATS:
            raise self._error(f"more than {MAX_FORMATS} formats")
        port = self._integer(parts[1].partition("/")[0], "the port", 0, 65_535)
        self.current = Section(
            kind=parts[0], port=port, protocol=parts[2], formats=parts[3:], line=self.number
        )
        if "RTP/" in parts[2]:
            for text in parts[3:]:
                pt = self._integer(text, "a payload type", 0, 127)
                # Firefox sorts its lines: fmtp and rtcp-fb may come before the rtpmap that names the codec.
                name, clock_rate = self.static.get(pt, ("", 0))
                self.current.codecs[pt] = Codec(pt, name, clock_rate, line=self.number)
        self.description.sections.append(self.current)

    def _attribute(self, value: str) -> None:
        name, _, rest = value.partition(":")
        if name in DIRECTIONS:
            self.current.direction = cast(Direction, name)
            return
        handler = getattr(self, "_a_" + name.replace("-", "_"), None)
        if handler is not None:
            handler(rest.strip())

    def _inherit(self, section: Section) -> None:
        session = self.session
        section.codecs = {pt: codec for pt, codec in section.codecs.items() if codec.name}
        section.ufrag = section.ufrag or session.ufrag
        section.pwd = section.pwd or session.pwd
        section.fingerprints = section.fingerprints or session.fingerprints
        if not section.setup:
            section.setup, section.setup_line = session.setup, session.setup_line

    def _integer(self, text: str, what: str, least: int, most: int) -> int:
        # str.isdecimal is true for digits of other scripts too, which int() would take.
        if not (text.isascii() and text.isdecimal() and len(text) <= 20):
            raise self._error(f"{what} is no number")
        number = int(text)
        if not least <= number <= most:
            raise self._error(f"{what} is not within {least} to {most}")
        return number

    def _bounded(self, found: Sized, most: int, what: str) -> None:
        if len(found) >= most:
            raise self._error(f"more than {most} {what}")

    def _format(self, rest: str, attribute: str) -> tuple[Codec | None, str]:
        """The codec that a line is about; None for a payload type that is not in m=."""
        text, _, value = rest.partition(" ")
        pt = self._integer(text, f"the payload type of {attribute}", 0, 127)
        return self.current.codecs.get(pt), value.strip()

    # -- attributes, in alphabetical order

    def _a_bundle_only(self, _: str) -> None:
        self.current.bundle_only = True

    def _a_extmap(self, rest: str) -> None:
        parts = rest.split()
        if len(parts) < 2:
            raise self._error("extmap needs an id and a URI")
        number = self._integer(parts[0].partition("/")[0], "the extmap id", 1, 255)
        if number == RESERVED_EXTENSION_ID:
            raise self._error("extmap id 15 is reserved")
        self._bounded(self.current.extensions, MAX_EXTENSIONS, "header extensions")
        self.current.extensions.append(Extension(number, parts[1]))

    def _a_extmap_allow_mixed(self, _: str) -> None:
        self.description.mixed_extensions = True

    def _a_fingerprint(self, rest: str) -> None:
        algorithm, _, value = rest.partition(" ")
        if not value:
            raise self._error("fingerprint needs a hash function and a digest")
        self.current.fingerprints.append(Fingerprint(algorithm.lower(), value.strip().upper()))

    def _a_fmtp(self, rest: str) -> None:
        codec, value = self._format(rest, "fmtp")
        if codec is not None:
            codec.parameters = value

    def _a_group(self, rest: str) -> None:
        semantics, *mids = rest.split() or [""]
        if semantics == "BUNDLE" and not self.description.bundle:
            self.description.bundle = mids

    def _a_ice_lite(self, _: str) -> None:
        self.description.ice_lite = True

    def _a_ice_pwd(self, rest: str) -> None:
        # RFC 8839 section 5.4.
        if not 22 <= len(rest) <= 256:
            raise self._error("ice-pwd has 22 to 256 characters")
        self.current.pwd = rest

    def _a_ice_ufrag(self, rest: str) -> None:
        if not 4 <= len(rest) <= 256:
            raise self._error("ice-ufrag has 4 to 256 characters")
        self.current.ufrag = rest

    def _a_max_message_size(self, rest: str) -> None:
        self.current.max_message_size = self._integer(rest, "max-message-size", 0, 1 << 62)

    def _a_mid(self, rest: str) -> None:
        # RFC 9143 section 7.4: it travels in a header extension, whose one-byte form has room for 16 bytes.
        if not (1 <= len(rest) <= 16 and rest.isascii() and rest.isprintable() and " " not in rest):
            raise self._error("mid has 1 to 16 characters of a token")
        if any(section.mid == rest for section in self.description.sections):
            raise self._error(f"mid {rest} is there twice")
        self.current.mid = rest

    def _a_rid(self, rest: str) -> None:
        parts = rest.split()
        if len(parts) < 2:
            raise self._error("rid needs an id and a direction")
        if not (
            len(parts[0]) <= 16
            and parts[0].isascii()
            and parts[0].replace("-", "").replace("_", "").isalnum()
        ):
            raise self._error("rid has 1 to 16 letters and digits")
        if parts[1] == "send":
            self._bounded(self.current.rids, MAX_RIDS, "RIDs")
            self.current.rids.append(parts[0])

    def _a_rtcp_fb(self, rest: str) -> None:
        if rest.startswith("* "):
            for codec in self.current.codecs.values():
                self._feedback(codec, rest[2:].strip())
            return
        named, value = self._format(rest, "rtcp-fb")
        if named is not None:
            self._feedback(named, value)

    def _feedback(self, codec: Codec, message: str) -> None:
        self._bounded(codec.feedback, MAX_FEEDBACK, "rtcp-fb lines of one payload type")
        codec.feedback.append(message)

    def _a_rtcp_mux(self, _: str) -> None:
        self.current.rtcp_mux = True

    def _a_rtcp_rsize(self, _: str) -> None:
        self.current.rtcp_rsize = True

    def _a_rtpmap(self, rest: str) -> None:
        text, _, value = rest.partition(" ")
        pt = self._integer(text, "the payload type of rtpmap", 0, 127)
        name, _, rates = value.strip().partition("/")
        rate, _, channels = rates.partition("/")
        if not name:
            raise self._error("rtpmap needs a name and a clock rate")
        clock_rate = self._integer(rate, "the clock rate", 1, 10_000_000)
        count = self._integer(channels, "the number of channels", 1, 255) if channels else 1
        codec = self.current.codecs.get(pt)
        if codec is not None:
            codec.name, codec.clock_rate, codec.channels, codec.line = name, clock_rate, count, self.number

    def _a_sctp_port(self, rest: str) -> None:
        self.current.sctp_port = self._integer(rest, "sctp-port", 0, 65_535)

    def _a_setup(self, rest: str) -> None:
        self.current.setup, self.current.setup_line = rest, self.number

    def _a_simulcast(self, rest: str) -> None:
        parts = rest.split()
        for direction, streams in zip(parts[::2], parts[1::2], strict=False):
            if direction == "send":
                first = [stream.split(",")[0].lstrip("~") for stream in streams.split(";")]
                self.current.simulcast = [rid for rid in first if rid]

    def _a_ssrc(self, rest: str) -> None:
        ssrc = self._integer(rest.partition(" ")[0], "the ssrc", 0, 0xFFFF_FFFF)
        if ssrc not in self.current.ssrcs:
            self._bounded(self.current.ssrcs, MAX_SSRCS, "SSRCs")
            self.current.ssrcs.append(ssrc)

    def _a_ssrc_group(self, rest: str) -> None:
        semantics, *ssrcs = rest.split() or [""]
        self._bounded(self.current.groups, MAX_SSRCS, "SSRC groups")
        numbers = [self._integer(ssrc, "an ssrc of ssrc-group", 0, 0xFFFF_FFFF) for ssrc in ssrcs]
        self.current.groups.append((semantics, numbers))
