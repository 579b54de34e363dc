//! Frames that a TCP connection has not taken yet. Bounded; full: the oldest media makes room, the rest stays.

use std::collections::VecDeque;
use std::io::{self, IoSlice, Write};

use crate::wire::demux::{self, Kind};
use crate::wire::framing;

#[derive(Debug, Default)]
pub struct Outbox {
    frames: VecDeque<Vec<u8>>,
    bytes: usize,
    /// How much of the first frame is already out.
    written: usize,
    /// Emptied frames, kept for their memory.
    spare: Vec<Vec<u8>>,
}

impl Outbox {
    /// Queue one datagram; tells how many were dropped: older ones for this one, or this one.
    pub fn push(&mut self, datagram: &[u8]) -> u64 {
        let mut dropped = 0;
        while self.bytes + datagram.len() > CAPACITY {
            dropped += 1;
            if !self.drop_oldest_media() {
                return dropped;
            }
        }
        let mut frame = self.spare.pop().unwrap_or_default();
        if framing::write_frame(&mut frame, datagram).is_err() {
            return dropped + 1;
        }
        self.bytes += frame.len();
        self.frames.push_back(frame);
        dropped
    }

    /// Write as much as the stream takes. `Ok(true)`: nothing is left.
    pub fn flush(&mut self, stream: &mut impl Write) -> io::Result<bool> {
        while !self.frames.is_empty() {
            match self.write_some(stream) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => self.advance(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    fn write_some(&self, stream: &mut impl Write) -> io::Result<usize> {
        let mut slices = [IoSlice::new(&[]); FRAMES_AT_ONCE];
        let mut skip = self.written;
        let mut count = 0;
        for (slice, frame) in slices.iter_mut().zip(&self.frames) {
            *slice = IoSlice::new(&frame[skip..]);
            skip = 0;
            count += 1;
        }
        stream.write_vectored(&slices[..count])
    }

    fn advance(&mut self, mut count: usize) {
        while let Some(frame) = self.frames.front() {
            let rest = frame.len() - self.written;
            if count < rest {
                self.written += count;
                return;
            }
            count -= rest;
            self.written = 0;
            self.remove(0);
        }
    }

    fn drop_oldest_media(&mut self) -> bool {
        let begun = usize::from(self.written > 0); // half a frame would break the framing of all that follow
        let media = |frame: &Vec<u8>| {
            matches!(
                demux::classify(&frame[framing::PREFIX..]),
                Some(Kind::Rtp | Kind::Rtcp)
            )
        };
        match self.frames.iter().skip(begun).position(media) {
            Some(index) => {
                self.remove(index + begun);
                true
            }
            None => false,
        }
    }

    fn remove(&mut self, index: usize) {
        if let Some(mut frame) = self.frames.remove(index) {
            self.bytes -= frame.len();
            if self.spare.len() < SPARE {
                frame.clear();
                self.spare.push(frame);
            }
        }
    }
}

/// Bytes: a second at 2 Mbit/s; a receiver that is further behind sees frozen pictures anyway.
const CAPACITY: usize = 256 * 1024;
const FRAMES_AT_ONCE: usize = 64;
const SPARE: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes `room` bytes and then blocks.
    #[derive(Default)]
    struct Narrow {
        taken: Vec<u8>,
        room: usize,
    }

    impl Write for Narrow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().min(self.room);
            if count == 0 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            self.room -= count;
            self.taken.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn rtp(mark: u8) -> Vec<u8> {
        let mut packet = vec![mark; 1_000];
        packet[..2].copy_from_slice(&[0x80, 96]);
        packet
    }

    #[test]
    fn frames_leave_whole_and_in_order_through_a_narrow_stream() {
        let mut outbox = Outbox::default();
        for mark in 0..5 {
            outbox.push(&rtp(mark));
        }
        let mut stream = Narrow::default();
        while !outbox.flush(&mut stream).unwrap() {
            stream.room = 333;
        }
        let expected: Vec<u8> = (0..5)
            .flat_map(|mark| [1_000u16.to_be_bytes().to_vec(), rtp(mark)].concat())
            .collect();
        assert_eq!(stream.taken, expected);
        assert_eq!(outbox.bytes, 0);
    }

    #[test]
    fn when_full_the_oldest_media_goes_and_dtls_stays() {
        let mut outbox = Outbox::default();
        outbox.push(&[22; 500]);
        let dropped: u64 = (0..400).map(|mark| outbox.push(&rtp(mark as u8))).sum();
        assert!(dropped > 100 && outbox.bytes <= CAPACITY);
        assert_eq!(outbox.frames[0][2], 22);
        assert_eq!(
            outbox.frames.back().unwrap()[999],
            400u16.wrapping_sub(1) as u8
        );
    }

    #[test]
    fn a_begun_frame_is_never_dropped() {
        let mut outbox = Outbox::default();
        outbox.push(&rtp(7));
        assert!(
            !outbox
                .flush(&mut Narrow {
                    room: 10,
                    ..Narrow::default()
                })
                .unwrap()
        );
        for mark in 0..400 {
            outbox.push(&rtp(mark as u8));
        }
        assert_eq!(outbox.frames[0][500], 7);
    }

    #[test]
    fn full_of_dtls_the_new_one_goes() {
        let mut outbox = Outbox::default();
        while outbox.push(&[22; 1_000]) == 0 {}
        assert!(outbox.bytes <= CAPACITY);
    }
}
