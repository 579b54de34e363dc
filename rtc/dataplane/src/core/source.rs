//! One incoming encoding: what came of it, what is missing, who listens.

use std::time::{Duration, Instant};

use super::cache::{Cache, Limits};
use super::keyframes::KeyframeRequests;
use super::layers::Layer;
use super::meter::Meter;
use super::nacks::Nacks;
use super::packet::{Packet, Picture};
use super::pulse::Pulse;
use super::reception::Reception;
use super::time::Micros;
use super::timing::Timing;
use super::told::Told;
use super::{Counters, Kind, SinkId, SourceConfig, SourceId, TransportId};
use crate::codec::dependency_descriptor::{self, Structure};
use crate::codec::{self, FrameInfo};
use crate::srtp::ReplayWindow;
use crate::wire::sequence::extend16;

/// A publisher that leaves out more numbers than this has begun anew: browsers give up on such a hole, too.
const JUMP: u64 = 1000;

/// Packets of one batch that are remembered for forwarding. A batch is what one wake-up brought; more than this from one
/// source is no live media, and its newest packets are dropped.
const MAX_FRESH: usize = 512;

/// A newer keyframe than this, and not further back, is begun with at once instead of asking for another.
const JOINABLE_PACKETS: u64 = 64;
const JOINABLE_AGE: Micros = 500_000;

/// A packet that arrived, decrypted and without padding.
#[derive(Clone, Copy, Debug)]
pub struct Arrived<'a> {
    pub now: Instant,
    pub arrival: Micros,
    pub payload_type: u8,
    pub marker: bool,
    pub timestamp: u32,
    pub told: Told<'a>,
    /// Extensions to pass on.
    pub kept: &'a [u8],
    pub payload: &'a [u8],
    /// What is to be added to the participant's NTP time, as far as it is known.
    pub offset: Option<Micros>,
}

