//! When a packet was captured, on the server's clock.
//!
//! A publisher's own NTP time is never passed on: two publishers' clocks that are 3 s apart make a receiver's video buffer
//! climb without end. Its sender reports only say how its RTP clocks hang together; one offset per participant
//! moves them to our clock.

use super::time::{Micros, ticks, ticks_to_micros};
use crate::wire::sequence::Extender32;

#[cfg(test)]
mod tests;

/// A minimum older than two of these is forgotten: clocks drift by up to 50 ms in a thousand seconds.
const OFFSET_WINDOW: Micros = 120_000_000;

/// Receivers are told at once of a change beyond this, and of others with the next report.
const NOTABLE: Micros = 2_000;

/// A line through arrivals that is this far off was broken by a pause or a restart, unless the packet only came late.
const BROKEN_LINE: Micros = 500_000;

/// What is to be added to a participant's NTP time: the least of arrival - NTP over its sender reports.
#[derive(Clone, Copy, Debug, Default)]
pub struct ParticipantClock {
    least: Option<Micros>,
    least_before: Option<Micros>,
    window_began: Micros,
}

impl ParticipantClock {
    /// A sender report came. Answers whether the offset has changed notably.
    pub fn observe(&mut self, arrival: Micros, ntp: Micros) -> bool {
        let before = self.offset();
        if arrival - self.window_began >= OFFSET_WINDOW {
            self.least_before = self.least.take();
            self.window_began = arrival;
        }
        let offset = arrival - ntp;
        self.least = Some(self.least.map_or(offset, |least| least.min(offset)));
        let change = before
            .zip(self.offset())
            .map(|(before, now)| (now - before).abs());
        change.is_none_or(|change| change > NOTABLE)
    }

    pub fn offset(&self) -> Option<Micros> {
        self.least.into_iter().chain(self.least_before).min()
    }
}

/// A moment on a source's RTP clock and on a clock of microseconds.
#[derive(Clone, Copy, Debug)]
struct Mark {
    timestamp: u64,
    micros: Micros,
}

/// One source's RTP clock.
#[derive(Clone, Debug)]
pub struct Timing {
    clock_rate: u32,
    timestamps: Extender32,
    /// From the newest sender report, on the participant's NTP clock.
    report: Option<Mark>,
    /// The packet that was under way for the shortest time, for as long as there is no report.
    swiftest: Option<Mark>,
}

impl Timing {
    pub fn new(clock_rate: u32) -> Self {
        Self {
            clock_rate: clock_rate.max(1),
            timestamps: Extender32::default(),
            report: None,
            swiftest: None,
        }
    }

    /// Another payload type may run on another clock, which says nothing about the old one.
    pub fn set_clock_rate(&mut self, clock_rate: u32) {
        if clock_rate != self.clock_rate {
            *self = Self::new(clock_rate);
        }
    }

    pub fn clock_rate(&self) -> u32 {
        self.clock_rate
    }

    /// A packet came. Answers when it was captured on the server's clock.
    pub fn receive(&mut self, timestamp: u32, arrival: Micros, offset: Option<Micros>) -> Micros {
        let timestamp = self.timestamps.extend(timestamp);
        self.note_arrival(timestamp, arrival);
        self.captured(timestamp, offset).unwrap_or(arrival)
    }

    fn note_arrival(&mut self, timestamp: u64, arrival: Micros) {
        let mark = Mark {
            timestamp,
            micros: arrival,
        };
        let late = self
            .swiftest
            .map(|swiftest| arrival - self.on(swiftest, timestamp));
        let is_newest = self.timestamps.highest() == Some(timestamp);
        if late.is_none_or(|late| late < 0 || (late > BROKEN_LINE && is_newest)) {
            self.swiftest = Some(mark);
        }
    }

    /// A sender report: this timestamp was captured at this time of the participant's own. Answers whether it is the first.
    pub fn report(&mut self, timestamp: u32, ntp: Micros) -> bool {
        let timestamp = self.timestamps.peek(timestamp);
        let mark = Mark {
            timestamp,
            micros: ntp,
        };
        self.report.replace(mark).is_none()
    }

    /// The timestamp of what is captured at `at` on the server's clock.
    pub fn timestamp_at(&self, at: Micros, offset: Option<Micros>) -> Option<u32> {
        let mark = self.mark(offset)?;
        let since = ticks(at - mark.micros, self.clock_rate);
        Some(mark.timestamp.wrapping_add_signed(since) as u32)
    }

    fn captured(&self, timestamp: u64, offset: Option<Micros>) -> Option<Micros> {
        Some(self.on(self.mark(offset)?, timestamp))
    }

    fn mark(&self, offset: Option<Micros>) -> Option<Mark> {
        let reported = self.report.zip(offset).map(|(report, offset)| Mark {
            micros: report.micros + offset,
            ..report
        });
        reported.or(self.swiftest)
    }

    fn on(&self, mark: Mark, timestamp: u64) -> Micros {
        let since = timestamp.wrapping_sub(mark.timestamp) as i64;
        mark.micros + ticks_to_micros(since, self.clock_rate)
    }
}
