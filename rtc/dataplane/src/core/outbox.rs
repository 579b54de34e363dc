//! Datagrams that wait to be taken by the driver, in runs of equal size that one system call can send (UDP GSO).
//!
//! Bound: a chunk is handed out when it holds `CHUNK` bytes, before more is encrypted, so that what is sent is still in
//! the processor's cache. Answers to input (STUN, RTCP) come on top, one datagram for one, and what is forwarded in
//! the middle of a batch (`forward_at_once`).

use super::{Path, Transmit};

#[cfg(test)]
mod tests;

const CHUNK: usize = 256 << 10;
/// The kernel's own limits (UDP_MAX_SEGMENTS of older ones, and an IP packet).
const MAX_SEGMENTS: usize = 64;
const MAX_RUN: usize = 65_000;

#[derive(Clone, Copy, Debug)]
struct Run {
    path: Path,
    start: usize,
    end: usize,
    segment: usize,
    segments: usize,
    /// Its last datagram is shorter: nothing can follow.
    closed: bool,
}

#[derive(Debug, Default)]
pub struct Outbox {
    bytes: Vec<u8>,
    runs: Vec<Run>,
    /// Runs that the driver has taken.
    taken: usize,
    /// All that was ever left here.
    pub datagrams: u64,
    pub total_bytes: u64,
}

impl Outbox {
    /// Whether the driver should take what there is before more is made.
    pub fn is_full(&self) -> bool {
        self.bytes.len() >= CHUNK
    }

    /// Nothing is left to take. Its memory is used again.
    pub fn is_empty(&self) -> bool {
        self.taken == self.runs.len()
    }

    fn reuse(&mut self) {
        if self.is_empty() {
            self.bytes.clear();
            // Once in a while a batch is forwarded as a whole: its memory is not kept.
            self.bytes.shrink_to(2 * CHUNK);
            self.runs.clear();
            self.taken = 0;
        }
    }

    /// One datagram, which `write` appends.
    pub fn send(&mut self, path: Path, write: impl FnOnce(&mut Vec<u8>)) {
        let sent = self.try_send(path, |bytes| {
            write(bytes);
            Some(())
        });
        debug_assert!(sent.is_some(), "writing cannot fail");
    }

    /// One datagram, which `write` appends; if it answers `None`, what it appended is taken back. Answers the length.
    pub fn try_send(
        &mut self,
        path: Path,
        write: impl FnOnce(&mut Vec<u8>) -> Option<()>,
    ) -> Option<usize> {
        self.reuse();
        let start = self.bytes.len();
        if write(&mut self.bytes).is_none() {
            self.bytes.truncate(start);
            return None;
        }
        let end = self.bytes.len();
        self.append(path, start, end);
        self.datagrams += 1;
        self.total_bytes += (end - start) as u64;
        Some(end - start)
    }

    fn append(&mut self, path: Path, start: usize, end: usize) {
        let len = end - start;
        let open = self.runs[self.taken..].last_mut();
        if let Some(run) = open.filter(|run| run.takes(path, start, len)) {
            run.end = end;
            run.segments += 1;
            run.closed = len < run.segment;
            return;
        }
        self.runs.push(Run {
            path,
            start,
            end,
            segment: len,
            segments: 1,
            closed: false,
        });
    }

    pub fn take(&mut self) -> Option<Transmit<'_>> {
        let run = self.runs.get(self.taken)?;
        self.taken += 1;
        Some(run.transmit(&self.bytes))
    }

    /// All at once.
    pub fn take_all(&mut self) -> impl Iterator<Item = Transmit<'_>> {
        let first = std::mem::replace(&mut self.taken, self.runs.len());
        self.runs[first..]
            .iter()
            .map(|run| run.transmit(&self.bytes))
    }
}

impl Run {
    fn takes(&self, path: Path, start: usize, len: usize) -> bool {
        !self.closed
            && self.path == path
            && self.end == start
            && len <= self.segment
            && self.segments < MAX_SEGMENTS
            && start + len - self.start <= MAX_RUN
    }

    fn transmit<'a>(&self, bytes: &'a [u8]) -> Transmit<'a> {
        Transmit {
            path: self.path,
            contents: &bytes[self.start..self.end],
            segment_size: (self.segments > 1).then_some(self.segment),
        }
    }
}
