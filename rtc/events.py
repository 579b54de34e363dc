"""What a conference tells its owner. Delivered on the loop's thread, synchronously and in order."""

from __future__ import annotations

from dataclasses import dataclass

from rtc.channels import DataChannel
from rtc.tracks import Track


@dataclass(frozen=True, slots=True)
class TrackPublished:
    peer_id: str
    track: Track


@dataclass(frozen=True, slots=True)
class TrackUpdated:
    """Name, source or mute changed."""

    peer_id: str
    track: Track


@dataclass(frozen=True, slots=True)
class TrackUnpublished:
    peer_id: str
    track: Track


@dataclass(frozen=True, slots=True)
class SlotChanged:
    """What `peer_id` now receives in its slot `mid`: sent when the first packet of the new source went out.

    `participant` and `track` are None for an empty slot. `layer` is the index of the simulcast encoding in
    the order of the offer's RIDs, lowest first; None for audio and where nothing is known. `paused` is true
    while the slot is assigned but nothing is sent (muted, or no layer fits).
    """

    peer_id: str
    mid: str
    participant: str | None
    track: str | None
    layer: int | None
    paused: bool


@dataclass(frozen=True, slots=True)
class Level:
    """Loudness of one peer: `level` 0.0 (silence) to 1.0 (full scale), linear in dB over 127 dB."""

    peer_id: str
    level: float
    speaking: bool


@dataclass(frozen=True, slots=True)
class Speakers:
    """Levels that changed, at most ten times a second."""

    levels: list[Level]


@dataclass(frozen=True, slots=True)
class Quality:
    """Connection quality of a peer, 1 (unusable) to 5 (excellent); sent when it changes."""

    peer_id: str
    score: int


@dataclass(frozen=True, slots=True)
class PeerConnected:
    """ICE and DTLS are up. Sent once per association, not again after an ICE restart."""

    peer_id: str


@dataclass(frozen=True, slots=True)
class PeerLost:
    """The media transport ended: `consent`, `dtls`, `dtls_timeout`, `closed_by_peer` or `worker_failed`.

    The peer stays in the conference, unsubscribed and unpublished: a new offer with new ICE credentials
    makes a new transport.
    """

    peer_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class ChannelOpened:
    """The peer opened a data channel. Set its callbacks before returning from the event handler."""

    peer_id: str
    channel: DataChannel


MediaEvent = (
    TrackPublished
    | TrackUpdated
    | TrackUnpublished
    | SlotChanged
    | Speakers
    | Quality
    | PeerConnected
    | PeerLost
    | ChannelOpened
)
