//! VP9 payload descriptors (RFC 9628 section 4.2).

use super::{FrameInfo, Size};
use crate::wire::cursor::Cursor;

const HAS_PICTURE_ID: u8 = 0x80;
const INTER_PREDICTED: u8 = 0x40;
const HAS_LAYERS: u8 = 0x20;
const FLEXIBLE: u8 = 0x10;
const START: u8 = 0x08;
const END: u8 = 0x04;
const HAS_STRUCTURE: u8 = 0x02;
/// Pictures that a flexible-mode picture may refer to.
const MAX_REFERENCES: usize = 3;

/// Where a packet stands in its picture and the picture in its layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PayloadDescriptor {
    pub picture_id: Option<u16>,
    pub inter_predicted: bool,
    pub temporal: u8,
    /// A receiver may go up to this temporal layer from here on.
    pub switching_up: bool,
    pub spatial: u8,
    pub inter_layer: bool,
    /// First and last packet of this picture in this spatial layer.
    pub start: bool,
    pub end: bool,
    pub tl0_picture_index: Option<u8>,
    /// Of the highest spatial layer, from the scalability structure.
    pub size: Option<Size>,
}

/// Read the descriptor; `None` where the payload ends inside it or breaks its rules.
pub fn parse(payload: &[u8]) -> Option<PayloadDescriptor> {
    let mut cursor = Cursor::new(payload);
    let flags = cursor.u8()?;
    let mut descriptor = PayloadDescriptor {
        inter_predicted: flags & INTER_PREDICTED != 0,
        start: flags & START != 0,
        end: flags & END != 0,
        ..PayloadDescriptor::default()
    };
    if flags & HAS_PICTURE_ID != 0 {
        descriptor.picture_id = Some(picture_id(&mut cursor)?);
    }
    if flags & HAS_LAYERS != 0 {
        let byte = cursor.u8()?;
        descriptor.temporal = byte >> 5;
        descriptor.switching_up = byte & 0x10 != 0;
        descriptor.spatial = byte >> 1 & 0x07;
        descriptor.inter_layer = byte & 1 != 0;
        if flags & FLEXIBLE == 0 {
            descriptor.tl0_picture_index = Some(cursor.u8()?);
        }
    }
    if flags & FLEXIBLE != 0 && descriptor.inter_predicted {
        skip_references(&mut cursor)?;
    }
    if flags & HAS_STRUCTURE != 0 {
        descriptor.size = structure(&mut cursor)?;
    }
    Some(descriptor)
}

fn picture_id(cursor: &mut Cursor<'_>) -> Option<u16> {
    let high = cursor.u8()?;
    if high & 0x80 == 0 {
        return Some(u16::from(high));
    }
    Some(u16::from(high & 0x7f) << 8 | u16::from(cursor.u8()?))
}

fn skip_references(cursor: &mut Cursor<'_>) -> Option<()> {
    for _ in 0..MAX_REFERENCES {
        if cursor.u8()? & 1 == 0 {
            return Some(());
        }
    }
    None
}

/// The scalability structure; its largest size, where it has sizes.
fn structure(cursor: &mut Cursor<'_>) -> Option<Option<Size>> {
    let flags = cursor.u8()?;
    let mut largest = None;
    if flags & 0x10 != 0 {
        for _ in 0..=flags >> 5 {
            let (width, height) = (cursor.u16()?, cursor.u16()?);
            largest = Some(Size { width, height });
        }
    }
    if flags & 0x08 != 0 {
        for _ in 0..cursor.u8()? {
            let references = cursor.u8()? >> 2 & 0x03;
            cursor.take(usize::from(references))?;
        }
    }
    Some(largest)
}

pub(super) fn inspect(payload: &[u8]) -> FrameInfo {
    let Some(descriptor) = parse(payload) else {
        return FrameInfo::default();
    };
    FrameInfo {
        keyframe: descriptor.start && !descriptor.inter_predicted && descriptor.spatial == 0,
        start: descriptor.start && descriptor.spatial == 0,
        // Of one spatial layer only: the marker bit ends the picture.
        end: false,
        temporal: descriptor.temporal,
        spatial: descriptor.spatial,
        picture_id: descriptor.picture_id,
        tl0_picture_index: descriptor.tl0_picture_index,
        size: descriptor.size,
    }
}
