//! AV1 payloads: the aggregation header (AV1 RTP specification section 4.4) and the sequence header OBU.

use super::bits::Bits;
use super::{FrameInfo, Size};
use crate::wire::cursor::Cursor;

const CONTINUES_OBU: u8 = 0x80;
const FIRST_OF_SEQUENCE: u8 = 0x08;
const SEQUENCE_HEADER: u8 = 1;
const HAS_EXTENSION: u8 = 0x04;
const HAS_SIZE: u8 = 0x02;

/// Without a dependency descriptor only the first packet of a coded video sequence can be told from the others.
pub(super) fn inspect(payload: &[u8]) -> FrameInfo {
    let [header, elements @ ..] = payload else {
        return FrameInfo::default();
    };
    let first = header & FIRST_OF_SEQUENCE != 0 && header & CONTINUES_OBU == 0;
    FrameInfo {
        keyframe: first,
        start: first,
        size: if first {
            sequence_size(elements, header >> 4 & 0x03)
        } else {
            None
        },
        ..FrameInfo::default()
    }
}

/// Look for the sequence header among the OBU elements; `count` 0 means that every element has a length.
fn sequence_size(elements: &[u8], count: u8) -> Option<Size> {
    let mut cursor = Cursor::new(elements);
    let mut index = 0u8;
    while !cursor.is_empty() {
        index = index.saturating_add(1);
        let element = if count != 0 && index == count {
            cursor.rest()
        } else {
            let len = leb128(&mut cursor)?;
            cursor.take(len)?
        };
        if let Some(size) = sequence_header(element) {
            return Some(size);
        }
        if index == count {
            return None;
        }
    }
    None
}

/// A little-endian base 128 number of at most four bytes: no element of a packet is longer than that.
fn leb128(cursor: &mut Cursor<'_>) -> Option<usize> {
    let mut value = 0usize;
    for shift in [0, 7, 14, 21] {
        let byte = cursor.u8()?;
        value |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn sequence_header(obu: &[u8]) -> Option<Size> {
    let mut cursor = Cursor::new(obu);
    let header = cursor.u8()?;
    if header >> 3 & 0x0f != SEQUENCE_HEADER {
        return None;
    }
    if header & HAS_EXTENSION != 0 {
        cursor.u8()?;
    }
    if header & HAS_SIZE != 0 {
        leb128(&mut cursor)?;
    }
    max_frame_size(&mut Bits::new(cursor.rest()))
}

/// sequence_header_obu() up to the size (AV1 section 5.5.1).
fn max_frame_size(bits: &mut Bits<'_>) -> Option<Size> {
    bits.skip(4)?; // seq_profile, still_picture
    if bits.bit()? {
        bits.skip(5)?; // a reduced still picture header has one level and nothing else
    } else {
        skip_operating_points(bits)?;
    }
    let width_bits = bits.take(4)? + 1;
    let height_bits = bits.take(4)? + 1;
    let width = bits.take(width_bits)? + 1;
    let height = bits.take(height_bits)? + 1;
    Some(Size {
        width: u16::try_from(width).ok()?,
        height: u16::try_from(height).ok()?,
    })
}

fn skip_operating_points(bits: &mut Bits<'_>) -> Option<()> {
    let mut delay_bits = None;
    if bits.bit()? {
        bits.skip(64)?; // num_units_in_display_tick, time_scale
        if bits.bit()? {
            bits.exp_golomb()?; // num_ticks_per_picture_minus_1
        }
        if bits.bit()? {
            delay_bits = Some(bits.take(5)? + 1);
            bits.skip(42)?; // num_units_in_decoding_tick, two lengths of five bits
        }
    }
    let initial_display_delay = bits.bit()?;
    let points = bits.take(5)? + 1;
    for _ in 0..points {
        bits.skip(12)?; // operating_point_idc
        if bits.take(5)? > 7 {
            bits.bit()?; // seq_tier
        }
        if let Some(delay_bits) = delay_bits
            && bits.bit()?
        {
            bits.skip(2 * delay_bits + 1)?;
        }
        if initial_display_delay && bits.bit()? {
            bits.skip(4)?;
        }
    }
    Some(())
}
