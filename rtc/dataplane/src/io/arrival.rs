//! From the kernel's wall clock to the monotonic one of the plane.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Both clocks, read together.
#[derive(Clone, Copy, Debug)]
pub struct ClockPair {
    monotonic: Instant,
    wall: Duration,
}

impl ClockPair {
    pub fn read() -> Self {
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            monotonic: Instant::now(),
            wall,
        }
    }

    /// When a datagram came, not before `earliest`, so that the plane's time never runs backwards.
    ///
    /// A wall clock that was set meanwhile gives nonsense, which is taken for now.
    pub fn arrival(&self, stamp: Option<Duration>, earliest: Instant) -> Instant {
        let age = stamp
            .and_then(|stamp| self.wall.checked_sub(stamp))
            .filter(|age| *age < OLDEST);
        age.and_then(|age| self.monotonic.checked_sub(age))
            .map_or(self.monotonic, |at| at.max(earliest))
    }
}

/// Nothing lies in a socket for longer: at a worker's least speed its buffer holds less.
const OLDEST: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_becomes_the_time_on_the_other_clock() {
        let clocks = ClockPair::read();
        let earliest = clocks.monotonic - Duration::from_millis(5);
        let stamped =
            |age| clocks.arrival(Some(clocks.wall - Duration::from_millis(age)), earliest);
        assert_eq!(stamped(2), clocks.monotonic - Duration::from_millis(2));
        assert_eq!(stamped(9), earliest);
        assert_eq!(stamped(5_000), clocks.monotonic, "the clock was set");
        assert_eq!(clocks.arrival(None, earliest), clocks.monotonic);
    }
}
