//! Transport-wide congestion control feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1).

use super::{TRANSPORT_CC, TRANSPORT_FEEDBACK, write_packet};
use crate::wire::cursor::Cursor;

/// Statuses that one message written here has room for: more than a busy publisher sends between two of them.
pub const MAX_STATUSES: usize = 512;

/// Statuses that a message may tell. A run of 8,191 takes two bytes: without a bound a datagram full of small messages
/// would cost its reader millions of steps, and nobody has as many packets on the way.
const MAX_TOLD: u16 = 0x2000;

/// Arrival times are told in steps of 250 µs, from a reference in steps of 64 ms.
const DELTA_MICROS: i64 = 250;
const REFERENCE_MICROS: i64 = 64_000;

const NOT_RECEIVED: u8 = 0;
const SMALL_DELTA: u8 = 1;
const LARGE_DELTA: u8 = 2;

const VECTOR: u16 = 0x8000;
const TWO_BITS: u16 = 0x4000;
const MAX_RUN: usize = 0x1fff;
const ONE_BIT_STATUSES: usize = 14;
const TWO_BIT_STATUSES: usize = 7;

/// What a receiver tells of the packets of a whole transport.
#[derive(Clone, Debug)]
pub struct TransportFeedback<'a> {
    pub base_sequence: u16,
    /// Numbers told of, received or not.
    pub status_count: u16,
    /// In µs on the receiver's clock, a multiple of 64,000 that wraps after 12 days.
    pub reference: i64,
    /// Counts the messages.
    pub feedback_count: u8,
    chunks: Cursor<'a>,
    deltas: Cursor<'a>,
}

impl<'a> TransportFeedback<'a> {
    /// Chunks and deltas are checked against each other, so that reading them cannot fail.
    pub(super) fn read(mut cursor: Cursor<'a>) -> Option<Self> {
        let base_sequence = cursor.u16()?;
        let status_count = cursor.u16()?;
        let packed = cursor.u32()?;
        if status_count > MAX_TOLD {
            return None;
        }
        let chunks = cursor;
        let mut delta_bytes = 0;
        let mut left = usize::from(status_count);
        while left > 0 {
            let chunk = Chunk(cursor.u16()?);
            let count = chunk.len().min(left);
            if count == 0 {
                return None; // a run of nothing
            }
            delta_bytes += chunk.delta_bytes(count);
            left -= count;
        }
        let deltas = Cursor::new(cursor.take(delta_bytes)?);
        Some(Self {
            base_sequence,
            status_count,
            reference: i64::from(packed as i32 >> 8) * REFERENCE_MICROS,
            feedback_count: packed as u8,
            chunks,
            deltas,
        })
    }

    /// Hands out each sequence number with its arrival in µs on the receiver's clock, `None` where it did not arrive.
    pub fn for_each(&self, mut tell: impl FnMut(u16, Option<i64>)) {
        let (mut chunks, mut deltas) = (self.chunks, self.deltas);
        let mut arrival = self.reference;
        let mut done = 0u16;
        while done < self.status_count {
            let Some(chunk) = chunks.u16().map(Chunk) else {
                return;
            };
            for index in 0..chunk.len().min(usize::from(self.status_count - done)) {
                let delta = match chunk.status(index) {
                    SMALL_DELTA => deltas.u8().map(i64::from),
                    LARGE_DELTA => deltas.u16().map(|delta| i64::from(delta as i16)),
                    _ => None,
                };
                arrival += delta.unwrap_or(0) * DELTA_MICROS;
                tell(
                    self.base_sequence.wrapping_add(done),
                    delta.map(|_| arrival),
                );
                done += 1;
            }
        }
    }
}

/// Two bytes that tell a row of statuses.
#[derive(Clone, Copy)]
struct Chunk(u16);

impl Chunk {
    fn len(self) -> usize {
        match self.0 {
            run if run & VECTOR == 0 => usize::from(run) & MAX_RUN,
            vector if vector & TWO_BITS == 0 => ONE_BIT_STATUSES,
            _ => TWO_BIT_STATUSES,
        }
    }

    /// Bytes of the deltas that belong to the first `count` statuses.
    fn delta_bytes(self, count: usize) -> usize {
        if self.0 & VECTOR == 0 {
            return count * delta_len(self.status(0));
        }
        (0..count).map(|index| delta_len(self.status(index))).sum()
    }

    /// 3 is reserved and means nothing here, as `NOT_RECEIVED` does.
    fn status(self, index: usize) -> u8 {
        let bits = self.0;
        match bits {
            run if run & VECTOR == 0 => (run >> 13) as u8 & 3,
            vector if vector & TWO_BITS == 0 => (vector >> (13 - index)) as u8 & 1,
            vector => (vector >> (12 - 2 * index)) as u8 & 3,
        }
    }
}

