//! How the timestamps of a sink go on when its source changes.

use super::Kind;
use super::time::{Micros, ticks};

/// Opus in WebRTC comes in whole frames of this length; a receiver conceals what is between.
const AUDIO_FRAME: Micros = 20_000;
/// Two pictures are never less apart.
const LEAST_VIDEO_STEP: Micros = 1_000;
/// How much more time than really passed a publisher's clock may claim to have passed.
const MAX_LEAP: Micros = 500_000;

/// The times of one packet.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    pub timestamp: u32,
    /// Both on the server's clock.
    pub captured: Micros,
    pub arrival: Micros,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Timeline {
    /// The newest that was sent, with the timestamp that it got.
    last: Option<Moment>,
}

impl Timeline {
    /// What to add to the timestamps of a source whose packet `first` is next. `start` is used on the very first.
    pub fn shift(&self, kind: Kind, clock_rate: u32, first: Moment, start: u32) -> u32 {
        let Some(last) = self.last else {
            return start.wrapping_sub(first.timestamp);
        };
        let elapsed = (first.arrival - last.arrival).max(0);
        let step = match kind {
            Kind::Audio => AUDIO_FRAME * ((elapsed + AUDIO_FRAME / 2) / AUDIO_FRAME).max(1),
            Kind::Video => {
                let captured = first.captured - last.captured;
                captured.clamp(LEAST_VIDEO_STEP, LEAST_VIDEO_STEP + elapsed + MAX_LEAP)
            }
        };
        let next = last.timestamp.wrapping_add(ticks(step, clock_rate) as u32);
        next.wrapping_sub(first.timestamp)
    }

    /// A packet went out with the timestamp in `moment`. Late ones change nothing.
    pub fn sent(&mut self, moment: Moment) {
        let newer = |last: Moment| (moment.timestamp.wrapping_sub(last.timestamp) as i32) >= 0;
        if self.last.is_none_or(newer) {
            self.last = Some(moment);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(timestamp: u32, captured: Micros, arrival: Micros) -> Moment {
        Moment {
            timestamp,
            captured,
            arrival,
        }
    }

    fn after(kind: Kind, clock_rate: u32, first: Moment) -> u32 {
        let mut timeline = Timeline::default();
        timeline.sent(moment(10_000, 1_000_000, 1_050_000));
        let shift = timeline.shift(kind, clock_rate, first, 0);
        first.timestamp.wrapping_add(shift).wrapping_sub(10_000)
    }

    #[test]
    fn audio_goes_on_by_whole_frames() {
        for (elapsed, frames) in [(0, 1), (9_000, 1), (29_000, 1), (31_000, 2), (200_000, 10)] {
            let first = moment(77, 5_000_000, 1_050_000 + elapsed);
            assert_eq!(after(Kind::Audio, 48_000, first), frames * 960, "{elapsed}");
        }
    }

    #[test]
    fn video_goes_on_by_capture_time_and_at_least_a_millisecond() {
        assert_eq!(
            after(Kind::Video, 90_000, moment(5, 1_033_000, 1_060_000)),
            2970
        );
        assert_eq!(
            after(Kind::Video, 90_000, moment(5, 900_000, 1_060_000)),
            90
        );
    }

    #[test]
    fn a_clock_that_leaps_is_not_believed() {
        let first = moment(5, 900_000_000, 1_060_000);
        assert_eq!(after(Kind::Video, 90_000, first), 90 * (1 + 10 + 500));
    }

    #[test]
    fn a_late_packet_does_not_turn_time_back() {
        let mut timeline = Timeline::default();
        timeline.sent(moment(10_000, 0, 0));
        timeline.sent(moment(7_000, 0, 0));
        let shift = timeline.shift(Kind::Audio, 48_000, moment(0, 0, 0), 0);
        assert_eq!(shift, 10_960);
    }
}
