//! VP8 payloads: the descriptor in front (RFC 7741 section 4.2), the frame header of a keyframe (RFC 6386 section 9.1).

use super::{FrameInfo, Size};
use crate::wire::cursor::Cursor;

const EXTENDED: u8 = 0x80;
const START_OF_PARTITION: u8 = 0x10;
const PARTITION_INDEX: u8 = 0x0f;
const HAS_PICTURE_ID: u8 = 0x80;
const HAS_TL0_INDEX: u8 = 0x40;
const HAS_TEMPORAL: u8 = 0x20;
const HAS_KEY_INDEX: u8 = 0x10;
/// The picture id has 15 bits instead of 7.
const LONG: u8 = 0x80;

/// Where the fields of a payload descriptor are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PayloadDescriptor {
    /// First packet of a picture.
    pub start: bool,
    pub picture_id: Option<u16>,
    pub tl0_picture_index: Option<u8>,
    pub temporal: u8,
    /// May be left out when a lower temporal layer was.
    pub layer_sync: bool,
    /// The descriptor's own length in bytes.
    pub len: usize,
}

/// Read the descriptor; `None` where the payload ends inside it.
pub fn parse(payload: &[u8]) -> Option<PayloadDescriptor> {
    let mut cursor = Cursor::new(payload);
    let first = cursor.u8()?;
    let mut descriptor = PayloadDescriptor {
        start: first & START_OF_PARTITION != 0 && first & PARTITION_INDEX == 0,
        ..PayloadDescriptor::default()
    };
    if first & EXTENDED != 0 {
        parse_extension(&mut cursor, &mut descriptor)?;
    }
    descriptor.len = payload.len() - cursor.rest().len();
    Some(descriptor)
}

fn parse_extension(cursor: &mut Cursor<'_>, descriptor: &mut PayloadDescriptor) -> Option<()> {
    let present = cursor.u8()?;
    if present & HAS_PICTURE_ID != 0 {
        let high = cursor.u8()?;
        descriptor.picture_id = Some(match high & LONG {
            0 => u16::from(high),
            _ => u16::from(high & !LONG) << 8 | u16::from(cursor.u8()?),
        });
    }
    if present & HAS_TL0_INDEX != 0 {
        descriptor.tl0_picture_index = Some(cursor.u8()?);
    }
    if present & (HAS_TEMPORAL | HAS_KEY_INDEX) != 0 {
        let byte = cursor.u8()?;
        if present & HAS_TEMPORAL != 0 {
            descriptor.temporal = byte >> 6;
            descriptor.layer_sync = byte & 0x20 != 0;
        }
    }
    Some(())
}

pub(super) fn inspect(payload: &[u8]) -> FrameInfo {
    let Some(descriptor) = parse(payload) else {
        return FrameInfo::default();
    };
    let size = if descriptor.start {
        keyframe_size(&payload[descriptor.len..])
    } else {
        None
    };
    FrameInfo {
        keyframe: size.is_some(),
        start: descriptor.start,
        temporal: descriptor.temporal,
        picture_id: descriptor.picture_id,
        tl0_picture_index: descriptor.tl0_picture_index,
        size,
        ..FrameInfo::default()
    }
}

/// A keyframe's header has its size; another frame's has none.
fn keyframe_size(frame: &[u8]) -> Option<Size> {
    let [first, _, _, 0x9d, 0x01, 0x2a, w0, w1, h0, h1, ..] = *frame else {
        return None;
    };
    (first & 1 == 0).then(|| Size {
        width: u16::from_le_bytes([w0, w1]) & 0x3fff,
        height: u16::from_le_bytes([h0, h1]) & 0x3fff,
    })
}

/// Add to the picture id and TL0PICIDX in place, each within the width that it has. A malformed payload stays.
pub fn rewrite(payload: &mut [u8], picture_shift: u16, tl0_shift: u8) {
    let [first, present, fields @ ..] = payload else {
        return;
    };
    if *first & EXTENDED == 0 {
        return;
    }
    let mut fields = fields;
    if *present & HAS_PICTURE_ID != 0 {
        let Some(rest) = shift_picture_id(fields, picture_shift) else {
            return;
        };
        fields = rest;
    }
    if *present & HAS_TL0_INDEX != 0
        && let [index, ..] = fields
    {
        *index = index.wrapping_add(tl0_shift);
    }
}

/// Answers the fields behind the id.
fn shift_picture_id(fields: &mut [u8], shift: u16) -> Option<&mut [u8]> {
    let long = *fields.first()? & LONG != 0;
    if long {
        let (bytes, rest) = fields.split_first_chunk_mut::<2>()?;
        let id = u16::from_be_bytes(*bytes).wrapping_add(shift);
        *bytes = [(id >> 8) as u8 | LONG, id as u8];
        return Some(rest);
    }
    let (id, rest) = fields.split_first_mut()?;
    *id = id.wrapping_add(shift as u8) & !LONG;
    Some(rest)
}
