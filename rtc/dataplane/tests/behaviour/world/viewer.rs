//! The receiving end of one slot: a jitter buffer that asks for what is missing, and a decoder that knows when it is stuck.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use _dataplane::codec::vp8;
use _dataplane::wire::rtcp::SenderInfo;
use _dataplane::wire::sequence::Extender16;

use super::ms;

/// One packet as it came, decrypted, retransmissions unwrapped.
#[derive(Clone, Debug)]
pub struct Received {
    pub at: Instant,
    pub timestamp: u32,
    pub marker: bool,
    pub payload_type: u8,
    pub payload: Vec<u8>,
    pub extensions: Vec<(u8, Vec<u8>)>,
    pub repaired: bool,
}

pub struct Viewer {
    pub ssrc: u32,
    pub rtx_ssrc: Option<u32>,
    pub clock_rate: u32,
    pub asks: bool,
    /// By extended sequence number.
    pub packets: BTreeMap<u64, Received>,
    /// Packets that came more than once.
    pub duplicates: u64,
    pub reports: Vec<(Instant, SenderInfo)>,
    /// SSRC and transport-wide numbers in the order of arrival.
    extender: Extender16,
    asked: BTreeMap<u64, Instant>,
}

/// What a decoder made of it.
#[derive(Debug, Default)]
pub struct Watched {
    /// Source and time of each decoded picture.
    pub pictures: Vec<(u32, Instant)>,
    pub longest_gap: Duration,
    pub sources: Vec<u32>,
}

impl Viewer {
    pub fn new(ssrc: u32, rtx_ssrc: Option<u32>, clock_rate: u32) -> Self {
        Self {
            ssrc,
            rtx_ssrc,
            clock_rate,
            asks: true,
            packets: BTreeMap::new(),
            duplicates: 0,
            reports: Vec::new(),
            extender: Extender16::default(),
            asked: BTreeMap::new(),
        }
    }

    pub fn take(&mut self, sequence_number: u16, received: Received) {
        let sequence = self.extender.extend(sequence_number);
        if self.packets.insert(sequence, received).is_some() {
            self.duplicates += 1;
        }
        self.asked.remove(&sequence);
    }

    /// Numbers between the first and the last that never came.
    pub fn holes(&self) -> Vec<u64> {
        let Some((first, _)) = self.packets.first_key_value() else {
            return Vec::new();
        };
        let Some((last, _)) = self.packets.last_key_value() else {
            return Vec::new();
        };
        (*first..*last)
            .filter(|sequence| !self.packets.contains_key(sequence))
            .collect()
    }

    /// What to ask for now: holes of the last second, every 30 ms.
    pub fn missing(&mut self, now: Instant) -> Vec<u16> {
        if !self.asks {
            return Vec::new();
        }
        let Some((last, _)) = self.packets.last_key_value() else {
            return Vec::new();
        };
        let first = self
            .packets
            .first_key_value()
            .map_or(*last, |(first, _)| *first);
        let from = first.max(last.saturating_sub(300));
        let holes = (from..*last).filter(|sequence| !self.packets.contains_key(sequence));
        let mut missing = Vec::new();
        for hole in holes.collect::<Vec<_>>() {
            let asked = self.asked.get(&hole);
            if asked.is_none_or(|asked| now >= *asked + ms(30)) {
                self.asked.insert(hole, now);
                missing.push(hole as u16);
            }
        }
        missing
    }

    pub fn newest(&self) -> Option<&Received> {
        self.packets.last_key_value().map(|(_, received)| received)
    }

    pub fn in_order(&self) -> impl Iterator<Item = &Received> {
        self.packets.values()
    }

    /// Decodes what came: whole pictures, each after its predecessor or from a keyframe on.
    pub fn watch(&self) -> Watched {
        let mut watched = Watched::default();
        let mut frame: Vec<(&u64, &Received)> = Vec::new();
        let mut decoded: Option<u16> = None;
        let mut last = 0;
        let mut ready = None;
        for (sequence, received) in &self.packets {
            if last + 1 != *sequence {
                frame.clear();
            }
            last = *sequence;
            if received.payload.is_empty() {
                continue; // fills a number and says nothing
            }
            frame.push((sequence, received));
            if !received.marker {
                continue;
            }
            let picture = std::mem::take(&mut frame);
            let Some(head) = vp8::parse(&picture[0].1.payload).filter(|head| head.start) else {
                continue;
            };
            let body = &picture[0].1.payload[head.len..];
            let keyframe = body.first().is_some_and(|first| first & 1 == 0);
            let id = head.picture_id.unwrap_or(0);
            if !keyframe && decoded.is_none_or(|before| (before + 1) & 0x7FFF != id) {
                decoded = None;
                continue;
            }
            decoded = Some(id);
            let skip = if keyframe { 10 } else { 3 };
            let source = body
                .get(skip..skip + 4)
                .and_then(|bytes| bytes.first_chunk());
            let source = source.map_or(0, |bytes| u32::from_be_bytes(*bytes));
            // A picture is shown when all of it has come, and not before the one in front of it.
            let whole = picture.iter().map(|(_, received)| received.at).max();
            let shown = whole.max(ready).expect("a picture has packets");
            if let Some(ready) = ready {
                watched.longest_gap = watched.longest_gap.max(shown - ready);
            }
            ready = Some(shown);
            watched.pictures.push((source, shown));
            if watched.sources.last() != Some(&source) {
                watched.sources.push(source);
            }
        }
        watched
    }
}
