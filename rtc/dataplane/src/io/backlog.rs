//! Datagrams that a full socket did not take. Bounded; the oldest go first, since late media is worth least.

use std::collections::VecDeque;

use crate::core::{Path, Transmit};

#[derive(Debug, Default)]
pub struct Backlog {
    held: VecDeque<Held>,
    bytes: usize,
}

/// One datagram that waits.
#[derive(Debug)]
pub struct Held {
    path: Path,
    contents: Vec<u8>,
}

impl Backlog {
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Keep a copy, and tell how many older datagrams were dropped for it.
    pub fn push(&mut self, transmit: &Transmit<'_>) -> u64 {
        for contents in transmit.datagrams() {
            self.bytes += contents.len();
            self.held.push_back(Held {
                path: transmit.path,
                contents: contents.to_vec(),
            });
        }
        let mut dropped = 0;
        while self.bytes > CAPACITY {
            self.take();
            dropped += 1;
        }
        dropped
    }

    pub fn take(&mut self) -> Option<Held> {
        let held = self.held.pop_front()?;
        self.bytes -= held.contents.len();
        Some(held)
    }

    pub fn put_back(&mut self, held: Held) {
        self.bytes += held.contents.len();
        self.held.push_front(held);
    }
}

impl Held {
    pub fn datagram(&self) -> Transmit<'_> {
        Transmit {
            path: self.path,
            contents: &self.contents,
            segment_size: None,
        }
    }
}

/// Bytes: 80 ms at 100 Mbit/s, beyond which a receiver's jitter buffer has given up.
const CAPACITY: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::Protocol;

    fn path() -> Path {
        let local = "127.0.0.1:1".parse().unwrap();
        Path {
            protocol: Protocol::Udp,
            local,
            remote: local,
        }
    }

    #[test]
    fn the_oldest_make_room() {
        let mut backlog = Backlog::default();
        let contents = vec![0; 1_000];
        let dropped: u64 = (0..2_000)
            .map(|_| {
                backlog.push(&Transmit {
                    path: path(),
                    contents: &contents,
                    segment_size: None,
                })
            })
            .sum();
        assert_eq!(dropped, 2_000 - (CAPACITY / 1_000) as u64);
        assert!(backlog.bytes <= CAPACITY);
    }

    #[test]
    fn a_run_is_kept_as_its_datagrams_in_order() {
        let mut backlog = Backlog::default();
        backlog.push(&Transmit {
            path: path(),
            contents: b"aabbc",
            segment_size: Some(2),
        });
        let kept: Vec<Vec<u8>> = std::iter::from_fn(|| backlog.take())
            .map(|held| held.contents)
            .collect();
        assert_eq!(kept, [b"aa".to_vec(), b"bb".to_vec(), b"c".to_vec()]);
        assert!(backlog.is_empty());
    }
}
