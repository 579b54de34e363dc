//! A hash for keys that nobody hostile chooses: our own handles, and addresses that a check has validated.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

pub type FastMap<K, V> = HashMap<K, V, BuildHasherDefault<FastHasher>>;

/// Multiply and rotate, a few cycles for each word (the idea is Firefox's).
#[derive(Clone, Copy, Default)]
pub struct FastHasher {
    state: u64,
}

impl FastHasher {
    fn add(&mut self, word: u64) {
        self.state = (self.state.rotate_left(5) ^ word).wrapping_mul(MULTIPLIER);
    }
}

impl Hasher for FastHasher {
    fn write(&mut self, bytes: &[u8]) {
        let mut chunks = bytes.chunks_exact(8);
        for chunk in &mut chunks {
            let mut word = [0; 8];
            word.copy_from_slice(chunk);
            self.add(u64::from_le_bytes(word));
        }
        let mut word = [0; 8];
        word[..chunks.remainder().len()].copy_from_slice(chunks.remainder());
        self.add(u64::from_le_bytes(word) ^ ((bytes.len() as u64) << 56));
    }

    fn write_u8(&mut self, value: u8) {
        self.add(u64::from(value));
    }

    fn write_u16(&mut self, value: u16) {
        self.add(u64::from(value));
    }

    fn write_u32(&mut self, value: u32) {
        self.add(u64::from(value));
    }

    fn write_u64(&mut self, value: u64) {
        self.add(value);
    }

    fn write_usize(&mut self, value: usize) {
        self.add(value as u64);
    }

    /// The table looks at the lowest and the highest bits; multiplication leaves the lowest ones poor.
    fn finish(&self) -> u64 {
        self.state.rotate_left(26)
    }
}

/// 2^64 divided by the golden ratio, made odd.
const MULTIPLIER: u64 = 0x9E37_79B9_7F4A_7C15;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::hash::{BuildHasher, BuildHasherDefault};

    use super::FastHasher;

    #[test]
    fn consecutive_handles_spread_over_a_table() {
        let build = BuildHasherDefault::<FastHasher>::default();
        let buckets: HashSet<u64> = (0..1024u32).map(|id| build.hash_one(id) % 1024).collect();
        assert!(buckets.len() > 512, "{}", buckets.len());
    }

    #[test]
    fn a_text_differs_from_its_continuation_with_zeros() {
        let build = BuildHasherDefault::<FastHasher>::default();
        assert_ne!(build.hash_one("ab"), build.hash_one("ab\0"));
    }
}
