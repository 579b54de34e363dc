//! What a plane tells its owner.

use super::{Path, RoomId, SinkId, SourceId, StatsReport, TransportId};

/// How loud somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpeakerLevel {
    pub source: SourceId,
    /// Decibels below overload (RFC 6464): 0 is the loudest, 127 is silence.
    pub level_dbov: u8,
    pub speaking: bool,
}

#[derive(Clone, Debug)]
pub enum Event {
    /// A datagram from a path that STUN has validated. At most 64 wait per transport, more are dropped and counted.
    Dtls {
        transport: TransportId,
        data: Vec<u8>,
    },
    /// The nominated path: the first one and every change of it.
    PathSelected { transport: TransportId, path: Path },
    /// No valid check for 30 s (RFC 7675). Nothing is sent until one comes, which selects a path anew.
    ConsentLost { transport: TransportId },
    /// The first packet of a source, or the first after it was idle, or of another codec.
    SourceActive {
        source: SourceId,
        ssrc: u32,
        codec_key: u32,
    },
    /// Nothing came for two seconds.
    SourceIdle { source: SourceId },
    /// The picture size became known or changed.
    SourceLayer {
        source: SourceId,
        width: u16,
        height: u16,
    },
    /// The first packet of `source` went out on the sink; `None`: nothing is forwarded any more.
    SinkSwitched {
        sink: SinkId,
        source: Option<SourceId>,
    },
    /// Loudest first. At most ten a second and room, on change.
    Speakers {
        room: RoomId,
        levels: Vec<SpeakerLevel>,
    },
    Stats {
        token: u64,
        report: Box<StatsReport>,
    },
}
