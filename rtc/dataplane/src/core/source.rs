//! One incoming encoding: what came of it, what is missing, who listens.

mod intake;

#[cfg(test)]
mod tests;

pub use intake::{Arrived, News};

use super::cache::{Cache, Limits};
use super::keyframes::KeyframeRequests;
use super::layers::Layer;
use super::meter::Meter;
use super::nacks::Nacks;
use super::pulse::Pulse;
use super::reception::Reception;
use super::time::Micros;
use super::timing::Timing;
use super::{Kind, SinkId, SourceConfig, SourceId, TransportId};
use crate::codec::dependency_descriptor::Structure;
use crate::srtp::ReplayWindow;

/// Bytes and packets of one batch that may wait to be forwarded, so that the cache is not overwritten before: a batch
/// that brings more is forwarded in between.
const MAX_FRESH_BYTES: usize = 192 << 10;
const MAX_FRESH: usize = 256;

/// A newer keyframe than this, and not further back, is begun with at once instead of asking for another.
const JOINABLE_PACKETS: u64 = 64;
const JOINABLE_AGE: Micros = 500_000;

/// A source that was asked so often and has not shown a single keyframe cannot be read (end-to-end encrypted as a whole,
/// without a dependency descriptor): a sink begins with any picture then, and its receiver waits for the keyframe itself.
const OPAQUE_AFTER: u32 = 3;

#[derive(Debug)]
pub struct Source {
    pub id: SourceId,
    pub transport: TransportId,
    pub config: SourceConfig,
    pub ssrc: Option<u32>,
    pub rtx_ssrc: Option<u32>,
    pub paused: bool,
    pub cache: Cache,
    pub nacks: Nacks,
    pub timing: Timing,
    pub reception: Reception,
    pub keyframes: KeyframeRequests,
    /// Numbers of the packets that came in this batch, in the order of arrival.
    pub fresh: Vec<u64>,
    fresh_bytes: usize,
    /// Sinks that send it or wait for its keyframe.
    pub listeners: Vec<SinkId>,
    /// Sinks that have it among their encodings.
    pub routed: Vec<SinkId>,
    /// Counts the beginnings: sinks have to begin again with it.
    pub epoch: u32,
    pub pulse: Option<Pulse>,
    /// Frames no longer come while a sibling's do, or the publisher said so.
    pub dead: bool,
    pub active: bool,
    pub size: Option<(u16, u16)>,
    pub codec_key: Option<u32>,
    /// Where the publisher's layers allocation lists it.
    pub allocation_index: Option<u8>,
    keyframe: Option<Keyframe>,
    restarted: bool,
    /// What is added to a packet's own index, so that numbers count on when the SSRC changes.
    base: u64,
    /// The first number of this epoch.
    began: u64,
    highest: Option<u64>,
    seen: ReplayWindow,
    structure: Option<Box<Structure>>,
    pub meter: Meter,
    pub stats: Totals,
}

/// The first packet of the newest picture that needs no other.
#[derive(Clone, Copy, Debug)]
struct Keyframe {
    sequence: u64,
    timestamp: u32,
    arrival: Micros,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Totals {
    pub packets: u64,
    pub bytes: u64,
    pub repaired: u64,
    pub nacks_sent: u64,
    pub plis_sent: u64,
    pub keyframes: u64,
}

impl Source {
    pub fn new(id: SourceId, transport: TransportId, config: SourceConfig) -> Self {
        let clock_rate = config
            .payloads
            .first()
            .map_or(0, |payload| payload.clock_rate);
        Self {
            id,
            transport,
            ssrc: None,
            rtx_ssrc: None,
            paused: false,
            cache: Cache::new(Limits::of(config.kind)),
            nacks: Nacks::default(),
            timing: Timing::new(clock_rate),
            reception: Reception::default(),
            keyframes: KeyframeRequests::default(),
            fresh: Vec::new(),
            fresh_bytes: 0,
            listeners: Vec::new(),
            routed: Vec::new(),
            epoch: 0,
            pulse: None,
            dead: false,
            active: false,
            size: None,
            codec_key: None,
            allocation_index: None,
            keyframe: None,
            restarted: false,
            // One round above zero: a packet from before the first one has a number, too.
            base: 1 << 16,
            began: 0,
            highest: None,
            seen: ReplayWindow::default(),
            structure: None,
            meter: Meter::default(),
            stats: Totals::default(),
            config,
        }
    }

