//! When a sink's sender reports are due.
//!
//! A receiver needs two of them on both streams before it holds lips and sound together; Chrome's own first two come
//! after 2 and 5 s. So a switch is followed by a burst.

use super::time::Micros;

/// After a switch: at once, twice more within the second, then every second.
const BURST: [Micros; 3] = [300_000, 400_000, 300_000];
const EVERY: Micros = 1_000_000;

#[derive(Clone, Copy, Debug, Default)]
pub struct SenderReports {
    next: Option<Micros>,
    sent_since_switch: usize,
}

impl SenderReports {
    /// The line from timestamps to time has begun anew.
    pub fn burst(&mut self, now: Micros) {
        self.next = Some(now);
        self.sent_since_switch = 0;
    }

    pub fn stop(&mut self) {
        self.next = None;
    }

    pub fn deadline(&self) -> Option<Micros> {
        self.next
    }

    /// Whether to send one now; if so it counts as sent.
    pub fn take(&mut self, now: Micros) -> bool {
        let due = self.next.is_some_and(|next| next <= now);
        if due {
            let pause = BURST.get(self.sent_since_switch).copied().unwrap_or(EVERY);
            self.next = Some(now + pause);
            self.sent_since_switch += 1;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_is_followed_by_a_burst_and_then_by_one_a_second() {
        let mut reports = SenderReports::default();
        assert!(!reports.take(0));
        reports.burst(0);
        let sent: Vec<Micros> = (0..400)
            .map(|step| step * 10_000)
            .filter(|now| reports.take(*now))
            .collect();
        assert_eq!(sent, [0, 300_000, 700_000, 1_000_000, 2_000_000, 3_000_000]);
    }
}
