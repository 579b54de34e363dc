//! Numbers that look random and follow from a seed, so that a run can be repeated.

/// SplitMix64: good enough for initial sequence numbers and jitter, not for secrets.
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
}

impl Random {
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub fn next_u32(&mut self) -> u32 {
        (self.next_u64() >> 32) as u32
    }

    /// Below 2^15: RFC 3711 section 3.3.1 wants room before the first wrap, so that a lost start does no harm.
    pub fn first_sequence_number(&mut self) -> u64 {
        self.next_u64() >> 49
    }
}
