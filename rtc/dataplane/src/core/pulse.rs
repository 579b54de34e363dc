//! Whether a source still beats: its frame interval, and how long it has been silent beside its siblings.

use std::time::{Duration, Instant};

/// Nothing for this long is idle, whatever the siblings do.
pub const IDLE_AFTER: Duration = Duration::from_secs(2);

/// A layer that missed three of its frames is dead: a second would be a visible freeze.
const MISSED_FRAMES: u32 = 3;

/// Frames are taken to be at least and at most this far apart, so that neither a burst nor a still screen misleads.
const SHORTEST_FRAME: Duration = Duration::from_millis(15);
const LONGEST_FRAME: Duration = Duration::from_millis(330);
/// Before two frames were seen.
const USUAL_FRAME: Duration = Duration::from_millis(33);

#[derive(Clone, Copy, Debug)]
pub struct Pulse {
    /// The newest packet, and when the last three frames began, oldest first.
    last_packet: Instant,
    frames: [Instant; MISSED_FRAMES as usize],
    timestamp: u32,
    interval: Duration,
}

impl Pulse {
    pub fn new(now: Instant, timestamp: u32) -> Self {
        Self {
            last_packet: now,
            frames: [now; MISSED_FRAMES as usize],
            timestamp,
            interval: USUAL_FRAME,
        }
    }

    /// A packet that is newer than all before.
    pub fn beat(&mut self, now: Instant, timestamp: u32, clock_rate: u32) {
        self.last_packet = now;
        let ticks = timestamp.wrapping_sub(self.timestamp);
        if ticks == 0 {
            return;
        }
        self.timestamp = timestamp;
        self.frames.rotate_left(1);
        self.frames[self.frames.len() - 1] = now;
        let interval = Duration::from_secs_f64(f64::from(ticks) / f64::from(clock_rate.max(1)));
        let interval = interval.clamp(SHORTEST_FRAME, LONGEST_FRAME);
        self.interval = (self.interval * 7 + interval) / 8;
    }

    pub fn frames_per_second(&self) -> f64 {
        1.0 / self.interval.as_secs_f64()
    }

    /// When it would be dead if no packet came.
    pub fn deadline(&self) -> Instant {
        self.last_packet + self.interval * MISSED_FRAMES
    }

    /// Whether it missed three frames while `sibling` sent three. If all are silent it is the network or a still screen.
    pub fn is_outlived_by(&self, sibling: &Self, now: Instant) -> bool {
        now >= self.deadline() && sibling.frames[0] > self.last_packet
    }

    /// When to look at it again.
    pub fn next_look(&self, now: Instant, dead: bool) -> Instant {
        let idle = self.last_packet + IDLE_AFTER;
        if dead {
            return idle;
        }
        // Overdue already, and no sibling to compare with so far: look again after a frame.
        let dead = self.deadline();
        if dead > now {
            dead
        } else {
            idle.min(now + self.interval)
        }
    }

    pub fn is_idle(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.last_packet) >= IDLE_AFTER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Duration = Duration::from_micros(33_333);

    /// 30 frames a second for a second, two packets each.
    fn beating(start: Instant) -> Pulse {
        let mut pulse = Pulse::new(start, 0);
        for frame in 1..=30 {
            pulse.beat(start + FRAME * frame, frame * 3000, 90_000);
            pulse.beat(start + FRAME * frame, frame * 3000, 90_000);
        }
        pulse
    }

    #[test]
    fn a_layer_is_dead_after_three_frames_of_a_sibling() {
        let start = Instant::now();
        let (dead, mut living) = (beating(start), beating(start));
        let mut died = None;
        for frame in 31..40 {
            let now = start + FRAME * frame;
            living.beat(now, frame * 3000, 90_000);
            if dead.is_outlived_by(&living, now) {
                died.get_or_insert(frame);
            }
        }
        assert_eq!(died, Some(33));
    }

    #[test]
    fn when_all_are_silent_nobody_is_dead() {
        let start = Instant::now();
        let (one, other) = (beating(start), beating(start));
        assert!(!one.is_outlived_by(&other, start + Duration::from_secs(5)));
        assert!(one.is_idle(start + Duration::from_secs(5)));
    }

    #[test]
    fn the_frame_rate_is_that_of_the_capture_clock() {
        let pulse = beating(Instant::now());
        assert!((pulse.frames_per_second() - 30.0).abs() < 1.0);
    }
}
