//! Datagrams in a byte stream, each behind its length in two bytes (RFC 4571, as RFC 6544 has it for ICE over TCP).

/// Bytes of the length in front of each datagram.
pub const PREFIX: usize = 2;

/// An idle connection keeps no more than this: a large frame's buffer is given back.
const IDLE_CAPACITY: usize = 4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    /// Ours: two bytes of length cannot express it.
    #[error("a datagram of {0} bytes does not fit a frame")]
    TooLarge(usize),
}

/// Appends one frame, or nothing at all.
///
/// # Errors
/// `TooLarge` for more than 65,535 bytes.
pub fn write_frame(out: &mut Vec<u8>, datagram: &[u8]) -> Result<(), FramingError> {
    let len = u16::try_from(datagram.len()).map_err(|_| FramingError::TooLarge(datagram.len()))?;
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(datagram);
    Ok(())
}

/// Cuts a stream into its datagrams.
///
/// Take all frames after each push: then it never holds more than one unfinished frame and the last piece, and that is
/// 65,536 bytes and the piece.
#[derive(Debug, Default)]
pub struct Reassembler {
    bytes: Vec<u8>,
    /// Bytes at the front that were handed out.
    taken: usize,
}

impl Reassembler {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds what was read from the stream.
    pub fn push(&mut self, piece: &[u8]) {
        self.bytes.drain(..self.taken);
        self.taken = 0;
        if self.bytes.is_empty() {
            self.bytes.shrink_to(IDLE_CAPACITY);
        }
        self.bytes.extend_from_slice(piece);
    }

    /// The next whole datagram, which may be empty and may be changed in place; `None` until more is pushed.
    pub fn next_frame(&mut self) -> Option<&mut [u8]> {
        let (len, _) = self.bytes[self.taken..].split_first_chunk::<PREFIX>()?;
        let start = self.taken + PREFIX;
        let end = start + usize::from(u16::from_be_bytes(*len));
        let frame = self.bytes.get_mut(start..end)?;
        self.taken = end;
        Some(frame)
    }

    /// Bytes of the frame that is not finished yet.
    pub fn pending(&self) -> usize {
        self.bytes.len() - self.taken
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn frames(reassembler: &mut Reassembler) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| reassembler.next_frame().map(|frame| frame.to_vec())).collect()
    }

    #[test]
    fn a_length_that_arrives_in_two_pieces_is_waited_for() {
        let mut reassembler = Reassembler::new();
        reassembler.push(&[0]);
        assert!(frames(&mut reassembler).is_empty());
        reassembler.push(&[2, 7]);
        assert!(frames(&mut reassembler).is_empty());
        assert_eq!(reassembler.pending(), 3);
        reassembler.push(&[8, 0, 0, 0, 1]);
        assert_eq!(frames(&mut reassembler), [&[7, 8][..], &[]]);
        assert_eq!(reassembler.pending(), 2);
    }

    #[test]
    fn the_largest_datagram_fits_and_its_buffer_is_given_back() {
        let mut stream = Vec::new();
        write_frame(&mut stream, &[9; 65_535]).unwrap();
        let mut reassembler = Reassembler::new();
        reassembler.push(&stream);
        assert_eq!(frames(&mut reassembler), [vec![9; 65_535]]);
        reassembler.push(&[0, 1]);
        assert!(reassembler.bytes.capacity() <= IDLE_CAPACITY);
    }

    #[test]
    fn what_does_not_fit_leaves_the_stream_as_it_was() {
        let mut stream = vec![1];
        let error = write_frame(&mut stream, &[0; 65_536]).unwrap_err();
        assert_eq!(error, FramingError::TooLarge(65_536));
        assert_eq!(stream, [1]);
    }

    proptest! {
        #[test]
        fn datagrams_survive_any_cut_of_the_stream(
            datagrams in vec(vec(any::<u8>(), 0..300), 0..10),
            cuts in vec(1usize..200, 1..60),
        ) {
            let mut stream = Vec::new();
            for datagram in &datagrams {
                write_frame(&mut stream, datagram).unwrap();
            }
            let mut reassembler = Reassembler::new();
            let mut received = Vec::new();
            let mut rest = stream.as_slice();
            for cut in cuts.iter().cycle() {
                let (piece, later) = rest.split_at((*cut).min(rest.len()));
                reassembler.push(piece);
                received.extend(frames(&mut reassembler));
                prop_assert!(reassembler.pending() < 302);
                rest = later;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(received, datagrams);
            prop_assert_eq!(reassembler.pending(), 0);
        }
    }
}