/// One byte for a small delta, two for a large one, none otherwise.
fn delta_len(status: u8) -> usize {
    match status {
        SMALL_DELTA => 1,
        LARGE_DELTA => 2,
        _ => 0,
    }
}

/// What became of a list of arrivals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// How many of them the message tells: the others need another one.
    pub statuses: usize,
}

/// Appends a message about the packets from `base_sequence` on: `arrivals` has µs on our clock, `None` for a hole.
///
/// It ends early behind `MAX_STATUSES`, and before a delta of more than 8 s. Nothing is written if nothing arrived.
pub fn write_transport_feedback(
    out: &mut Vec<u8>,
    (sender, media): (u32, u32),
    feedback_count: u8,
    base_sequence: u16,
    arrivals: &[Option<i64>],
) -> Written {
    let Some(first) = arrivals.iter().flatten().next() else {
        return Written { statuses: 0 };
    };
    let reference = first.div_euclid(REFERENCE_MICROS);
    let mut encoder = Encoder::new(reference * REFERENCE_MICROS);
    for arrival in arrivals.iter().take(MAX_STATUSES) {
        if !encoder.push(*arrival) {
            break;
        }
    }
    let statuses = encoder.len;
    write_packet(out, TRANSPORT_CC, TRANSPORT_FEEDBACK, |out| {
        out.extend(sender.to_be_bytes());
        out.extend(media.to_be_bytes());
        out.extend(base_sequence.to_be_bytes());
        out.extend((statuses as u16).to_be_bytes());
        out.extend(&(reference as i32).to_be_bytes()[1..]);
        out.push(feedback_count);
        encoder.write(out);
    });
    Written { statuses }
}

/// Statuses and deltas side by side, on the stack.
struct Encoder {
    statuses: [u8; MAX_STATUSES],
    deltas: [i16; MAX_STATUSES],
    len: usize,
    /// The last arrival as the receiver of this message will have it, rounding included.
    clock: i64,
}

impl Encoder {
    fn new(reference: i64) -> Self {
        Self {
            statuses: [NOT_RECEIVED; MAX_STATUSES],
            deltas: [0; MAX_STATUSES],
            len: 0,
            clock: reference,
        }
    }

    fn push(&mut self, arrival: Option<i64>) -> bool {
        if let Some(arrival) = arrival {
            let steps = (arrival - self.clock).div_euclid(DELTA_MICROS);
            let Ok(delta) = i16::try_from(steps) else {
                return false;
            };
            self.clock += i64::from(delta) * DELTA_MICROS;
            self.deltas[self.len] = delta;
            self.statuses[self.len] = match delta {
                0..=255 => SMALL_DELTA,
                _ => LARGE_DELTA,
            };
        }
        self.len += 1;
        true
    }

    fn write(&self, out: &mut Vec<u8>) {
        let statuses = &self.statuses[..self.len];
        let mut rest = statuses;
        while !rest.is_empty() {
            let (chunk, told) = chunk_of(rest);
            out.extend(chunk.to_be_bytes());
            rest = &rest[told..];
        }
        for (status, delta) in statuses.iter().zip(&self.deltas) {
            match *status {
                SMALL_DELTA => out.push(*delta as u8),
                LARGE_DELTA => out.extend(delta.to_be_bytes()),
                _ => {}
            }
        }
    }
}

/// The chunk that tells the most of what comes next, and how many statuses it tells.
fn chunk_of(statuses: &[u8]) -> (u16, usize) {
    let first = statuses[0];
    let run = statuses.iter().take_while(|&&status| status == first);
    let run = run.count().min(MAX_RUN);
    let one_bit = &statuses[..statuses.len().min(ONE_BIT_STATUSES)];
    let fits_one_bit = one_bit.iter().all(|&status| status != LARGE_DELTA);
    let vector = if fits_one_bit {
        one_bit.len()
    } else {
        statuses.len().min(TWO_BIT_STATUSES)
    };
    if run >= vector {
        return (u16::from(first) << 13 | run as u16, run);
    }
    let told = &statuses[..vector];
    let pack = |bits: u32, start: u32| {
        told.iter()
            .zip(0u32..)
            .fold(0u16, |chunk, (&status, index)| {
                chunk | u16::from(status) << (start - bits * index)
            })
    };
    let chunk = if fits_one_bit {
        VECTOR | pack(1, 13)
    } else {
        VECTOR | TWO_BITS | pack(2, 12)
    };
    (chunk, vector)
}
