//! The plane itself: takes input, holds everything, gives output.

use std::time::Instant;

use super::{Config, Counters, Input, Output, Transmit};

/// All rooms of one worker.
pub struct Plane {
    counters: Counters,
}

impl Plane {
    /// `seed` decides everything that is random, so that a run can be repeated.
    pub fn new(_config: Config, _seed: u64) -> Self {
        Self {
            counters: Counters::default(),
        }
    }

    /// Takes one input. What it brings about comes out of `poll`; all that is handed in before that is one batch.
    pub fn handle(&mut self, _now: Instant, _input: Input<'_>) {}

    /// The next thing to do. Call until it answers `Timeout`.
    pub fn poll(&mut self, _now: Instant) -> Output<'_> {
        Output::Timeout(None)
    }

    /// Many transmits at once, for drivers that send several with one system call: call until it answers none.
    ///
    /// They are the same that `poll` would give one by one. One answer is bounded (about 256 KiB).
    pub fn transmits(&mut self, _now: Instant) -> impl Iterator<Item = Transmit<'_>> {
        std::iter::empty()
    }

    pub fn counters(&self) -> &Counters {
        &self.counters
    }
}
