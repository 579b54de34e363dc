//! One media packet, decrypted and looked at once: everything that forwarding it needs to know.

use super::time::Micros;

/// Its bytes are kept apart, see `Cache`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Packet {
    /// Extended, counted on over a change of SSRC.
    pub sequence: u64,
    pub timestamp: u32,
    pub arrival: Micros,
    /// When it was captured, as far as is known; like `arrival` on the server's clock.
    pub captured: Micros,
    pub marker: bool,
    /// Which of the source's payloads.
    pub payload: u8,
    /// Belongs to a picture that needs no other.
    pub keyframe: bool,
    /// Begins a picture.
    pub start: bool,
    pub temporal: u8,
    pub picture: Option<Picture>,
}

/// How VP8 numbers its pictures (RFC 7741 section 4.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Picture {
    pub id: Option<u16>,
    pub tl0: Option<u8>,
}
