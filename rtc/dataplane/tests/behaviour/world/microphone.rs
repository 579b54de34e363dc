//! A publisher's voice: one packet each 20 ms.

use std::time::Instant;

use _dataplane::core::{Kind, Payload, SourceConfig, SourceId};
use _dataplane::wire::rtp::Fields;

use super::camera::Outgoing;
use super::{ms, opus};

#[derive(Clone)]
pub struct Microphone {
    pub source: SourceId,
    pub mid: String,
    pub ssrc: u32,
    pub payloads: Vec<Payload>,
    /// Of `payloads`.
    pub uses: usize,
    pub running: bool,
    /// Decibels below overload.
    pub level: u8,
    pub sequence: u16,
    pub timestamp: u32,
    pub next: Instant,
    pub sent: u32,
}

impl Microphone {
    pub fn new(ssrc: u32) -> Self {
        Self {
            source: SourceId(0),
            mid: "a".into(),
            ssrc,
            payloads: vec![opus(111)],
            uses: 0,
            running: true,
            level: 30,
            sequence: ssrc as u16,
            timestamp: ssrc.wrapping_mul(104_729),
            next: Instant::now(),
            sent: 0,
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
            kind: Kind::Audio,
            mid: self.mid.clone(),
            rid: None,
            ssrc: Some(self.ssrc),
            rtx_ssrc: None,
            payloads: self.payloads.clone(),
            participant,
        }
    }

    pub fn deadline(&self) -> Option<Instant> {
        self.running.then_some(self.next)
    }

    pub fn tick(&mut self, now: Instant) -> Vec<Outgoing> {
        if !self.running || self.next > now {
            return Vec::new();
        }
        self.next = (self.next + ms(20)).max(now);
        self.timestamp = self.timestamp.wrapping_add(960);
        self.sequence = self.sequence.wrapping_add(1);
        self.sent += 1;
        let mut payload = self.source.0.to_be_bytes().to_vec();
        payload.extend(self.sent.to_be_bytes());
        payload.resize(80, 0xAA);
        if self.uses == 1 {
            // RED with one redundant block of four bytes in front of the primary one (RFC 2198).
            let mut red = vec![0x80 | self.payloads[0].pt, 0x0F, 0, 4, self.payloads[0].pt];
            red.extend(*b"old!");
            red.extend(payload);
            payload = red;
        }
        vec![Outgoing {
            fields: Fields {
                marker: false,
                payload_type: self.payloads[self.uses].pt,
                sequence_number: self.sequence,
                timestamp: self.timestamp,
                ssrc: self.ssrc,
            },
            payload,
            padding: 0,
            extensions: Vec::new(),
            rid: None,
            repaired_rid: None,
            mid: self.mid.clone(),
        }]
    }
}
