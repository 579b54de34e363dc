//! A packet on its way into its source: told from those that were here before, looked at, kept.

use std::time::{Duration, Instant};

use super::{Keyframe, Source};
use crate::codec::dependency_descriptor;
use crate::codec::{self, FrameInfo};
use crate::core::packet::{Packet, Picture};
use crate::core::pulse::Pulse;
use crate::core::time::Micros;
use crate::core::told::Told;
use crate::core::{Counters, Kind, Payload};
use crate::wire::sequence::extend16;

/// A publisher that leaves out more numbers than this has begun anew: browsers give up on such a hole, too.
const JUMP: u64 = 1000;

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

impl Source {
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
        let of_epoch = self.highest.filter(|highest| self.is_current(*highest));
        if of_epoch.is_some_and(|highest| sequence > highest + JUMP) {
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
        let kept = self.cache.insert(packet, arrived.kept, arrived.payload);
        if kept {
            self.fresh.push(packet.sequence);
            self.fresh_bytes += arrived.payload.len();
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
}

/// Only VP8's numbers are rewritten; other codecs keep theirs.
fn picture(payload: &Payload, info: &FrameInfo) -> Option<Picture> {
    (payload.codec == codec::Codec::Vp8).then_some(Picture {
        id: info.picture_id,
        tl0: info.tl0_picture_index,
    })
}
