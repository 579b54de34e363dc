//! How well a publisher's stream arrives, for the reports back to it (RFC 3550 sections 6.4.1, A.3 and A.8).

use std::time::Instant;

use super::time::{Micros, ntp_middle, ticks, to_middle};

/// One report block, without its SSRC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// Of 256, since the last report.
    pub fraction_lost: u8,
    pub lost: i32,
    pub highest: u32,
    pub jitter: u32,
    pub last_report: u32,
    pub delay: u32,
}

#[derive(Clone, Debug, Default)]
pub struct Reception {
    first: u64,
    highest: u64,
    received: u64,
    /// Expected and received at the last report.
    reported: (u64, u64),
    /// In ticks, smoothed.
    jitter: f64,
    transit: Option<i64>,
    /// The last sender report: the middle of its NTP time, and when it came.
    sender_report: Option<(u32, Instant)>,
}

impl Reception {
    /// A packet that came by itself; what a retransmission repaired is still a loss to the sender's estimate.
    pub fn receive(&mut self, sequence: u64, timestamp: u32, arrival: Micros, clock_rate: u32) {
        if self.received == 0 {
            self.first = sequence;
            self.highest = sequence;
        }
        self.first = self.first.min(sequence);
        self.highest = self.highest.max(sequence);
        self.received += 1;
        let transit = ticks(arrival, clock_rate) - i64::from(timestamp);
        if let Some(last) = self.transit.replace(transit) {
            // Both wrap with the 32-bit timestamp.
            let change = f64::from((transit.wrapping_sub(last) as i32).unsigned_abs());
            self.jitter += (change - self.jitter) / 16.0;
        }
    }

    /// The sequence begins anew: SSRC changed, or a jump that is no loss.
    pub fn restart(&mut self) {
        *self = Self::default();
    }

    pub fn sender_report(&mut self, now: Instant, ntp: u64) {
        self.sender_report = Some((ntp_middle(ntp), now));
    }

    fn expected(&self) -> u64 {
        if self.received == 0 {
            return 0;
        }
        self.highest - self.first + 1
    }

    pub fn lost(&self) -> i64 {
        self.expected() as i64 - self.received as i64
    }

    pub fn jitter_ticks(&self) -> f64 {
        self.jitter
    }

    /// Makes the next report's block; `None` before the first packet.
    pub fn report(&mut self, now: Instant) -> Option<Block> {
        if self.received == 0 {
            return None;
        }
        let (expected, received) = (self.expected(), self.received);
        let new_expected = expected - self.reported.0.min(expected);
        let new_lost = new_expected.saturating_sub(received - self.reported.1);
        self.reported = (expected, received);
        let delay = self
            .sender_report
            .map(|(_, came)| now.saturating_duration_since(came));
        Some(Block {
            fraction_lost: (new_lost * 256)
                .checked_div(new_expected)
                .unwrap_or(0)
                .min(255) as u8,
            lost: self.lost().clamp(-0x80_0000, 0x7F_FFFF) as i32,
            highest: self.highest as u32,
            jitter: self.jitter as u32,
            last_report: self.sender_report.map_or(0, |(middle, _)| middle),
            delay: delay.map_or(0, to_middle),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const PACKET: Micros = 20_000;

    fn receive(reception: &mut Reception, sequences: impl IntoIterator<Item = u64>) {
        for sequence in sequences {
            let since = sequence as Micros - 70_000;
            reception.receive(sequence, (since * 960) as u32, since * PACKET, 48_000);
        }
    }

    #[test]
    fn losses_are_told_in_total_and_as_a_fraction_since_the_last_report() {
        let (mut reception, now) = (Reception::default(), Instant::now());
        assert_eq!(reception.report(now), None);
        receive(
            &mut reception,
            (70_000..70_100).filter(|sequence| sequence % 4 != 1),
        );
        let block = reception.report(now).expect("packets came");
        assert_eq!((block.fraction_lost, block.lost), (64, 25));
        assert_eq!(block.highest, 70_099);
        receive(&mut reception, 70_100..70_200);
        let block = reception.report(now).expect("packets came");
        assert_eq!((block.fraction_lost, block.lost), (0, 25));
    }

    #[test]
    fn an_even_stream_has_no_jitter_and_an_uneven_one_its_measure() {
        let mut reception = Reception::default();
        receive(&mut reception, 70_000..70_100);
        assert!(reception.jitter_ticks() < 1.0);
        for step in 0..200 {
            let uneven = if step % 2 == 0 { 0 } else { 10_000 };
            let at = (100 + step) * PACKET + uneven;
            reception.receive(
                70_100 + step as u64,
                ((100 + step) * 960) as u32,
                at,
                48_000,
            );
        }
        assert!((reception.jitter_ticks() - 480.0).abs() < 48.0);
    }

    #[test]
    fn the_time_since_the_senders_report_is_told() {
        let (mut reception, now) = (Reception::default(), Instant::now());
        receive(&mut reception, [70_000]);
        reception.sender_report(now, 0x0000_0005_8000_0000);
        let block = reception
            .report(now + Duration::from_millis(500))
            .expect("packets came");
        assert_eq!((block.last_report, block.delay), (0x5_8000, 0x8000));
    }
}
