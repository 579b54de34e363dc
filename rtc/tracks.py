"""What is published in a conference: tracks and what their publisher says of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Kind = Literal["audio", "video"]

# Which audio source belongs to which video source of the same participant, so that both go into one pair
# of slots and a browser keeps lips and sound together.
PARTNER = {"camera": "microphone", "screen": "screen_audio"}


@dataclass(frozen=True, slots=True)
class TrackInfo:
    """What the offer's `tracks` object says of one published section."""

    source: str
    name: str | None = None
    muted: bool = False


@dataclass(frozen=True, slots=True)
class Track:
    """One published audio or video track. `muted` is true when the owner or the server muted it."""

    id: str
    peer_id: str
    mid: str
    kind: Kind
    source: str
    name: str | None
    muted: bool
    simulcast: bool
    muted_by_server: bool = False

    def with_mute(self, *, owner: bool, server: bool) -> Track:
        return replace(self, muted=owner or server, muted_by_server=server)


def default_source(kind: Kind) -> str:
    """The source of a section that the offer's `tracks` object does not mention (WHIP has none)."""
    return "microphone" if kind == "audio" else "camera"
