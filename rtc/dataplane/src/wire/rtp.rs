//! The RTP header (RFC 3550 section 5.1) with its extension block (RFC 8285).

mod write;

#[cfg(test)]
mod tests;

use super::cursor::Cursor;
use super::extensions::{ExtensionError, Extensions};
pub use write::{Fields, header_len, write_header};

const FIXED_LEN: usize = 12;

/// Why a packet is not RTP that could be forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RtpError {
    /// Cut off within the header.
    #[error("shorter than its RTP header")]
    TooShort,
    /// Not version 2.
    #[error("not RTP version 2")]
    Version,
    /// The padding's own count is zero or reaches into the header.
    #[error("padding longer than the payload")]
    Padding,
    /// The header extension block is not what RFC 8285 allows.
    #[error(transparent)]
    Extension(#[from] ExtensionError),
    /// The buffer to write into is too small.
    #[error("no room for the RTP header")]
    NoRoom,
}

/// A parsed header: plain numbers, and offsets into the packet that it was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub marker: bool,
    pub payload_type: u8,
    pub sequence_number: u16,
    pub timestamp: u32,
    pub ssrc: u32,
    pub csrc_count: u8,
    /// The padding bit. How much it is stands, encrypted, in the last byte: see [`Header::payload`].
    pub padded: bool,
    pub extension: Option<ExtensionBlock>,
    /// Bytes before the payload; also the part of an SRTP packet that stays readable.
    pub payload_offset: usize,
}

/// Where the extension elements are, without the four bytes that announce them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtensionBlock {
    pub profile: u16,
    pub start: usize,
    pub len: usize,
}

impl Header {
    /// Reads the header of an RTP or SRTP packet. Its extension elements are well formed if this succeeds.
    pub fn parse(packet: &[u8]) -> Result<Self, RtpError> {
        let fixed = packet
            .first_chunk::<FIXED_LEN>()
            .ok_or(RtpError::TooShort)?;
        if fixed[0] >> 6 != 2 {
            return Err(RtpError::Version);
        }
        let csrc_count = fixed[0] & 0x0F;
        let mut header = Self {
            marker: fixed[1] & 0x80 != 0,
            payload_type: fixed[1] & 0x7F,
            sequence_number: u16::from_be_bytes([fixed[2], fixed[3]]),
            timestamp: u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
            ssrc: u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]),
            csrc_count,
            padded: fixed[0] & 0x20 != 0,
            extension: None,
            payload_offset: FIXED_LEN + 4 * usize::from(csrc_count),
        };
        if fixed[0] & 0x10 != 0 {
            header.take_extension(packet)?;
        }
        if header.payload_offset > packet.len() {
            return Err(RtpError::TooShort);
        }
        Ok(header)
    }

    fn take_extension(&mut self, packet: &[u8]) -> Result<(), RtpError> {
        let mut cursor = Cursor::new(
            packet
                .get(self.payload_offset..)
                .ok_or(RtpError::TooShort)?,
        );
        let profile = cursor.u16().ok_or(RtpError::TooShort)?;
        let len = 4 * usize::from(cursor.u16().ok_or(RtpError::TooShort)?);
        let block = ExtensionBlock {
            profile,
            start: self.payload_offset + 4,
            len,
        };
        Extensions::new(profile, cursor.take(len).ok_or(RtpError::TooShort)?).check()?;
        self.extension = Some(block);
        self.payload_offset = block.start + len;
        Ok(())
    }

    /// The extension elements of `packet`, which is the one this header was parsed from.
    pub fn extensions<'a>(&self, packet: &'a [u8]) -> Extensions<'a> {
        self.extension
            .and_then(|block| {
                let elements = packet.get(block.start..block.start + block.len)?;
                Some(Extensions::new(block.profile, elements))
            })
            .unwrap_or_default()
    }

    /// The payload of a *decrypted* packet, without its padding. Empty for padding-only packets.
    pub fn payload<'a>(&self, packet: &'a [u8]) -> Result<&'a [u8], RtpError> {
        let body = packet
            .get(self.payload_offset..)
            .ok_or(RtpError::TooShort)?;
        if !self.padded {
            return Ok(body);
        }
        let padding = usize::from(*body.last().ok_or(RtpError::Padding)?);
        if padding == 0 {
            return Err(RtpError::Padding);
        }
        let len = body.len().checked_sub(padding).ok_or(RtpError::Padding)?;
        Ok(&body[..len])
    }

    /// How many bytes of padding end a *decrypted* packet.
    pub fn padding_len(&self, packet: &[u8]) -> Result<usize, RtpError> {
        let payload = self.payload(packet)?;
        Ok(packet.len() - self.payload_offset - payload.len())
    }

    /// What [`write_header`] would write again.
    pub fn fields(&self) -> Fields {
        Fields {
            marker: self.marker,
            payload_type: self.payload_type,
            sequence_number: self.sequence_number,
            timestamp: self.timestamp,
            ssrc: self.ssrc,
        }
    }
}
