//! Bytes on the wire: STUN, RTP, RTCP and the framing of RFC 4571. Parsing borrows and allocates nothing.

#![forbid(unsafe_code)]

pub mod cursor;
pub mod demux;
pub mod extensions;
pub mod framing;
pub mod rtcp;
pub mod rtp;
pub mod sequence;
pub mod stun;
