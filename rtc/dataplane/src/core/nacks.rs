//! What is missing from one source, and when to ask its publisher for it (RFC 4585 section 6.2.1).

use std::time::{Duration, Instant};

#[cfg(test)]
mod tests;

/// Reordering settles within this time or this many later packets, as TCP's three duplicate acknowledgements say.
const PATIENCE: Duration = Duration::from_millis(10);
const LATER_PACKETS: u64 = 3;
/// A repeated question goes out no sooner than this, however near the publisher is.
const SHORTEST_RETRY: Duration = Duration::from_millis(20);
/// With the usual round trips this is up to a second: what comes later than that is not shown any more.
const MAX_TRIES: u8 = 10;
const GIVE_UP_AFTER: Duration = Duration::from_secs(1);
/// Missing packets that are remembered. More than that at once is an outage: a keyframe is the cheaper repair.
const MAX_MISSING: usize = 256;

#[derive(Clone, Copy, Debug)]
struct Missing {
    sequence: u64,
    since: Instant,
    tries: u8,
    asked: Option<Instant>,
}

/// Keeps the holes in a sequence of packets, oldest first.
#[derive(Debug, Default)]
pub struct Nacks {
    missing: Vec<Missing>,
    highest: Option<u64>,
    /// A hole was given up: only a keyframe helps.
    hopeless: bool,
}

impl Nacks {
    /// A packet came. Answers when it was asked for last, if it was.
    pub fn receive(&mut self, now: Instant, sequence: u64) -> Option<Instant> {
        let Some(highest) = self.highest else {
            self.highest = Some(sequence);
            return None;
        };
        if sequence > highest {
            self.highest = Some(sequence);
            self.miss(now, highest + 1..sequence);
            return None;
        }
        let find = self
            .missing
            .binary_search_by_key(&sequence, |missing| missing.sequence);
        find.ok().and_then(|index| self.missing.remove(index).asked)
    }

    fn miss(&mut self, now: Instant, hole: std::ops::Range<u64>) {
        if self.missing.len() as u64 + (hole.end - hole.start) > MAX_MISSING as u64 {
            self.missing.clear();
            self.hopeless = true;
            return;
        }
        self.missing.extend(hole.map(|sequence| Missing {
            sequence,
            since: now,
            tries: 0,
            asked: None,
        }));
    }

    /// Begin anew, after a jump that is no loss.
    pub fn restart(&mut self) {
        *self = Self::default();
    }

    /// Whether something was given up since the last call.
    pub fn take_hopeless(&mut self) -> bool {
        std::mem::take(&mut self.hopeless)
    }

    pub fn is_complete(&self) -> bool {
        self.missing.is_empty()
    }

    /// Hands out what is to be asked for now. Call when a batch is complete, not for every packet.
    pub fn ask(&mut self, now: Instant, rtt: Duration, mut ask: impl FnMut(u16)) {
        let retry = rtt.max(SHORTEST_RETRY);
        let highest = self.highest.unwrap_or(0);
        let hopeless = &mut self.hopeless;
        self.missing.retain_mut(|missing| {
            if missing.due(highest, retry) > now {
                return true;
            }
            if missing.tries == MAX_TRIES || now.duration_since(missing.since) >= GIVE_UP_AFTER {
                *hopeless = true;
                return false;
            }
            missing.tries += 1;
            missing.asked = Some(now);
            ask(missing.sequence as u16);
            true
        });
    }

    /// When `ask` would have something to do.
    pub fn deadline(&self, rtt: Duration) -> Option<Instant> {
        let retry = rtt.max(SHORTEST_RETRY);
        let highest = self.highest.unwrap_or(0);
        self.missing
            .iter()
            .map(|missing| missing.due(highest, retry))
            .min()
    }
}

impl Missing {
    fn due(&self, highest: u64, retry: Duration) -> Instant {
        match self.asked {
            Some(asked) => asked + retry,
            None if self.sequence + LATER_PACKETS <= highest => self.since,
            None => self.since + PATIENCE,
        }
    }
}