    /// From now on it comes under this SSRC.
    pub fn bind(&mut self, ssrc: u32) {
        if self.ssrc.replace(ssrc).is_some() {
            let highest = self.highest.unwrap_or(self.base);
            self.base = (highest | 0xFFFF) + 1 + (1 << 16);
            self.begin(self.base);
        }
    }

    fn begin(&mut self, first: u64) {
        self.epoch += 1;
        self.began = first;
        self.nacks.restart();
        self.reception.restart();
        self.keyframe = None;
        self.structure = None;
        self.restarted = true;
        if self.config.kind == Kind::Video && !self.listeners.is_empty() {
            self.keyframes.want();
        }
    }

    pub fn resize(&mut self, size: (u16, u16), news: &mut News) {
        if self.size.replace(size) != Some(size) {
            news.resized = true;
            news.layers = true;
        }
    }

    /// So much waits to be forwarded that it should not wait for the end of the batch.
    pub fn is_full(&self) -> bool {
        self.fresh.len() >= MAX_FRESH || self.fresh_bytes >= MAX_FRESH_BYTES
    }

    /// Everything fresh was forwarded.
    pub fn forwarded(&mut self) {
        self.fresh.clear();
        self.fresh_bytes = 0;
    }

    pub fn highest(&self) -> Option<u64> {
        self.highest
    }

    /// The epoch that a packet of this number belongs to is the current one.
    pub fn is_current(&self, sequence: u64) -> bool {
        sequence >= self.began
    }

    /// Where a sink may begin with this source now. `since`: only with what came after this.
    pub fn joint(&self, now: Micros, since: Option<Micros>) -> Option<u64> {
        let highest = self.highest?;
        if self.config.kind == Kind::Audio {
            return self
                .fresh
                .iter()
                .copied()
                .filter(|one| self.is_current(*one))
                .min();
        }
        let Some(keyframe) = &self.keyframe else {
            return self.opaque_joint();
        };
        let recent = highest.saturating_sub(keyframe.sequence) <= JOINABLE_PACKETS
            && now - keyframe.arrival <= JOINABLE_AGE
            && since.is_none_or(|since| keyframe.arrival >= since);
        // A large one may have come as a whole since the last batch.
        let joinable = recent || self.fresh.contains(&keyframe.sequence);
        joinable.then_some(keyframe.sequence)
    }

    pub fn is_opaque(&self) -> bool {
        self.keyframe.is_none() && self.keyframes.unanswered() >= OPAQUE_AFTER
    }

    /// The first fresh packet behind one that ends a picture.
    fn opaque_joint(&self) -> Option<u64> {
        let is_opaque = self.is_opaque();
        let follows_end = |sequence: &u64| {
            let before = self.cache.get(sequence - 1);
            before.is_some_and(|before| before.packet.marker)
        };
        self.fresh
            .iter()
            .copied()
            .filter(|_| is_opaque)
            .find(follows_end)
    }

    pub fn is_alive(&self) -> bool {
        self.active && !self.dead && !self.paused
    }

    /// What the choice among encodings needs to know, for a receiver of these codecs.
    pub fn layer(&self, usable: bool) -> Layer {
        Layer {
            usable: usable && self.is_alive(),
            height: self.size.map(|size| size.1),
            frames_per_second: self.pulse.as_ref().map(Pulse::frames_per_second),
        }
    }
}