/// What a packet changed, for those who look at more than one source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// It is to be forwarded.
    pub fresh: bool,
    /// The first one, or the first after silence, or of another codec.
    pub active: bool,
    /// It was dead or idle and is not any more, or its picture size changed: routes may change.
    pub layers: bool,
    pub resized: bool,
    /// Its numbers begin anew: those who show it need a keyframe.
    pub restarted: bool,
    /// How long the publisher took to answer a NACK.
    pub answered_after: Option<Duration>,
}

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

    /// A packet of its own stream, with its SRTP index.
    pub fn receive(
        &mut self,
        index: u64,
        arrived: &Arrived<'_>,
        counters: &mut Counters,
    ) -> Option<News> {
        let payload = self.config.payloads.iter();
        let Some(payload) = payload
            .map(|one| one.pt)
            .position(|pt| pt == arrived.payload_type)
        else {
            counters.drop_rtp_unknown_payload += 1;
            return None;
        };
        let sequence = self.base + index;
        if self
            .highest
            .is_some_and(|highest| sequence > highest + JUMP)
        {
            self.begin(sequence);
        }
        let clock_rate = self.config.payloads[payload].clock_rate;
        self.timing.set_clock_rate(clock_rate);
        self.reception
            .receive(sequence, arrived.timestamp, arrived.arrival, clock_rate);
        self.take(sequence, payload, arrived, counters)
    }

    /// A packet that was sent again: its number is the original's.
    pub fn repair(
        &mut self,
        number: u16,
        arrived: &Arrived<'_>,
        counters: &mut Counters,
    ) -> Option<News> {
        let repair = Some(arrived.payload_type);
        let payload = self
            .config
            .payloads
            .iter()
            .position(|payload| payload.rtx_pt == repair);
        let (Some(payload), Some(highest)) = (payload, self.highest) else {
            counters.drop_rtp_unknown_payload += 1;
            return None;
        };
        let sequence = extend16(highest, number);
        if sequence < self.began || sequence > highest {
            counters.drop_late += 1;
            return None;
        }
        let news = self.take(sequence, payload, arrived, counters);
        self.stats.repaired += u64::from(news.is_some());
        news
    }

    fn take(
        &mut self,
        sequence: u64,
        payload: usize,
        arrived: &Arrived<'_>,
        counters: &mut Counters,
    ) -> Option<News> {
        if !self.seen.check(sequence) {
            counters.drop_duplicate += 1;
            return None;
        }
        self.seen.accept(sequence);
        let mut news = News {
            restarted: std::mem::take(&mut self.restarted),
            ..News::default()
        };
        if self.config.payloads[payload].nack {
            let asked = self.nacks.receive(arrived.now, sequence);
            news.answered_after = asked.map(|asked| arrived.now.saturating_duration_since(asked));
        }
        if self.highest.is_none_or(|highest| sequence > highest) {
            self.highest = Some(sequence);
            self.beat(payload, arrived, &mut news);
        }
        self.stats.packets += 1;
        self.stats.bytes += arrived.payload.len() as u64;
        self.meter.add(arrived.arrival, arrived.payload.len());
        let info = self.look_at(payload, arrived);
        self.note_keyframe(sequence, &info, arrived, &mut news);
        let packet = Packet {
            sequence,
            timestamp: arrived.timestamp,
            arrival: arrived.arrival,
            captured: self
                .timing
                .receive(arrived.timestamp, arrived.arrival, arrived.offset),
            marker: arrived.marker,
            payload: payload as u8,
            keyframe: info.keyframe,
            start: info.start,
            temporal: info.temporal,
            picture: picture(&self.config.payloads[payload], &info),
        };
        news.fresh = self.keep(packet, arrived, counters);
        Some(news)
    }

    fn keep(&mut self, packet: Packet, arrived: &Arrived<'_>, counters: &mut Counters) -> bool {
        let kept = self.fresh.len() < MAX_FRESH
            && self.cache.insert(packet, arrived.kept, arrived.payload);
        if kept {
            self.fresh.push(packet.sequence);
        } else {
            counters.drop_late += 1;
        }
        kept
    }

    fn beat(&mut self, payload: usize, arrived: &Arrived<'_>, news: &mut News) {
        let payload = &self.config.payloads[payload];
        let fresh = Pulse::new(arrived.now, arrived.timestamp);
        let pulse = self.pulse.get_or_insert(fresh);
        pulse.beat(arrived.now, arrived.timestamp, payload.clock_rate);
        news.layers = std::mem::take(&mut self.dead);
        if !self.active || self.codec_key != Some(payload.codec_key) {
            self.active = true;
            self.codec_key = Some(payload.codec_key);
            news.active = true;
            news.layers = true;
        }
    }

    fn look_at(&mut self, payload: usize, arrived: &Arrived<'_>) -> FrameInfo {
        if self.config.kind == Kind::Audio {
            return FrameInfo::default();
        }
        let structure = self.structure.as_deref();
        let mut descriptor = arrived
            .told
            .descriptor
            .and_then(|bytes| dependency_descriptor::parse(bytes, structure).ok());
        let codec = self.config.payloads[payload].codec;
        let info = codec::inspect(codec, arrived.payload, arrived.marker, descriptor.as_ref());
        if let Some(structure) = descriptor.as_mut().and_then(|found| found.structure.take()) {
            self.structure = Some(structure);
        }
        info
    }

    /// Several packets of one picture may each look like its beginning (H.264's SPS, then the IDR slice): the first counts.
    fn note_keyframe(
        &mut self,
        sequence: u64,
        info: &FrameInfo,
        arrived: &Arrived<'_>,
        news: &mut News,
    ) {
        if !info.keyframe || !info.start || arrived.payload.is_empty() {
            return;
        }
        if let Some(size) = info.size {
            self.resize((size.width, size.height), news);
        }
        match &mut self.keyframe {
            Some(same) if same.timestamp == arrived.timestamp => {
                same.sequence = same.sequence.min(sequence);
                return;
            }
            Some(newer) if newer.sequence > sequence => return,
            _ => {}
        }
        self.keyframe = Some(Keyframe {
            sequence,
            timestamp: arrived.timestamp,
            arrival: arrived.arrival,
        });
        self.stats.keyframes += 1;
        self.keyframes.arrived();
    }

    pub fn resize(&mut self, size: (u16, u16), news: &mut News) {
        if self.size.replace(size) != Some(size) {
            news.resized = true;
            news.layers = true;
        }
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
        let keyframe = self.keyframe.as_ref()?;
        let recent = highest.saturating_sub(keyframe.sequence) <= JOINABLE_PACKETS
            && now - keyframe.arrival <= JOINABLE_AGE
            && since.is_none_or(|since| keyframe.arrival >= since);
        recent.then_some(keyframe.sequence)
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

/// Only VP8's numbers are rewritten; other codecs keep theirs.
fn picture(payload: &super::Payload, info: &FrameInfo) -> Option<Picture> {
    (payload.codec == codec::Codec::Vp8).then_some(Picture {
        id: info.picture_id,
        tl0: info.tl0_picture_index,
    })
}
