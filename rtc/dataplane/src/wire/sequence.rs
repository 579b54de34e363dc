//! Counters that wrap around, widened to ones that do not.

/// The 64-bit number nearest to `reference` whose low 16 bits are `low`.
///
/// Never below zero: near the start the next round up is taken instead.
pub fn extend16(reference: u64, low: u16) -> u64 {
    nearest(reference, u64::from(low), 16)
}

/// The 64-bit number nearest to `reference` whose low 32 bits are `low`.
pub fn extend32(reference: u64, low: u32) -> u64 {
    nearest(reference, u64::from(low), 32)
}

fn nearest(reference: u64, low: u64, bits: u32) -> u64 {
    let round = 1u64 << bits;
    let half = round / 2;
    let ahead = low.wrapping_sub(reference) & (round - 1);
    if ahead < half {
        return reference
            .checked_add(ahead)
            .unwrap_or_else(|| reference - (round - ahead));
    }
    let behind = round - ahead;
    reference.checked_sub(behind).unwrap_or(reference + ahead)
}

/// Widens a stream of 16-bit numbers, following the highest one seen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Extender16 {
    highest: Option<u64>,
}

impl Extender16 {
    /// The first number lands one round above zero, so that reordering before it stays positive.
    pub fn extend(&mut self, low: u16) -> u64 {
        let wide = self.peek(low);
        self.highest = Some(self.highest.map_or(wide, |highest| highest.max(wide)));
        wide
    }

    /// What `extend` would answer, without taking it in.
    pub fn peek(&self, low: u16) -> u64 {
        match self.highest {
            Some(highest) => extend16(highest, low),
            None => (1 << 16) + u64::from(low),
        }
    }

    pub fn highest(&self) -> Option<u64> {
        self.highest
    }
}

/// Widens a stream of 32-bit numbers (RTP timestamps), following the highest one seen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Extender32 {
    highest: Option<u64>,
}

impl Extender32 {
    /// The first number lands one round above zero, so that reordering before it stays positive.
    pub fn extend(&mut self, low: u32) -> u64 {
        let wide = self.peek(low);
        self.highest = Some(self.highest.map_or(wide, |highest| highest.max(wide)));
        wide
    }

    /// What `extend` would answer, without taking it in.
    pub fn peek(&self, low: u32) -> u64 {
        match self.highest {
            Some(highest) => extend32(highest, low),
            None => (1 << 32) + u64::from(low),
        }
    }

    pub fn highest(&self) -> Option<u64> {
        self.highest
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn wrapping_up_and_stepping_back_over_the_wrap() {
        assert_eq!(extend16(0x1_FFFF, 0), 0x2_0000);
        assert_eq!(extend16(0x2_0000, 0xFFFF), 0x1_FFFF);
        assert_eq!(extend32(0x1_FFFF_FFFF, 5), 0x2_0000_0005);
    }

    #[test]
    fn the_ends_of_the_range_do_not_overflow() {
        assert_eq!(extend16(0, 0xFFFF), 0xFFFF);
        assert_eq!(extend16(u64::MAX, 0), u64::MAX - 0xFFFF);
        assert_eq!(extend32(u64::MAX, 1), u64::MAX - 0xFFFF_FFFE);
    }

    #[test]
    fn a_packet_before_the_first_one_stays_in_order() {
        let mut extender = Extender16::default();
        let first = extender.extend(0);
        assert_eq!(extender.extend(0xFFFF), first - 1);
        assert_eq!(extender.highest(), Some(first));
        assert_eq!(extender.extend(1), first + 1);
    }

    proptest! {
        #[test]
        fn anything_within_half_a_round_is_found_again(
            reference in (1u64 << 40)..(1u64 << 48),
            step in -0x7FFFi64..0x7FFF,
        ) {
            let wanted = reference.wrapping_add_signed(step);
            prop_assert_eq!(extend16(reference, wanted as u16), wanted);
            let wanted = reference.wrapping_add_signed(step * 0x1_0000);
            prop_assert_eq!(extend32(reference, wanted as u32), wanted);
        }

        #[test]
        fn the_low_bits_are_kept(reference: u64, low: u16, low32: u32) {
            prop_assert_eq!(extend16(reference, low) as u16, low);
            prop_assert_eq!(extend32(reference, low32) as u32, low32);
        }
    }
}
