//! The server's own time: microseconds since the plane's first input, and the same as NTP.

use std::time::{Duration, Instant};

/// Microseconds on the server's clock. Negative: before the first input.
pub type Micros = i64;

/// Seconds from NTP's era to Unix'.
const NTP_EPOCH: u64 = 2_208_988_800;

/// What all streams that leave this server are timed by.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
    /// Unix time at `start`.
    unix: Duration,
}

impl Clock {
    pub fn new(start: Instant, unix: Duration) -> Self {
        Self { start, unix }
    }

    pub fn micros(&self, at: Instant) -> Micros {
        match at.checked_duration_since(self.start) {
            Some(after) => after.as_micros() as Micros,
            None => -(self.start.duration_since(at).as_micros() as Micros),
        }
    }

    /// Seconds since 1900 in 32.32 fixed point (RFC 3550 section 4).
    pub fn ntp(&self, at: Instant) -> u64 {
        let since = self.unix + at.saturating_duration_since(self.start);
        let seconds = since.as_secs().wrapping_add(NTP_EPOCH) & 0xFFFF_FFFF;
        let fraction = (u64::from(since.subsec_nanos()) << 32) / 1_000_000_000;
        (seconds << 32) | fraction
    }
}

/// A peer's NTP time as microseconds of its own.
pub fn ntp_micros(ntp: u64) -> Micros {
    let seconds = (ntp >> 32) as Micros;
    let fraction = ((ntp & 0xFFFF_FFFF) * 1_000_000) >> 32;
    seconds * 1_000_000 + fraction as Micros
}

/// The middle 32 bits, in which reports tell delays: 16.16 fixed point seconds.
pub fn ntp_middle(ntp: u64) -> u32 {
    (ntp >> 16) as u32
}

/// A duration in 16.16 fixed point seconds (DLSR, RFC 3550 section 6.4.1).
pub fn to_middle(duration: Duration) -> u32 {
    ((duration.as_micros() << 16) / 1_000_000) as u32
}

pub fn from_middle(middle: u32) -> Duration {
    Duration::from_micros((u64::from(middle) * 1_000_000) >> 16)
}

/// `micros` in ticks of an RTP clock, rounded to the nearest, for differences of any sign.
pub fn ticks(micros: Micros, clock_rate: u32) -> i64 {
    let scaled = i128::from(micros) * i128::from(clock_rate);
    ((scaled + 500_000).div_euclid(1_000_000)) as i64
}

pub fn ticks_to_micros(ticks: i64, clock_rate: u32) -> Micros {
    (i128::from(ticks) * 1_000_000 / i128::from(clock_rate.max(1))) as Micros
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ntp_counts_from_1900_and_back() {
        let start = Instant::now();
        let clock = Clock::new(start, Duration::from_secs(1));
        let ntp = clock.ntp(start + Duration::from_millis(500));
        assert_eq!(ntp >> 32, NTP_EPOCH + 1);
        assert_eq!(ntp & 0xFFFF_FFFF, 1 << 31);
        assert_eq!(
            ntp_micros(ntp),
            (NTP_EPOCH as i64 + 1) * 1_000_000 + 500_000
        );
        assert_eq!(clock.micros(start + Duration::from_millis(2)), 2000);
    }

    #[test]
    fn the_middle_of_ntp_measures_delays() {
        let delay = Duration::from_millis(1500);
        assert_eq!(to_middle(delay), 0x1_8000);
        assert_eq!(from_middle(0x1_8000), delay);
        assert_eq!(ntp_middle(0x0000_0001_8000_0000), 0x1_8000);
    }

    #[test]
    fn ticks_round_to_the_nearest_either_way() {
        assert_eq!(ticks(20_000, 48_000), 960);
        assert_eq!(ticks(-20_000, 48_000), -960);
        assert_eq!(ticks(16, 90_000), 1);
        assert_eq!(ticks_to_micros(-90, 90_000), -1000);
    }
}
