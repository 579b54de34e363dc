//! Which number a source's packet gets on a sink, and which packet a receiver means by a number.
//!
//! What a sink sends is a row of segments. Within one, sequence numbers, timestamps and picture ids of the source are
//! shifted by constants, so that a hole stays a hole and what fills it later finds its place. A new segment begins at
//! a switch, and behind a packet that is not passed on.

use std::collections::VecDeque;

use super::SourceId;
use super::packet::Picture;

#[cfg(test)]
mod tests;

/// Segments that are remembered. A receiver's question about a packet before them is not answered.
const MAX_SEGMENTS: usize = 32;

/// What is added to the fields of a packet, wrapping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shift {
    pub timestamp: u32,
    pub picture: u16,
    pub tl0: u8,
}

#[derive(Clone, Copy, Debug)]
struct Segment {
    source: SourceId,
    /// Counts the switches: packets that came late for an earlier run have no place any more.
    run: u32,
    /// The source's number of the first packet, and ours.
    first_in: u64,
    first_out: u64,
    shift: Shift,
}

/// A packet's place on the sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub sequence: u64,
    pub shift: Shift,
}

/// The packet behind a number that the receiver knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    pub source: SourceId,
    pub sequence: u64,
    /// The number, extended.
    pub out: u64,
    pub shift: Shift,
}

#[derive(Debug)]
pub struct Rewriter {
    segments: VecDeque<Segment>,
    /// The number of the next packet.
    next_out: u64,
    /// One more than the source's highest number that was placed or skipped in this run.
    next_in: u64,
    run: u32,
    /// As sent last, for the next switch to go on from.
    last_picture: Picture,
}

impl Rewriter {
    pub fn new(first_sequence: u64) -> Self {
        Self {
            segments: VecDeque::new(),
            next_out: first_sequence,
            next_in: 0,
            run: 0,
            last_picture: Picture::default(),
        }
    }

    /// From here on `source` is sent, beginning with its packet `first_in`, whose timestamp is to become
    /// `timestamp_shift` more and whose picture the next one.
    pub fn switch(
        &mut self,
        source: SourceId,
        first_in: u64,
        timestamp_shift: u32,
        picture: Option<Picture>,
    ) {
        self.run = self.run.wrapping_add(1);
        self.next_in = first_in;
        let shift = Shift {
            timestamp: timestamp_shift,
            ..self.picture_shift(picture.unwrap_or_default())
        };
        self.push(Segment {
            source,
            run: self.run,
            first_in,
            first_out: self.next_out,
            shift,
        });
    }

    fn picture_shift(&self, first: Picture) -> Shift {
        let last = self.last_picture;
        let next_id = last.id.map_or(first.id, |id| Some(id.wrapping_add(1)));
        let next_tl0 = last.tl0.map_or(first.tl0, |tl0| Some(tl0.wrapping_add(1)));
        Shift {
            timestamp: 0,
            picture: next_id.unwrap_or(0).wrapping_sub(first.id.unwrap_or(0)),
            tl0: next_tl0.unwrap_or(0).wrapping_sub(first.tl0.unwrap_or(0)),
        }
    }

    /// The place of the current source's packet; `None`: it came too late to have one.
    pub fn place(&mut self, sequence: u64, picture: Option<Picture>) -> Option<Place> {
        let mut next_first_out = u64::MAX;
        for segment in self.segments.iter().rev() {
            if segment.run != self.run {
                return None;
            }
            if sequence >= segment.first_in {
                let out = segment.first_out + (sequence - segment.first_in);
                let place = Place {
                    sequence: out,
                    shift: segment.shift,
                };
                if out >= next_first_out {
                    return None;
                }
                self.note(sequence, place, picture);
                return Some(place);
            }
            next_first_out = segment.first_out;
        }
        None
    }

    fn note(&mut self, sequence: u64, place: Place, picture: Option<Picture>) {
        if place.sequence < self.next_out {
            return;
        }
        self.next_out = place.sequence + 1;
        self.next_in = sequence + 1;
        if let Some(picture) = picture {
            let id = picture.id.map(|id| id.wrapping_add(place.shift.picture));
            let tl0 = picture.tl0.map(|tl0| tl0.wrapping_add(place.shift.tl0));
            self.last_picture = Picture { id, tl0 };
        }
    }

    /// The current source's packet is not passed on: those behind it close up.
    ///
    /// Answers false where its number was left open already, so that something has to fill it.
    pub fn skip(&mut self, sequence: u64) -> bool {
        let Some(newest) = self.segments.back().copied() else {
            return true;
        };
        if sequence < self.next_in {
            return false;
        }
        let first_out = newest.first_out + (sequence - newest.first_in);
        self.next_in = sequence + 1;
        self.next_out = first_out;
        self.push(Segment {
            first_in: self.next_in,
            first_out,
            ..newest
        });
        true
    }

    fn push(&mut self, segment: Segment) {
        let empty = |last: &Segment| last.first_out == segment.first_out;
        if self.segments.back().is_some_and(empty) {
            self.segments.pop_back();
        } else if self.segments.len() == MAX_SEGMENTS {
            self.segments.pop_front();
        }
        self.segments.push_back(segment);
    }

    /// The packet that went out under `number`.
    pub fn origin(&self, number: u16) -> Option<Origin> {
        let out = crate::wire::sequence::extend16(self.next_out.checked_sub(1)?, number);
        let segment = self
            .segments
            .iter()
            .rev()
            .find(|segment| segment.first_out <= out)?;
        (out < self.next_out).then(|| Origin {
            source: segment.source,
            sequence: segment.first_in + (out - segment.first_out),
            out,
            shift: segment.shift,
        })
    }

    /// What the newest packets are shifted by.
    pub fn shift(&self) -> Option<Shift> {
        self.segments.back().map(|segment| segment.shift)
    }
}
