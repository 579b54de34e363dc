//! RFC 4571: each datagram of a stream behind its length in two bytes.

pub const PREFIX: usize = 2;

/// A datagram that two bytes of length cannot express.
#[derive(Debug)]
pub struct TooLarge;

pub fn write_frame(out: &mut Vec<u8>, datagram: &[u8]) -> Result<(), TooLarge> {
    let length = u16::try_from(datagram.len()).map_err(|_| TooLarge)?;
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(datagram);
    Ok(())
}

/// Cuts a stream into frames. Bounded: it keeps at most one frame and what was pushed last.
#[derive(Debug, Default)]
pub struct Reassembler {
    bytes: Vec<u8>,
    taken: usize,
}

impl Reassembler {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn push(&mut self, piece: &[u8]) {
        self.bytes.drain(..self.taken);
        self.taken = 0;
        self.bytes.extend_from_slice(piece);
    }

    pub fn next_frame(&mut self) -> Option<&mut [u8]> {
        let (length, _) = self.bytes[self.taken..].split_first_chunk::<PREFIX>()?;
        let start = self.taken + PREFIX;
        let end = start + usize::from(u16::from_be_bytes(*length));
        if end > self.bytes.len() {
            return None;
        }
        self.taken = end;
        Some(&mut self.bytes[start..end])
    }
}
