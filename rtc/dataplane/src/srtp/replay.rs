//! Which packets of a stream were seen, and what their rollover counter is (RFC 3711 section 3.3).

use crate::wire::sequence::extend16;

/// Packets that may come late. The RFC asks for 64 at least; at 2,000 packets a second this is half a second.
const WINDOW: u64 = 1024;
const WORDS: usize = (WINDOW / 64) as usize;

/// Remembers the last 1,024 indexes of a stream.
#[derive(Clone, Debug, Default)]
pub struct ReplayWindow {
    /// One more than the highest accepted index; zero before the first.
    next: u64,
    seen: [u64; WORDS],
}

impl ReplayWindow {
    /// Whether a packet of this index may be new: neither seen nor older than the window.
    pub fn check(&self, index: u64) -> bool {
        if index >= self.next {
            return true;
        }
        index + WINDOW >= self.next && self.seen[word(index)] & bit(index) == 0
    }

    /// A packet of this index was authentic. Call it only for what `check` allowed.
    pub fn accept(&mut self, index: u64) {
        if index >= self.next {
            self.forget(index);
            self.next = index + 1;
        }
        self.seen[word(index)] |= bit(index);
    }

    /// Makes room for everything up to `index`: those places belong to older packets.
    fn forget(&mut self, index: u64) {
        if index - self.next >= WINDOW {
            self.seen = [0; WORDS];
            return;
        }
        for passed in self.next..=index {
            self.seen[word(passed)] &= !bit(passed);
        }
    }
}

fn word(index: u64) -> usize {
    (index / 64) as usize % WORDS
}

fn bit(index: u64) -> u64 {
    1 << (index % 64)
}

/// Guesses the 48-bit index of a packet from its 16-bit sequence number (section 3.3.1).
#[derive(Clone, Copy, Debug, Default)]
pub struct RocEstimator {
    highest: Option<u64>,
}

impl RocEstimator {
    /// The index, rollover counter times 65,536 plus sequence number. A stream begins with a counter of zero.
    pub fn estimate(&self, sequence_number: u16) -> u64 {
        match self.highest {
            Some(highest) => extend16(highest, sequence_number),
            None => u64::from(sequence_number),
        }
    }

    /// A packet of this index was authentic.
    pub fn update(&mut self, index: u64) {
        self.highest = self.highest.max(Some(index));
    }
}

/// The rollover counter of an index.
pub fn roc(index: u64) -> u32 {
    (index >> 16) as u32
}
