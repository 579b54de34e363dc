//! Feedback about single streams: generic NACK and PLI (RFC 4585), FIR (RFC 5104).

use super::{
    FULL_INTRA_REQUEST, NACK, PAYLOAD_FEEDBACK, PICTURE_LOSS, TRANSPORT_FEEDBACK, write_packet,
};
use crate::wire::cursor::Cursor;

/// Behind the first lost packet of an item, a bit for each of the next sixteen.
const MASK_BITS: u16 = 16;

/// The two SSRCs that every feedback message begins with; the sender's own is of no interest.
pub(super) fn media(cursor: &mut Cursor<'_>) -> Option<u32> {
    cursor.u32()?;
    cursor.u32()
}

/// The sequence numbers that a NACK asks for, in the order in which it names them.
#[derive(Clone, Debug)]
pub struct NackSequences<'a> {
    cursor: Cursor<'a>,
    base: u16,
    /// Bit 0 is the base itself.
    pending: u32,
}

impl<'a> NackSequences<'a> {
    pub(super) fn read(cursor: Cursor<'a>) -> Option<Self> {
        let whole = !cursor.is_empty() && cursor.rest().len().is_multiple_of(4);
        whole.then_some(Self {
            cursor,
            base: 0,
            pending: 0,
        })
    }
}

impl Iterator for NackSequences<'_> {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        if self.pending == 0 {
            self.base = self.cursor.u16()?;
            self.pending = u32::from(self.cursor.u16()?) << 1 | 1;
        }
        let offset = self.pending.trailing_zeros();
        self.pending &= self.pending - 1;
        Some(self.base.wrapping_add(offset as u16))
    }
}

/// Appends a NACK for `sequences`, which should ascend: then as many as possible share an item. Nothing for none.
pub fn write_nacks(out: &mut Vec<u8>, sender: u32, media: u32, sequences: &[u16]) {
    if sequences.is_empty() {
        return;
    }
    write_packet(out, NACK, TRANSPORT_FEEDBACK, |out| {
        out.extend(sender.to_be_bytes());
        out.extend(media.to_be_bytes());
        let mut rest = sequences;
        while let [base, more @ ..] = rest {
            rest = more;
            let mut mask = 0u16;
            while let [next, more @ ..] = rest {
                let offset = next.wrapping_sub(*base);
                if !(1..=MASK_BITS).contains(&offset) {
                    break;
                }
                mask |= 1 << (offset - 1);
                rest = more;
            }
            out.extend(base.to_be_bytes());
            out.extend(mask.to_be_bytes());
        }
    });
}

/// Appends a picture loss indication.
pub fn write_picture_loss(out: &mut Vec<u8>, sender: u32, media: u32) {
    write_packet(out, PICTURE_LOSS, PAYLOAD_FEEDBACK, |out| {
        out.extend(sender.to_be_bytes());
        out.extend(media.to_be_bytes());
    });
}

/// The streams that are asked for a keyframe, each with the number of the request.
#[derive(Clone, Debug)]
pub struct FullIntraRequests<'a> {
    cursor: Cursor<'a>,
}

impl<'a> FullIntraRequests<'a> {
    pub(super) fn read(cursor: Cursor<'a>) -> Option<Self> {
        let whole = !cursor.is_empty() && cursor.rest().len().is_multiple_of(8);
        whole.then_some(Self { cursor })
    }
}

impl Iterator for FullIntraRequests<'_> {
    type Item = (u32, u8);

    fn next(&mut self) -> Option<(u32, u8)> {
        let ssrc = self.cursor.u32()?;
        let number = self.cursor.u8()?;
        self.cursor.take(3)?;
        Some((ssrc, number))
    }
}

/// Appends a full intra request. Its media field is unused and zero (RFC 5104 section 4.3.1.2).
pub fn write_full_intra_request(out: &mut Vec<u8>, sender: u32, media: u32, number: u8) {
    write_packet(out, FULL_INTRA_REQUEST, PAYLOAD_FEEDBACK, |out| {
        out.extend(sender.to_be_bytes());
        out.extend(0u32.to_be_bytes());
        out.extend(media.to_be_bytes());
        out.extend([number, 0, 0, 0]);
    });
}
