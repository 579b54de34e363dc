//! Who wants to be looked after, and when.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

use super::hash::FastMap;
use super::{RoomId, TransportId};

/// Whoever has something to do at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Who {
    Transport(TransportId),
    Room(RoomId),
}

/// One live entry each. Asking for the same time or a later one costs a look, so that packets may ask freely; an
/// earlier one leaves the old entry behind, which is passed over when its time comes.
#[derive(Debug, Default)]
pub struct Deadlines {
    heap: BinaryHeap<Reverse<(Instant, Who)>>,
    live: FastMap<Who, Instant>,
}

impl Deadlines {
    /// Look after `who` at `at`, or before if that was asked for already.
    pub fn ask(&mut self, who: Who, at: Instant) {
        if self.live.get(&who).is_some_and(|live| *live <= at) {
            return;
        }
        self.live.insert(who, at);
        self.heap.push(Reverse((at, who)));
    }

    pub fn forget(&mut self, who: Who) {
        self.live.remove(&who);
    }

    /// The next one whose time has come. It has to ask again.
    pub fn take_due(&mut self, now: Instant) -> Option<Who> {
        let (at, who) = self.peek()?;
        if at > now {
            return None;
        }
        self.heap.pop();
        self.live.remove(&who);
        Some(who)
    }

    pub fn next(&mut self) -> Option<Instant> {
        self.peek().map(|(at, _)| at)
    }

    fn peek(&mut self) -> Option<(Instant, Who)> {
        while let Some(Reverse((at, who))) = self.heap.peek().copied() {
            if self.live.get(&who) == Some(&at) {
                return Some((at, who));
            }
            self.heap.pop();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const ANN: Who = Who::Transport(TransportId(1));
    const BOB: Who = Who::Transport(TransportId(2));

    #[test]
    fn the_earliest_comes_first_and_only_once() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut deadlines = Deadlines::default();
        deadlines.ask(ANN, at(50));
        deadlines.ask(BOB, at(20));
        deadlines.ask(ANN, at(10));
        deadlines.ask(ANN, at(30));
        assert_eq!(deadlines.next(), Some(at(10)));
        assert_eq!(deadlines.take_due(at(25)), Some(ANN));
        assert_eq!(deadlines.take_due(at(25)), Some(BOB));
        assert_eq!(deadlines.take_due(at(99)), None);
        assert_eq!(deadlines.next(), None);
    }

    #[test]
    fn the_forgotten_are_not_woken() {
        let start = Instant::now();
        let mut deadlines = Deadlines::default();
        deadlines.ask(ANN, start);
        deadlines.forget(ANN);
        assert_eq!(deadlines.take_due(start), None);
    }
}
