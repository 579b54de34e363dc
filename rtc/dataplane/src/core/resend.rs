//! What was sent again, and with which stamps packets went out that may have to be sent again as they were.

use super::egress::Stamp;
use super::time::Micros;

/// A packet is not sent again sooner than this, nor more often: a receiver that asks faster does not wait for its answer.
const SHORTEST_PAUSE: Micros = 10_000;
const MOST_TIMES: u8 = 10;

/// Packets whose repetitions are counted. A receiver that asks for more at a time gets some of them oftener.
const REPEATED: usize = 128;
/// Packets that can be repeated to a receiver without RTX: what comes in a second, and no more than its audio needs.
const STAMPED: usize = 256;

#[derive(Clone, Copy, Debug, Default)]
struct Repetition {
    number: u16,
    times: u8,
    at: Micros,
}

/// Limits the repetitions of each packet. Takes no memory before the first.
#[derive(Debug, Default)]
pub struct Repetitions {
    entries: Vec<Repetition>,
}

impl Repetitions {
    /// Whether the packet may be sent again now; if so it counts as sent.
    pub fn allow(&mut self, number: u16, now: Micros, rtt: Micros) -> bool {
        if self.entries.is_empty() {
            self.entries.resize(REPEATED, Repetition::default());
        }
        let entry = &mut self.entries[usize::from(number) % REPEATED];
        if entry.times == 0 || entry.number != number {
            *entry = Repetition {
                number,
                times: 1,
                at: now,
            };
            return true;
        }
        let pause = (rtt * 3 / 4).max(SHORTEST_PAUSE);
        let allowed = entry.times < MOST_TIMES && now - entry.at >= pause;
        if allowed {
            entry.times += 1;
            entry.at = now;
        }
        allowed
    }
}

/// Remembers stamps, for receivers that did not negotiate RTX.
#[derive(Debug, Default)]
pub struct Stamps {
    entries: Vec<(u16, Stamp)>,
}

impl Stamps {
    pub fn note(&mut self, number: u16, stamp: Stamp) {
        if self.entries.is_empty() {
            // Nothing was sent yet: every entry gets a number that belongs elsewhere.
            self.entries.resize(STAMPED, (0, Stamp::default()));
            self.entries[0].0 = 1;
        }
        self.entries[usize::from(number) % STAMPED] = (number, stamp);
    }

    pub fn get(&self, number: u16) -> Option<Stamp> {
        let (found, stamp) = self.entries.get(usize::from(number) % STAMPED)?;
        (*found == number).then_some(*stamp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_repeated_once_per_round_trip_and_ten_times_at_most() {
        let mut repetitions = Repetitions::default();
        assert!(repetitions.allow(7, 0, 40_000));
        assert!(!repetitions.allow(7, 20_000, 40_000));
        assert!(repetitions.allow(8, 20_000, 40_000));
        assert!(repetitions.allow(7, 30_000, 40_000));
        let more = (2..100).filter(|round| repetitions.allow(7, round * 40_000, 40_000));
        assert_eq!(more.count(), 8);
    }

    #[test]
    fn a_stamp_is_found_until_another_packet_takes_its_place() {
        let mut stamps = Stamps::default();
        assert_eq!(stamps.get(5), None);
        stamps.note(5, Stamp::new(9, 1_000_000));
        assert_eq!(stamps.get(5), Some(Stamp::new(9, 1_000_000)));
        assert_eq!(stamps.get(0), None);
        stamps.note(5 + STAMPED as u16, Stamp::default());
        assert_eq!(stamps.get(5), None);
    }

    #[test]
    fn a_send_time_is_in_six_point_eighteen_seconds() {
        assert_eq!(Stamp::new(0, 1_500_000).send_time, 3 << 17);
        assert_eq!(Stamp::new(0, 64_000_000).send_time, 0);
    }
}
