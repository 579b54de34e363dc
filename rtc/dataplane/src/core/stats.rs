//! Statistics at one moment, as plain values.

use super::{Kind, Path, Profile, RoomId, SinkId, SourceId, TransportId};

/// Whose statistics are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    Room(RoomId),
    Transport(TransportId),
}

#[derive(Clone, Debug, Default)]
pub struct StatsReport {
    pub transports: Vec<TransportStats>,
    pub sources: Vec<SourceStats>,
    pub sinks: Vec<SinkStats>,
}

#[derive(Clone, Debug)]
pub struct TransportStats {
    pub transport: TransportId,
    pub path: Option<Path>,
    pub profile: Option<Profile>,
    pub packets_received: u64,
    pub bytes_received: u64,
    pub packets_sent: u64,
    pub bytes_sent: u64,
    /// Milliseconds, from the peer's receiver reports.
    pub rtt_ms: Option<f64>,
    /// What the peer told last (REMB), bits per second.
    pub remb_bps: Option<u64>,
}

#[derive(Clone, Debug)]
pub struct SourceStats {
    pub source: SourceId,
    pub transport: TransportId,
    pub kind: Kind,
    pub ssrc: Option<u32>,
    pub codec_key: Option<u32>,
    pub active: bool,
    pub paused: bool,
    pub packets: u64,
    pub bytes: u64,
    /// Packets that neither came nor were repaired so far.
    pub lost: u64,
    pub repaired: u64,
    pub nacks_sent: u64,
    pub plis_sent: u64,
    pub keyframes: u64,
    pub jitter_ms: f64,
    pub bitrate_bps: u64,
    pub fps: f64,
    pub width: Option<u16>,
    pub height: Option<u16>,
    /// Memory of the packets that are kept.
    pub cache_bytes: u64,
    /// Decibels below overload, smoothed.
    pub level_dbov: Option<u8>,
}

#[derive(Clone, Debug)]
pub struct SinkStats {
    pub sink: SinkId,
    pub transport: TransportId,
    pub kind: Kind,
    pub source: Option<SourceId>,
    /// The source that is waited for.
    pub pending: Option<SourceId>,
    pub packets: u64,
    pub bytes: u64,
    pub retransmitted: u64,
    pub nacks_received: u64,
    pub plis_received: u64,
    pub switches: u64,
    pub bitrate_bps: u64,
    /// What the receiver told last: packets lost in total, 0 to 1 of the last interval, and jitter.
    pub lost: i64,
    pub fraction_lost: f64,
    pub jitter_ms: f64,
    pub rtt_ms: Option<f64>,
}
