//! A reading position in single bits, most significant first.

/// Every read says `None` at the end instead of reaching past it.
#[derive(Clone, Debug)]
pub struct Bits<'a> {
    bytes: &'a [u8],
    /// Bits read so far.
    position: usize,
}

impl<'a> Bits<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    pub fn bit(&mut self) -> Option<bool> {
        let byte = self.bytes.get(self.position / 8)?;
        let bit = byte >> (7 - self.position % 8) & 1;
        self.position += 1;
        Some(bit == 1)
    }

    /// An unsigned number of `count` bits, at most 32.
    pub fn take(&mut self, count: u32) -> Option<u32> {
        debug_assert!(count <= 32);
        let mut value = 0u64;
        for _ in 0..count {
            value = value << 1 | u64::from(self.bit()?);
        }
        u32::try_from(value).ok()
    }

    pub fn skip(&mut self, count: u32) -> Option<()> {
        for _ in 0..count {
            self.bit()?;
        }
        Some(())
    }

    /// Unsigned Exp-Golomb, ue(v) (H.264 section 9.1); AV1's uvlc() is the same (section 4.10.3).
    pub fn exp_golomb(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.bit()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        let rest = self.take(zeros)?;
        Some((1u32 << zeros) - 1 + rest)
    }

    /// Signed Exp-Golomb, se(v); only its length matters here.
    pub fn skip_signed(&mut self) -> Option<()> {
        self.exp_golomb().map(|_| ())
    }

    /// A number below `range` in as few bits as that takes, ns(n) (AV1 section 4.10.7).
    pub fn below(&mut self, range: u32) -> Option<u32> {
        debug_assert!(range > 0);
        let width = 32 - range.leading_zeros();
        let short = (1u64 << width) - u64::from(range);
        let value = self.take(width - 1)?;
        if u64::from(value) < short {
            return Some(value);
        }
        let last = u64::from(self.bit()?);
        u32::try_from(((u64::from(value) << 1) | last) - short).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_across_bytes_and_end_with_the_bytes() {
        let mut bits = Bits::new(&[0b1010_0001, 0b1000_0000]);
        assert_eq!(bits.take(3), Some(0b101));
        assert_eq!(bits.take(6), Some(0b000_011));
        assert_eq!(bits.take(7), Some(0));
        assert_eq!(bits.bit(), None);
    }

    #[test]
    fn exp_golomb_counts_as_the_standard_has_it() {
        // 1, 010, 011, 00100
        let mut bits = Bits::new(&[0b1010_0110, 0b0100_0000]);
        let read: Vec<_> = (0..4).map_while(|_| bits.exp_golomb()).collect();
        assert_eq!(read, [0, 1, 2, 3]);
        assert_eq!(Bits::new(&[0; 8]).exp_golomb(), None);
    }

    #[test]
    fn a_number_below_five_takes_two_or_three_bits() {
        // ns(5): 00 01 10 110 111
        let mut bits = Bits::new(&[0b0001_1011, 0b0111_0000]);
        let read: Vec<_> = (0..5).map_while(|_| bits.below(5)).collect();
        assert_eq!(read, [0, 1, 2, 3, 4]);
        assert_eq!(Bits::new(&[]).below(1), Some(0));
    }
}
