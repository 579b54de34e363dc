//! Writes an RTP header with its extensions, in the shorter form of RFC 8285 that holds them.

use super::{FIXED_LEN, RtpError};
use crate::wire::extensions::{ExtensionError, MAX_ID, ONE_BYTE_PROFILE, TWO_BYTE_PROFILE};

/// The header fields of a packet to send. Contributing sources are not passed on: a relay mixes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fields {
    pub marker: bool,
    pub payload_type: u8,
    pub sequence_number: u16,
    pub timestamp: u32,
    pub ssrc: u32,
}

/// Bytes that [`write_header`] needs for these extensions.
pub fn header_len(extensions: &[(u8, &[u8])]) -> usize {
    match Form::of(extensions) {
        Some(form) => FIXED_LEN + 4 + form.len.next_multiple_of(4),
        None => FIXED_LEN,
    }
}

/// Writes to the front of `out` and returns the header's length in bytes.
///
/// Extensions are `(id, value)` with ids 1 to 255 and values up to 255 bytes; ids above 14 or values that are
/// empty or longer than 16 bytes make it the two-byte form.
pub fn write_header(
    out: &mut [u8],
    fields: &Fields,
    extensions: &[(u8, &[u8])],
) -> Result<usize, RtpError> {
    let form = Form::of(extensions);
    let fixed = out.first_chunk_mut::<FIXED_LEN>().ok_or(RtpError::NoRoom)?;
    fixed[0] = 0x80 | (u8::from(form.is_some()) << 4);
    fixed[1] = (u8::from(fields.marker) << 7) | (fields.payload_type & 0x7F);
    fixed[2..4].copy_from_slice(&fields.sequence_number.to_be_bytes());
    fixed[4..8].copy_from_slice(&fields.timestamp.to_be_bytes());
    fixed[8..12].copy_from_slice(&fields.ssrc.to_be_bytes());
    match form {
        Some(form) => Ok(FIXED_LEN + form.write(&mut out[FIXED_LEN..], extensions)?),
        None => Ok(FIXED_LEN),
    }
}

/// One-byte or two-byte elements, and how many bytes they take.
#[derive(Clone, Copy)]
struct Form {
    two_byte: bool,
    len: usize,
}

impl Form {
    fn of(extensions: &[(u8, &[u8])]) -> Option<Self> {
        if extensions.is_empty() {
            return None;
        }
        let two_byte = extensions
            .iter()
            .any(|(id, value)| *id > MAX_ID || value.is_empty() || value.len() > 16);
        let head = 1 + usize::from(two_byte);
        let len = extensions.iter().map(|(_, value)| head + value.len()).sum();
        Some(Self { two_byte, len })
    }

    fn write(self, out: &mut [u8], extensions: &[(u8, &[u8])]) -> Result<usize, RtpError> {
        let padded = self.len.next_multiple_of(4);
        let words = u16::try_from(padded / 4).map_err(|_| ExtensionError::TooLong)?;
        let (head, rest) = out.split_first_chunk_mut::<4>().ok_or(RtpError::NoRoom)?;
        let mut rest = rest.get_mut(..padded).ok_or(RtpError::NoRoom)?;
        let profile = if self.two_byte {
            TWO_BYTE_PROFILE
        } else {
            ONE_BYTE_PROFILE
        };
        head[..2].copy_from_slice(&profile.to_be_bytes());
        head[2..].copy_from_slice(&words.to_be_bytes());
        for (id, value) in extensions {
            rest = self.write_element(rest, *id, value)?;
        }
        rest.fill(0);
        Ok(4 + padded)
    }

    /// `out` holds all elements still to come, as `Form::of` counted them.
    fn write_element<'a>(
        self,
        out: &'a mut [u8],
        id: u8,
        value: &[u8],
    ) -> Result<&'a mut [u8], ExtensionError> {
        let len = u8::try_from(value.len()).map_err(|_| ExtensionError::TooLong)?;
        if id == 0 {
            return Err(ExtensionError::Id);
        }
        let (head, rest) = out.split_at_mut(1 + usize::from(self.two_byte));
        if self.two_byte {
            head.copy_from_slice(&[id, len]);
        } else {
            head[0] = (id << 4) | (len - 1);
        }
        let (body, rest) = rest.split_at_mut(value.len());
        body.copy_from_slice(value);
        Ok(rest)
    }
}
