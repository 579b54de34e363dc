//! When the packets of a publisher came, for its congestion control (transport-wide feedback).

use std::time::Duration;

use super::time::Micros;
use crate::wire::rtcp::write_transport_feedback;
use crate::wire::sequence::Extender16;

/// Between two messages: often enough for a delay-based estimate (Chrome's own is 50 to 250 ms), and a few per cent of
/// what it tells about at most.
pub const FEEDBACK_EVERY: Duration = Duration::from_millis(50);

/// Numbers between the oldest and the newest that are told of. A peer that leaves larger holes has begun anew.
const MAX_SPAN: usize = 1024;

#[derive(Debug, Default)]
pub struct Arrivals {
    extender: Extender16,
    /// The number of the first entry; without one, of the next that is expected.
    base: Option<u64>,
    arrivals: Vec<Option<Micros>>,
    count: u8,
}

impl Arrivals {
    /// Answers whether it is the first since the last message.
    pub fn note(&mut self, sequence: u16, arrival: Micros) -> bool {
        let sequence = self.extender.extend(sequence);
        let is_first = self.arrivals.is_empty();
        let mut base = self.base.unwrap_or(sequence);
        if is_first {
            // What was told of as missing may still come, and is told again.
            base = base.min(sequence);
        }
        self.base = Some(base);
        let Some(at) = sequence.checked_sub(base).map(|at| at as usize) else {
            return is_first;
        };
        if at >= MAX_SPAN {
            self.arrivals.clear();
            self.base = Some(sequence);
            self.arrivals.push(Some(arrival));
            return true;
        }
        if self.arrivals.len() <= at {
            self.arrivals.resize(at + 1, None);
        }
        self.arrivals[at].get_or_insert(arrival);
        is_first
    }

    /// Appends one message; call until it answers false.
    pub fn write(&mut self, out: &mut Vec<u8>, sender: u32, media: u32) -> bool {
        let Some(base) = self.base.filter(|_| !self.arrivals.is_empty()) else {
            return false;
        };
        let ssrcs = (sender, media);
        let number = base as u16;
        let told =
            write_transport_feedback(out, ssrcs, self.count, number, &self.arrivals).statuses;
        if told == 0 {
            self.arrivals.clear();
            return false;
        }
        self.count = self.count.wrapping_add(1);
        self.base = Some(base + told as u64);
        self.arrivals.drain(..told);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::rtcp::{Compound, Packet};

    /// All that is told: number and arrival in milliseconds.
    fn told(arrivals: &mut Arrivals) -> Vec<(u16, Option<i64>)> {
        let mut told = Vec::new();
        let mut out = Vec::new();
        while arrivals.write(&mut out, 1, 2) {}
        if out.is_empty() {
            return told;
        }
        for packet in Compound::parse(&out).expect("well formed") {
            if let Ok(Packet::TransportCc(feedback)) = packet {
                feedback.for_each(|sequence, arrival| {
                    told.push((sequence, arrival.map(|micros| micros / 1000)));
                });
            }
        }
        told
    }

    #[test]
    fn arrivals_and_holes_are_told_once() {
        let mut arrivals = Arrivals::default();
        assert!(arrivals.note(65_535, 64_000));
        assert!(!arrivals.note(1, 74_000));
        let expected = [(65_535, Some(64)), (0, None), (1, Some(74))];
        assert_eq!(told(&mut arrivals), expected);
        assert_eq!(told(&mut arrivals), []);
        assert!(arrivals.note(2, 80_000));
        assert_eq!(told(&mut arrivals), [(2, Some(80))]);
    }

    #[test]
    fn a_peer_that_leaps_is_followed() {
        let mut arrivals = Arrivals::default();
        arrivals.note(10, 64_000);
        arrivals.note(20_000, 65_000);
        assert_eq!(told(&mut arrivals), [(20_000, Some(65))]);
    }

    #[test]
    fn a_busy_second_is_told_in_several_messages() {
        let mut arrivals = Arrivals::default();
        for sequence in 0..900u16 {
            arrivals.note(sequence, 64_000 + i64::from(sequence) * 1000);
        }
        assert_eq!(told(&mut arrivals).len(), 900);
    }
}
