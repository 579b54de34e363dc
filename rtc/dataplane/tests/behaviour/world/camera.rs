//! A publisher's encoder: VP8 frames at an even rate, keyframes when asked, packets again when asked.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use _dataplane::core::{Kind, Payload, SourceConfig, SourceId};
use _dataplane::wire::rtp::{Fields, write_header};

use super::vp8;

#[derive(Clone)]
pub struct Camera {
    pub source: SourceId,
    pub mid: String,
    pub rid: Option<String>,
    pub ssrc: u32,
    pub rtx_ssrc: u32,
    pub payload: Payload,
    /// SSRCs are told to the plane, else it has to learn them.
    pub signalled: bool,
    pub fps: u32,
    pub packets_per_frame: usize,
    pub packet_len: usize,
    pub size: (u16, u16),
    pub running: bool,
    pub wants_keyframe: bool,
    pub answers_nacks: bool,
    /// Nothing in the payload can be read.
    pub opaque: bool,
    /// Numbers that never leave, to lose exactly these.
    pub withheld: Vec<u16>,
    /// Sent with every packet.
    pub extensions: Vec<(u8, Vec<u8>)>,
    /// Padding-only packets behind every frame.
    pub padding: usize,
    pub sequence: u16,
    pub timestamp: u32,
    pub picture: u16,
    pub tl0: u8,
    pub rtx_sequence: u16,
    pub frames: u32,
    pub keyframes: u32,
    pub next: Instant,
    pub plis: Vec<Instant>,
    pub nacked: Vec<u16>,
    history: BTreeMap<u16, (bool, u32, Vec<u8>)>,
}

/// A packet to be sent: everything but header extensions and encryption.
pub struct Outgoing {
    pub fields: Fields,
    pub payload: Vec<u8>,
    pub padding: u8,
    /// Further header extensions.
    pub extensions: Vec<(u8, Vec<u8>)>,
    pub rid: Option<String>,
    pub repaired_rid: Option<String>,
    pub mid: String,
}

impl Camera {
    pub fn new(ssrc: u32) -> Self {
        Self {
            source: SourceId(0),
            mid: "v".into(),
            rid: None,
            ssrc,
            rtx_ssrc: ssrc + 1,
            payload: vp8(96),
            signalled: true,
            fps: 30,
            packets_per_frame: 3,
            packet_len: 300,
            size: (640, 360),
            running: true,
            wants_keyframe: true,
            answers_nacks: true,
            opaque: false,
            withheld: Vec::new(),
            extensions: Vec::new(),
            padding: 0,
            sequence: (ssrc as u16).wrapping_mul(77) & 0x7FFF,
            timestamp: ssrc.wrapping_mul(7919),
            picture: ssrc as u16 & 0x7FFF,
            tl0: ssrc as u8,
            rtx_sequence: 1,
            frames: 0,
            keyframes: 0,
            next: Instant::now(),
            plis: Vec::new(),
            nacked: Vec::new(),
            history: BTreeMap::new(),
        }
    }

    /// One of a track's encodings, told apart by RID alone.
    pub fn layer(ssrc: u32, rid: &str, size: (u16, u16)) -> Self {
        Self {
            rid: Some(rid.into()),
            signalled: false,
            size,
            ..Self::new(ssrc)
        }
    }

    pub fn of(self, source: SourceId, now: Instant) -> Self {
        Self {
            source,
            next: now,
            ..self
        }
    }

    pub fn source_config(&self, participant: u32) -> SourceConfig {
        SourceConfig {
            kind: Kind::Video,
            mid: self.mid.clone(),
            rid: self.rid.clone(),
            ssrc: self.signalled.then_some(self.ssrc),
            rtx_ssrc: self.signalled.then_some(self.rtx_ssrc),
            payloads: vec![self.payload],
            participant,
        }
    }

    pub fn deadline(&self) -> Option<Instant> {
        self.running.then_some(self.next)
    }

    /// The next frame, when its time has come.
    pub fn tick(&mut self, now: Instant) -> Vec<Outgoing> {
        if !self.running || self.next > now {
            return Vec::new();
        }
        self.next += Duration::from_secs(1) / self.fps;
        self.next = self.next.max(now);
        self.timestamp = self.timestamp.wrapping_add(90_000 / self.fps);
        self.frame()
    }

