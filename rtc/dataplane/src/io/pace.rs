//! When a busy worker lets packets gather.
//!
//! Packets for one receiver that leave together cost a fraction of what they cost one by one (UDP_SEGMENT), so the
//! busier a worker is, the longer it waits before it looks again: up to a millisecond, and never while it has
//! time to spare.

use std::time::{Duration, Instant};

#[derive(Debug)]
pub struct Pace {
    /// Share of the time in which the worker did not wait, smoothed over `MEMORY`.
    load: f64,
    /// When the worker last began to wait.
    rested: Instant,
    /// When it last woke.
    woke: Instant,
}

impl Pace {
    pub fn new(now: Instant) -> Self {
        Self {
            load: 0.0,
            rested: now,
            woke: now,
        }
    }

    /// The worker woke with packets to read: how long it should let more gather first.
    pub fn gather(&self, now: Instant) -> Option<Duration> {
        let eagerness = ((self.load - IDLE) / (BUSY - IDLE)).clamp(0.0, 1.0);
        let interval = LONGEST.mul_f64(eagerness);
        let rest = interval.checked_sub(now - self.woke)?;
        (rest >= SHORTEST).then_some(rest)
    }

    /// The worker begins its turn.
    pub fn wake(&mut self, now: Instant) {
        self.woke = now;
    }

    /// The worker is about to wait. Returns how long the turn took.
    pub fn rest(&mut self, now: Instant) -> Duration {
        let busy = now - self.woke;
        let whole = now - self.rested;
        self.rested = now;
        if !whole.is_zero() {
            let weight = (whole.as_secs_f64() / MEMORY.as_secs_f64()).min(1.0);
            let share = busy.as_secs_f64() / whole.as_secs_f64();
            self.load += (share - self.load) * weight;
        }
        busy
    }
}

/// Below this load nothing is gathered.
const IDLE: f64 = 0.2;
/// From this load on as long as may be.
const BUSY: f64 = 0.6;
/// The design's bound on added delay.
const LONGEST: Duration = Duration::from_millis(1);
/// Timers have a slack of 50 µs; less is not worth a sleep.
const SHORTEST: Duration = Duration::from_micros(100);
const MEMORY: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::*;

    /// A worker that is busy for `busy` of every 2 ms, for 400 ms; the pace and the time of its last waking.
    fn after(busy: Duration) -> (Pace, Instant) {
        let mut now = Instant::now();
        let mut pace = Pace::new(now);
        for _ in 0..200 {
            now += Duration::from_millis(2) - busy;
            pace.wake(now);
            now += busy;
            pace.rest(now);
        }
        (pace, now)
    }

    #[test]
    fn an_idle_worker_never_waits_for_more() {
        let (pace, now) = after(Duration::from_micros(200));
        assert_eq!(pace.gather(now), None);
    }

    #[test]
    fn a_busy_worker_wakes_once_a_millisecond() {
        let (pace, now) = after(Duration::from_micros(1_400));
        let woke = pace.woke;
        assert_eq!(
            pace.gather(woke + Duration::from_micros(300)),
            Some(Duration::from_micros(700))
        );
        assert_eq!(pace.gather(now), None, "the turn itself took longer");
    }

    #[test]
    fn between_them_the_wait_grows_with_the_load() {
        let (pace, _) = after(Duration::from_micros(800));
        let rest = pace.gather(pace.woke).expect("a wait");
        assert!(
            rest > Duration::from_micros(300) && rest < Duration::from_micros(700),
            "{rest:?}"
        );
    }
}
