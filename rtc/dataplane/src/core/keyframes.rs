//! Asking a publisher for a keyframe: however many receivers ask, it hears it seldom.

use std::time::{Duration, Instant};

/// A keyframe costs the publisher the bitrate of many pictures; half a second apart is what encoders bear.
const APART: Duration = Duration::from_millis(500);
/// A publisher that does not answer is asked less and less often, up to this.
const APART_AT_MOST: Duration = Duration::from_secs(4);
/// Only after this many questions.
const PATIENT: u32 = 4;

#[derive(Debug, Default)]
pub struct KeyframeRequests {
    wanted: bool,
    asked: Option<Instant>,
    /// Questions since the last keyframe.
    unanswered: u32,
}

impl KeyframeRequests {
    /// Somebody cannot go on without a keyframe.
    pub fn want(&mut self) {
        self.wanted = true;
    }

    pub fn is_wanted(&self) -> bool {
        self.wanted
    }

    /// One began to arrive.
    pub fn arrived(&mut self) {
        self.wanted = false;
        self.unanswered = 0;
    }

    pub fn unanswered(&self) -> u32 {
        self.unanswered
    }

    /// Whether it came cannot be seen: one question for each wish is all that can be done.
    pub fn trust(&mut self) {
        self.wanted = false;
        self.unanswered = self.unanswered.min(PATIENT);
    }

    /// When to ask, if anybody wants one.
    pub fn deadline(&self, now: Instant) -> Option<Instant> {
        let apart = APART * 2u32.pow(self.unanswered.saturating_sub(PATIENT).min(3));
        let next = self
            .asked
            .map_or(now, |asked| asked + apart.min(APART_AT_MOST));
        self.wanted.then_some(next)
    }

    /// Whether to ask right now; if so it is taken as done. It is repeated until a keyframe arrives.
    pub fn ask(&mut self, now: Instant) -> bool {
        let is_time = self.deadline(now).is_some_and(|at| at <= now);
        if is_time {
            self.asked = Some(now);
            self.unanswered += 1;
        }
        is_time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_hundred_wishes_are_one_question() {
        let (mut requests, start) = (KeyframeRequests::default(), Instant::now());
        assert!(!requests.ask(start));
        let asked = (0..100).filter(|step| {
            requests.want();
            requests.ask(start + ms(*step))
        });
        assert_eq!(asked.count(), 1);
    }

    #[test]
    fn the_question_is_repeated_until_a_keyframe_arrives() {
        let (mut requests, start) = (KeyframeRequests::default(), Instant::now());
        requests.want();
        assert!(requests.ask(start));
        assert_eq!(requests.deadline(start), Some(start + APART));
        assert!(requests.ask(start + APART));
        requests.arrived();
        assert_eq!(requests.deadline(start + APART), None);
    }

    #[test]
    fn a_wish_right_behind_a_keyframe_waits_its_time() {
        let (mut requests, start) = (KeyframeRequests::default(), Instant::now());
        requests.want();
        requests.ask(start);
        requests.arrived();
        requests.want();
        assert!(!requests.ask(start + ms(100)));
        assert!(requests.ask(start + APART));
    }

    #[test]
    fn a_silent_publisher_is_asked_less_and_less() {
        let (mut requests, start) = (KeyframeRequests::default(), Instant::now());
        requests.want();
        let asked = (0..60_000).filter(|step| requests.ask(start + ms(*step)));
        assert!((10..=25).contains(&asked.count()));
    }
}
