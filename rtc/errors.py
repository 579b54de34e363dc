"""Everything that `rtc` raises on purpose.

RtcError
├── OfferError        the client's offer cannot be answered; says which line
├── TransportError    the peer's DTLS or SCTP failed or is gone
├── NoSuchPeer        the peer id is not in this conference
├── NoSuchSlot        the mid is not a receive slot of this peer
├── NoSuchTrack       nobody in this conference publishes that track
├── NotPermitted      the peer may not do that (publish, subscribe)
└── ChannelFull       a data channel's send buffer is at its bound
"""

from __future__ import annotations


class RtcError(Exception):
    """Root of the package."""


class OfferError(RtcError):
    """The offer is malformed or asks for what cannot be given: the client's fault.

    `line` counts from 1 in the SDP text; 0 means that the offer as a whole is meant.
    """

    def __init__(self, reason: str, line: int = 0) -> None:
        super().__init__(reason, line)
        self.reason = reason
        self.line = line

    def __str__(self) -> str:
        return f"sdp line {self.line}: {self.reason}" if self.line else f"sdp: {self.reason}"


class TransportError(RtcError):
    """The DTLS or SCTP association failed, timed out or was closed by the peer."""


class NoSuchPeer(RtcError):
    """The peer id is not (or no longer) in this conference."""


class NoSuchSlot(RtcError):
    """The mid is not a receive slot of this peer."""


class NoSuchTrack(RtcError):
    """Nobody in this conference publishes that track, or it does not fit the slot's kind."""


class NotPermitted(RtcError):
    """The peer lacks the permission to publish or to subscribe."""


class ChannelFull(RtcError):
    """The peer reads a data channel too slowly; nothing of the message was queued."""
