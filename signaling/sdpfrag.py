"""SDP fragments of `application/trickle-ice-sdpfrag` (RFC 8840, as RFC 9725 section 4.3 uses them). Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from signaling.errors import bad_request

MEDIA_TYPE = "application/trickle-ice-sdpfrag"
MAX_LINES = 1000
# RFC 8839 section 5.4: 4 to 256 and 22 to 256 ice-chars.
UFRAG = re.compile(r"[A-Za-z0-9+/]{4,256}")
PWD = re.compile(r"[A-Za-z0-9+/]{22,256}")
LINE = re.compile(r"([a-z])=(.*)")


@dataclass(frozen=True, slots=True)
class Credentials:
    ufrag: str
    pwd: str


@dataclass(frozen=True, slots=True)
class Fragment:
    """`media` and `mid` are the first m= line (its value) and its mid, as they are repeated in an answer."""

    credentials: Credentials | None
    candidates: list[str]
    media: str
    mid: str


def parse(text: str) -> Fragment:
    """Raises HubbubError bad_request that names the line."""
    lines = text.splitlines()
    if len(lines) > MAX_LINES:
        raise bad_request(f"sdp fragment may have {MAX_LINES} lines, it has {len(lines)}")
    found: dict[str, str] = {}
    candidates = []
    for number, line in enumerate(lines, 1):
        match = LINE.fullmatch(line)
        if match is None:
            raise bad_request(f"sdp fragment line {number} is not of the form type=value")
        key, value = _named(*match.groups())
        if key == "candidate":
            candidates.append(value)
        else:
            found.setdefault(key, value)
    credentials = _credentials(found)
    if credentials is None and not candidates and "end-of-candidates" not in found:
        raise bad_request("sdp fragment has neither ICE credentials nor candidates")
    return Fragment(
        credentials, candidates, found.get("m", "audio 9 UDP/TLS/RTP/SAVPF 0"), found.get("mid", "0")
    )


def credentials_of(offer: str) -> Credentials | None:
    """The first ICE credentials of a whole offer."""
    found: dict[str, str] = {}
    for line in offer.splitlines():
        key, _, value = line.removeprefix("a=").partition(":")
        found.setdefault(key, value)
    ufrag, pwd = found.get("ice-ufrag"), found.get("ice-pwd")
    return None if ufrag is None or pwd is None else Credentials(ufrag, pwd)


def streams_of(offer: str) -> set[str]:
    """The ids of the MediaStreams that an offer's tracks belong to (RFC 8830); `-` is none."""
    found = re.findall(r"^a=msid:(\S+)", offer, re.MULTILINE)
    return set(found) - {"-"}


def render(request: Fragment, ufrag: str, pwd: str, candidates: list[str]) -> str:
    """The server's side of an ICE restart, for the section that the client named."""
    lines = [
        "a=ice-lite",
        f"m={request.media}",
        f"a=mid:{request.mid}",
        f"a=ice-ufrag:{ufrag}",
        f"a=ice-pwd:{pwd}",
    ]
    lines += [f"a=candidate:{candidate}" for candidate in candidates]
    return "".join(f"{line}\r\n" for line in [*lines, "a=end-of-candidates"])


def _named(kind: str, value: str) -> tuple[str, str]:
    if kind != "a":
        return kind, value
    key, _, rest = value.partition(":")
    return key, rest


def _credentials(found: dict[str, str]) -> Credentials | None:
    ufrag, pwd = found.get("ice-ufrag"), found.get("ice-pwd")
    if ufrag is None and pwd is None:
        return None
    if ufrag is None or not UFRAG.fullmatch(ufrag):
        raise bad_request("sdp fragment ice-ufrag is missing or malformed")
    if pwd is None or not PWD.fullmatch(pwd):
        raise bad_request("sdp fragment ice-pwd is missing or malformed")
    return Credentials(ufrag, pwd)
