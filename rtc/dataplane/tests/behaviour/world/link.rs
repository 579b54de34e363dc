//! The bad wire: seeded loss, delay, jitter and duplication, for each direction.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use _dataplane::core::Path;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum To {
    Plane,
    Peer(usize),
}

/// What a direction does to datagrams. Jitter beyond the spacing of packets reorders them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Conditions {
    pub delay: Duration,
    pub jitter: Duration,
    /// 0 to 1.
    pub loss: f64,
    pub duplicate: f64,
    pub cut: bool,
}

/// Arrival, order of sending, and what it is.
type Flying = (Instant, u64, To, Path, Vec<u8>);

pub struct Link {
    pub up: Conditions,
    pub down: Conditions,
    random: Random,
    order: u64,
    flying: BinaryHeap<Reverse<Flying>>,
}

impl Link {
    pub fn new(seed: u64) -> Self {
        Self {
            up: Conditions::default(),
            down: Conditions::default(),
            random: Random(seed | 1),
            order: 0,
            flying: BinaryHeap::new(),
        }
    }

    pub fn both(&mut self, conditions: Conditions) {
        self.up = conditions;
        self.down = conditions;
    }

    pub fn send(&mut self, now: Instant, to: To, path: Path, datagram: Vec<u8>) {
        let conditions = match to {
            To::Plane => self.up,
            To::Peer(_) => self.down,
        };
        if conditions.cut || self.random.chance() < conditions.loss {
            return;
        }
        let copies = if self.random.chance() < conditions.duplicate {
            2
        } else {
            1
        };
        for _ in 0..copies {
            let at = now + conditions.delay + conditions.jitter.mul_f64(self.random.chance());
            self.order += 1;
            self.flying
                .push(Reverse((at, self.order, to, path, datagram.clone())));
        }
    }

    pub fn next(&self) -> Option<Instant> {
        self.flying.peek().map(|Reverse((at, ..))| *at)
    }

    pub fn arrived(&mut self, now: Instant) -> Vec<(To, Path, Vec<u8>)> {
        let mut arrived = Vec::new();
        while self.next().is_some_and(|at| at <= now) {
            if let Some(Reverse((_, _, to, path, datagram))) = self.flying.pop() {
                arrived.push((to, path, datagram));
            }
        }
        arrived
    }
}

/// Xorshift: the same run for the same seed.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn chance(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}