    pub fn frame(&mut self) -> Vec<Outgoing> {
        let keyframe = std::mem::take(&mut self.wants_keyframe);
        self.frames += 1;
        self.keyframes += u32::from(keyframe);
        self.picture = (self.picture + 1) & 0x7FFF;
        self.tl0 = self.tl0.wrapping_add(1);
        let mut packets = Vec::new();
        for index in 0..self.packets_per_frame {
            let payload = self.vp8_payload(keyframe, index == 0);
            let marker = index + 1 == self.packets_per_frame;
            packets.extend(self.packet(marker, payload, 0));
        }
        for _ in 0..self.padding {
            packets.extend(self.packet(false, Vec::new(), 200));
        }
        packets
    }

    fn packet(&mut self, marker: bool, payload: Vec<u8>, padding: u8) -> Option<Outgoing> {
        let sequence_number = self.sequence;
        self.sequence = self.sequence.wrapping_add(1);
        self.history
            .insert(sequence_number, (marker, self.timestamp, payload.clone()));
        if self.history.len() > 2000 {
            self.history.clear();
        }
        if self.withheld.contains(&sequence_number) {
            return None;
        }
        Some(Outgoing {
            fields: Fields {
                marker,
                payload_type: self.payload.pt,
                sequence_number,
                timestamp: self.timestamp,
                ssrc: self.ssrc,
            },
            payload,
            padding,
            extensions: self.extensions.clone(),
            rid: self.rid.clone(),
            repaired_rid: None,
            mid: self.mid.clone(),
        })
    }

    fn vp8_payload(&self, keyframe: bool, start: bool) -> Vec<u8> {
        if self.opaque {
            return vec![0xFF; self.packet_len];
        }
        let first = 0x80 | if start { 0x10 } else { 0 };
        let [high, low] = (self.picture | 0x8000).to_be_bytes();
        let mut payload = vec![first, 0xE0, high, low, self.tl0, 0x00];
        if start {
            payload.push(u8::from(!keyframe));
            payload.extend([0, 0]);
            if keyframe {
                let ([w0, w1], [h0, h1]) = (self.size.0.to_le_bytes(), self.size.1.to_le_bytes());
                payload.extend([0x9d, 0x01, 0x2a, w0, w1, h0, h1]);
            }
        }
        payload.extend(self.source.0.to_be_bytes());
        payload.resize(self.packet_len.max(payload.len()), self.frames as u8);
        payload
    }

    pub fn repair(&mut self, number: u16) -> Option<Outgoing> {
        self.nacked.push(number);
        let (marker, timestamp, original) = self.history.get(&number)?.clone();
        if !self.answers_nacks {
            return None;
        }
        let mut payload = number.to_be_bytes().to_vec();
        payload.extend(original);
        let sequence_number = self.rtx_sequence;
        self.rtx_sequence = self.rtx_sequence.wrapping_add(1);
        Some(Outgoing {
            fields: Fields {
                marker,
                payload_type: self.payload.rtx_pt?,
                sequence_number,
                timestamp,
                ssrc: self.rtx_ssrc,
            },
            payload,
            padding: 0,
            extensions: Vec::new(),
            rid: None,
            repaired_rid: self.rid.clone(),
            mid: self.mid.clone(),
        })
    }
}

impl Outgoing {
    /// The packet before encryption, and its header's length.
    pub fn write(&self, transport_sequence: u16, level: Option<u8>) -> (Vec<u8>, usize) {
        let number = transport_sequence.to_be_bytes();
        let level = level.map(|level| [level]);
        let mut extensions: Vec<(u8, &[u8])> = vec![(3, &number), (4, self.mid.as_bytes())];
        if let Some(rid) = &self.rid {
            extensions.push((10, rid.as_bytes()));
        }
        if let Some(rid) = &self.repaired_rid {
            extensions.push((11, rid.as_bytes()));
        }
        extensions.extend(
            self.extensions
                .iter()
                .map(|(id, value)| (*id, value.as_slice())),
        );
        if let Some(level) = &level {
            extensions.push((1, level));
        }
        let mut packet = vec![0; 200];
        let header = write_header(&mut packet, &self.fields, &extensions).expect("room enough");
        packet.truncate(header);
        packet.extend(&self.payload);
        if self.padding > 0 {
            packet[0] |= 0x20;
            packet.resize(packet.len() + usize::from(self.padding), 0);
            let last = packet.len() - 1;
            packet[last] = self.padding;
        }
        (packet, header)
    }
}
