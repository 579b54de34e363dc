//! What a relay must know of a payload: whether a picture begins, needs no other, and which layer it is of.
//!
//! Nothing here looks further into a payload than that, so that end-to-end encrypted media passes.
#![forbid(unsafe_code)]

pub mod av1;
pub mod bits;
pub mod dependency_descriptor;
pub mod h264;
pub mod vp8;
pub mod vp9;

use dependency_descriptor::Descriptor;

/// What a payload type carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    Opus,
    Red,
    Vp8,
    Vp9,
    H264,
    Av1,
    G722,
    Pcmu,
    Pcma,
    Other,
}

/// Width and height in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    pub width: u16,
    pub height: u16,
}

/// One packet's part of a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameInfo {
    /// Belongs to a picture that can be decoded without any other, and a receiver may start with this packet.
    pub keyframe: bool,
    /// Begins a picture, as far as the codec tells.
    pub start: bool,
    /// Ends a picture.
    pub end: bool,
    pub temporal: u8,
    pub spatial: u8,
    /// VP8's and VP9's picture id, 7 or 15 bits wide.
    pub picture_id: Option<u16>,
    pub tl0_picture_index: Option<u8>,
    /// The largest picture of a keyframe.
    pub size: Option<Size>,
}

/// Look at one payload. One that is malformed or encrypted says nothing: the defaults and the marker bit.
///
/// A dependency descriptor, where there is one, wins over the payload: it is there when the payload cannot be read.
pub fn inspect(
    codec: Codec,
    payload: &[u8],
    marker: bool,
    descriptor: Option<&Descriptor>,
) -> FrameInfo {
    let mut info = match codec {
        Codec::Vp8 => vp8::inspect(payload),
        Codec::Vp9 => vp9::inspect(payload),
        Codec::H264 => h264::inspect(payload),
        Codec::Av1 => av1::inspect(payload),
        _ => FrameInfo {
            keyframe: true,
            start: true,
            end: true,
            ..FrameInfo::default()
        },
    };
    info.end |= marker;
    if let Some(descriptor) = descriptor {
        descriptor.describe(&mut info);
    }
    info
}

#[cfg(test)]
mod tests;
