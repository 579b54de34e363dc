//! Events on their way to Python. Bounded, and no state is lost:
//!
//! - DTLS datagrams: at most `DTLS_WAITING`, further ones are dropped and counted; DTLS repeats them.
//! - State (paths, sources, sinks, speakers, statistics): never dropped. While more than `CROWDED` events wait,
//!   a newer state of the same thing takes the place of the older one, so that what waits is bounded by the
//!   number of things there are.

use std::collections::{HashMap, VecDeque};

use crate::core::{Event, RoomId, SinkId, SourceId, TransportId};

/// What a worker tells its owner.
#[derive(Debug)]
pub enum Notice {
    Plane(Event),
    Failed(Failure),
}

/// A worker hit a bug and began anew; what it held is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub worker: usize,
    pub rooms: Vec<RoomId>,
    pub transports: Vec<TransportId>,
    pub reason: String,
}

#[derive(Debug, Default)]
pub struct EventQueue {
    waiting: VecDeque<Option<Notice>>,
    /// The position of the first waiting notice, counted since the beginning.
    first: u64,
    /// Where the latest state of each thing waits.
    latest: HashMap<Subject, u64>,
    dtls: usize,
    /// Places of superseded states that still lie in `waiting`.
    holes: usize,
}

/// What became of a notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    Queued,
    /// It took the place of an older state of the same thing.
    Merged,
    Dropped,
}

impl EventQueue {
    pub fn push(&mut self, notice: Notice) -> Pushed {
        let Some(subject) = Subject::of(&notice) else {
            return self.push_datagram(notice);
        };
        let merged = self.waiting.len() >= CROWDED && self.supersede(subject);
        self.latest
            .insert(subject, self.first + self.waiting.len() as u64);
        self.waiting.push_back(Some(notice));
        if merged {
            Pushed::Merged
        } else {
            Pushed::Queued
        }
    }

    pub fn pop(&mut self) -> Option<Notice> {
        while let Some(slot) = self.waiting.pop_front() {
            let position = self.first;
            self.first += 1;
            let Some(notice) = slot else {
                self.holes -= 1;
                continue;
            };
            match Subject::of(&notice) {
                None => self.dtls -= 1,
                Some(subject) if self.latest.get(&subject) == Some(&position) => {
                    self.latest.remove(&subject);
                }
                Some(_) => {}
            }
            return Some(notice);
        }
        None
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.len() == self.holes
    }

    fn push_datagram(&mut self, notice: Notice) -> Pushed {
        if self.dtls == DTLS_WAITING {
            return Pushed::Dropped;
        }
        self.dtls += 1;
        self.waiting.push_back(Some(notice));
        Pushed::Queued
    }

    fn supersede(&mut self, subject: Subject) -> bool {
        let Some(&position) = self.latest.get(&subject) else {
            return false;
        };
        self.waiting[(position - self.first) as usize] = None;
        self.holes += 1;
        if self.holes > self.waiting.len() / 2 {
            self.close_up();
        }
        true
    }

    /// Remove the holes, so that they never outnumber what waits.
    fn close_up(&mut self) {
        self.waiting.retain(Option::is_some);
        self.holes = 0;
        let first = self.first;
        self.latest.clear();
        for (index, notice) in self.waiting.iter().enumerate() {
            if let Some(subject) = notice.as_ref().and_then(Subject::of) {
                self.latest.insert(subject, first + index as u64);
            }
        }
    }
}

/// The thing whose state a notice tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Subject {
    Path(TransportId),
    Liveness(SourceId),
    Layer(SourceId),
    Sink(SinkId),
    Speakers(RoomId),
    Stats(u64),
    Worker(usize),
}

impl Subject {
    /// `None` for DTLS datagrams, which are no state.
    fn of(notice: &Notice) -> Option<Self> {
        let event = match notice {
            Notice::Failed(failure) => return Some(Self::Worker(failure.worker)),
            Notice::Plane(event) => event,
        };
        Some(match *event {
            Event::Dtls { .. } => return None,
            Event::PathSelected { transport, .. } | Event::ConsentLost { transport } => {
                Self::Path(transport)
            }
            Event::SourceActive { source, .. } | Event::SourceIdle { source } => {
                Self::Liveness(source)
            }
            Event::SourceLayer { source, .. } => Self::Layer(source),
            Event::SinkSwitched { sink, .. } => Self::Sink(sink),
            Event::Speakers { room, .. } => Self::Speakers(room),
            Event::Stats { token, .. } => Self::Stats(token),
        })
    }
}

/// About 6 MB of datagrams, or 800 handshakes at once.
const DTLS_WAITING: usize = 4_096;
/// Python takes thousands a second; more than this means that it stalls.
const CROWDED: usize = 8_192;

#[cfg(test)]
mod tests {
    use super::*;

    fn idle(source: u32) -> Notice {
        Notice::Plane(Event::SourceIdle {
            source: SourceId(source),
        })
    }

    fn active(source: u32) -> Notice {
        Notice::Plane(Event::SourceActive {
            source: SourceId(source),
            ssrc: 1,
            codec_key: 1,
        })
    }

    fn dtls() -> Notice {
        Notice::Plane(Event::Dtls {
            transport: TransportId(1),
            data: vec![22],
        })
    }

    fn drain(queue: &mut EventQueue) -> Vec<Notice> {
        std::iter::from_fn(|| queue.pop()).collect()
    }

    #[test]
    fn events_come_out_in_order() {
        let mut queue = EventQueue::default();
        for source in 0..3 {
            queue.push(active(source));
        }
        queue.push(dtls());
        queue.push(idle(0));
        let names: Vec<String> = drain(&mut queue)
            .iter()
            .map(|notice| format!("{notice:?}"))
            .collect();
        assert_eq!(names.len(), 5);
        assert!(names[0].contains("SourceActive") && names[4].contains("SourceIdle"));
        assert!(queue.is_empty());
    }

    #[test]
    fn dtls_beyond_its_bound_is_dropped_and_state_is_not() {
        let mut queue = EventQueue::default();
        for _ in 0..DTLS_WAITING {
            assert_eq!(queue.push(dtls()), Pushed::Queued);
        }
        assert_eq!(queue.push(dtls()), Pushed::Dropped);
        assert_eq!(queue.push(active(1)), Pushed::Queued);
        queue.pop();
        assert_eq!(queue.push(dtls()), Pushed::Queued);
    }

    #[test]
    fn while_python_stalls_the_queue_is_bounded_by_what_there_is() {
        let mut queue = EventQueue::default();
        for round in 0..20 * CROWDED {
            let source = (round % 100) as u32;
            queue.push(if round / 100 % 2 == 0 {
                active(source)
            } else {
                idle(source)
            });
        }
        assert!(
            queue.waiting.len() <= 2 * CROWDED + 100,
            "{} wait",
            queue.waiting.len()
        );
    }

    #[test]
    fn the_last_state_of_each_thing_survives_a_stall() {
        let mut queue = EventQueue::default();
        for _ in 0..2 * CROWDED {
            queue.push(active(1));
            queue.push(idle(1));
            queue.push(active(2));
        }
        let mut last = HashMap::new();
        for notice in drain(&mut queue) {
            last.insert(Subject::of(&notice), format!("{notice:?}"));
        }
        assert!(last[&Some(Subject::Liveness(SourceId(1)))].contains("SourceIdle"));
        assert!(last[&Some(Subject::Liveness(SourceId(2)))].contains("SourceActive"));
    }
}
