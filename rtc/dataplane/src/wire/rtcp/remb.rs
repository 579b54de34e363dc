//! Receiver estimated maximum bitrate (draft-alvestrand-rmcat-remb-03).

use super::{APPLICATION_LAYER, PAYLOAD_FEEDBACK, write_packet};
use crate::wire::cursor::Cursor;

const NAME: &[u8; 4] = b"REMB";
const MANTISSA_BITS: u32 = 18;

/// An upper bound for the sum of some streams.
#[derive(Clone, Debug)]
pub struct Bitrate<'a> {
    /// Bits per second.
    pub bitrate: u64,
    ssrcs: Cursor<'a>,
}

impl<'a> Bitrate<'a> {
    /// `None` for other application layer feedback, which has its own names.
    pub(super) fn read(mut cursor: Cursor<'a>) -> Option<Self> {
        if cursor.take(NAME.len())? != NAME {
            return None;
        }
        let count = cursor.u8()?;
        let packed = cursor.u24()?;
        let (exponent, mantissa) = (packed >> MANTISSA_BITS, packed & ((1 << MANTISSA_BITS) - 1));
        let ssrcs = cursor.take(usize::from(count) * 4)?;
        Some(Self {
            // 63 is the largest exponent: what does not fit is no bound.
            bitrate: u64::try_from(u128::from(mantissa) << exponent).unwrap_or(u64::MAX),
            ssrcs: Cursor::new(ssrcs),
        })
    }
}

impl Iterator for Bitrate<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        self.ssrcs.u32()
    }
}

/// Appends a bound in bits per second, rounded down to 18 significant bits, for at most 255 streams.
pub fn write_remb(out: &mut Vec<u8>, sender: u32, bitrate: u64, ssrcs: &[u32]) {
    let ssrcs = &ssrcs[..ssrcs.len().min(255)];
    let exponent = (64 - bitrate.leading_zeros()).saturating_sub(MANTISSA_BITS);
    let packed = exponent << MANTISSA_BITS | (bitrate >> exponent) as u32;
    write_packet(out, APPLICATION_LAYER, PAYLOAD_FEEDBACK, |out| {
        out.extend(sender.to_be_bytes());
        out.extend(0u32.to_be_bytes());
        out.extend(NAME);
        out.push(ssrcs.len() as u8);
        out.extend(&packed.to_be_bytes()[1..]);
        for ssrc in ssrcs {
            out.extend(ssrc.to_be_bytes());
        }
    });
}
