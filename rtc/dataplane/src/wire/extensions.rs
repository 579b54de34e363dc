//! RTP header extensions: the elements of RFC 8285, and the values that we read.

pub mod layers;

#[cfg(test)]
mod tests;

use super::cursor::Cursor;
pub use layers::LayersAllocation;

pub(super) const ONE_BYTE_PROFILE: u16 = 0xBEDE;
pub(super) const TWO_BYTE_PROFILE: u16 = 0x1000;
/// The highest id of the one-byte form; 15 is reserved and ends the block (RFC 8285 section 4.2).
pub(super) const MAX_ID: u8 = 14;
/// MID and RID values in use are a few characters; RFC 8285's one-byte form holds no more than this.
const MAX_NAME: usize = 16;

/// Why an extension block cannot be read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExtensionError {
    /// An element reaches past the end of the block.
    #[error("header extension element is cut off")]
    Truncated,
    /// A value or a whole block that its length field cannot express.
    #[error("header extension too long")]
    TooLong,
    /// Id 0 means padding and cannot be given to an element.
    #[error("header extension id 0")]
    Id,
}

/// The extensions that this server knows by name (their URIs are an affair of SDP).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExtensionKind {
    AudioLevel,
    AbsSendTime,
    TransportSequence,
    Mid,
    Rid,
    RepairedRid,
    DependencyDescriptor,
    VideoLayersAllocation,
    VideoOrientation,
    PlayoutDelay,
    AbsCaptureTime,
    Other,
}

/// Walks the `(id, value)` elements of one block, of either form. Stops at the first that is cut off.
#[derive(Clone, Copy, Debug, Default)]
pub struct Extensions<'a> {
    form: Form,
    rest: Cursor<'a>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Form {
    OneByte,
    TwoByte,
    /// A profile of its own: nothing in it can be told apart (RFC 3550 section 5.3.1).
    #[default]
    Foreign,
}

impl<'a> Extensions<'a> {
    /// `elements` are the bytes after profile and length.
    pub fn new(profile: u16, elements: &'a [u8]) -> Self {
        let form = match profile {
            ONE_BYTE_PROFILE => Form::OneByte,
            0x1000..=0x100F => Form::TwoByte,
            _ => Form::Foreign,
        };
        let rest = Cursor::new(if form == Form::Foreign { &[] } else { elements });
        Self { form, rest }
    }

    /// Whether every element lies within the block.
    pub fn check(mut self) -> Result<(), ExtensionError> {
        while self.element()?.is_some() {}
        Ok(())
    }

    /// The value of the first element with this id.
    pub fn find(mut self, id: u8) -> Option<&'a [u8]> {
        self.find_map(|(found, value)| (found == id).then_some(value))
    }

    fn element(&mut self) -> Result<Option<(u8, &'a [u8])>, ExtensionError> {
        match self.form {
            Form::OneByte => self.one_byte_element(),
            Form::TwoByte => self.two_byte_element(),
            Form::Foreign => Ok(None),
        }
    }

    fn one_byte_element(&mut self) -> Result<Option<(u8, &'a [u8])>, ExtensionError> {
        while let Some(head) = self.rest.u8() {
            let (id, len) = (head >> 4, usize::from(head & 0x0F) + 1);
            match (id, len) {
                (0, 1) => continue,
                // Id 15, and id 0 with a length: what comes before counts, the rest is not looked at.
                (0 | 15, _) => break,
                _ => {}
            }
            let value = self.rest.take(len).ok_or(ExtensionError::Truncated)?;
            return Ok(Some((id, value)));
        }
        self.rest = Cursor::default();
        Ok(None)
    }

    fn two_byte_element(&mut self) -> Result<Option<(u8, &'a [u8])>, ExtensionError> {
        while let Some(id) = self.rest.u8() {
            if id == 0 {
                continue;
            }
            let len = self.rest.u8().ok_or(ExtensionError::Truncated)?;
            let value = self
                .rest
                .take(usize::from(len))
                .ok_or(ExtensionError::Truncated)?;
            return Ok(Some((id, value)));
        }
        Ok(None)
    }
}

impl<'a> Iterator for Extensions<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        self.element().ok().flatten()
    }
}

/// How loud a packet is (RFC 6464).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudioLevel {
    /// Decibels below overload: 0 is the loudest, 127 is silence.
    pub level_dbov: u8,
    /// The sender's own voice activity detection.
    pub voice: bool,
}

pub fn audio_level(value: &[u8]) -> Option<AudioLevel> {
    let byte = *value.first()?;
    Some(AudioLevel {
        level_dbov: byte & 0x7F,
        voice: byte & 0x80 != 0,
    })
}

impl AudioLevel {
    pub fn to_byte(self) -> u8 {
        (u8::from(self.voice) << 7) | self.level_dbov.min(127)
    }
}

/// Seconds in 6.18 fixed point, wrapping every 64 s.
pub fn abs_send_time(value: &[u8]) -> Option<u32> {
    Cursor::new(value).u24()
}

/// The transport-wide sequence number; version 2's feedback request behind it is not looked at.
pub fn transport_sequence(value: &[u8]) -> Option<u16> {
    Cursor::new(value).u16()
}

/// The text of a MID, RID or repaired RID: 1 to 16 visible ASCII characters (RFC 9143, RFC 8852).
pub fn name(value: &[u8]) -> Option<&str> {
    if value.is_empty() || value.len() > MAX_NAME || !value.iter().all(u8::is_ascii_graphic) {
        return None;
    }
    str::from_utf8(value).ok()
}
