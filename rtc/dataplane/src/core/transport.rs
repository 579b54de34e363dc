//! One peer: its ICE, its keys, its streams, and what was counted of it.

use std::time::{Duration, Instant};

use super::arrivals::Arrivals;
use super::extension_ids::{IncomingIds, OutgoingIds};
use super::ice::Ice;
use super::secure::Secure;
use super::streams::Streams;
use super::time::Micros;
use super::{RoomId, SinkId, SourceId};

/// Before anything was measured: a publisher in the same country.
const USUAL_RTT: Duration = Duration::from_millis(60);

/// Repetitions that one peer can get within this time; the rest it asks for again.
const MOST_RESENT: u32 = 128;
const RESENT_WITHIN: Micros = 10_000;

#[derive(Debug)]
pub struct Transport {
    pub room: RoomId,
    pub ice: Ice,
    pub secure: Option<Secure>,
    pub incoming: IncomingIds,
    pub outgoing: OutgoingIds,
    pub streams: Streams,
    pub sources: Vec<SourceId>,
    /// With their SSRCs, by which feedback names them.
    pub sinks: Vec<(u32, SinkId)>,
    /// Those with something to send in this batch.
    pub marked: Vec<SinkId>,
    /// It is to be looked after when the batch is done.
    pub noticed: bool,
    /// Ours, where we speak as a receiver.
    pub ssrc: u32,
    pub arrivals: Arrivals,
    /// The stream that transport-wide feedback names; any of the peer's will do.
    pub arrivals_ssrc: u32,
    pub feedback_at: Option<Instant>,
    pub report_at: Option<Instant>,
    pub transport_sequence: u16,
    /// Repetitions since then.
    resent: (Micros, u32),
    pub full_intra_number: u8,
    pub rtt: Option<Duration>,
    pub remb: Option<u64>,
    pub stats: Totals,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Totals {
    pub packets_received: u64,
    pub bytes_received: u64,
    pub packets_sent: u64,
    pub bytes_sent: u64,
}

impl Transport {
    pub fn new(room: RoomId, ice: Ice, ssrc: u32) -> Self {
        Self {
            room,
            ice,
            secure: None,
            incoming: IncomingIds::new(&[]),
            outgoing: OutgoingIds::default(),
            streams: Streams::default(),
            sources: Vec::new(),
            sinks: Vec::new(),
            marked: Vec::new(),
            noticed: false,
            ssrc,
            arrivals: Arrivals::default(),
            arrivals_ssrc: 0,
            feedback_at: None,
            report_at: None,
            transport_sequence: 0,
            resent: (0, 0),
            full_intra_number: 0,
            rtt: None,
            remb: None,
            stats: Totals::default(),
        }
    }

    pub fn rtt(&self) -> Duration {
        self.rtt.unwrap_or(USUAL_RTT)
    }

    /// A round trip was measured.
    pub fn note_rtt(&mut self, measured: Duration) {
        let measured = measured.min(Duration::from_secs(10));
        self.rtt = Some(self.rtt.map_or(measured, |rtt| (rtt * 7 + measured) / 8));
    }

    pub fn note_sent(&mut self, (packets, bytes): (u64, u64)) {
        self.stats.packets_sent += packets;
        self.stats.bytes_sent += bytes;
    }

    /// How many packets may be sent again now.
    pub fn may_resend(&mut self, now: Micros) -> u32 {
        if now - self.resent.0 >= RESENT_WITHIN {
            self.resent = (now, 0);
        }
        MOST_RESENT - self.resent.1.min(MOST_RESENT)
    }

    pub fn note_resent(&mut self, count: u32) {
        self.resent.1 += count;
    }

    pub fn sink(&self, ssrc: u32) -> Option<SinkId> {
        let found = self.sinks.iter().find(|(own, _)| *own == ssrc);
        found.map(|(_, sink)| *sink)
    }

    /// Media can be sent.
    pub fn is_ready(&self) -> bool {
        self.secure.is_some() && self.ice.selected().is_some()
    }
}
