//! Sender and receiver reports (RFC 3550 section 6.4).

use super::{RECEIVER_REPORT, SENDER_REPORT, write_packet};
use crate::wire::cursor::Cursor;

const BLOCK: usize = 24;
/// Five bits count the blocks.
const MAX_BLOCKS: usize = 31;

/// What a sender says of one of its streams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SenderInfo {
    pub ssrc: u32,
    /// Seconds since 1900 in 32.32 fixed point.
    pub ntp: u64,
    /// The same moment in ticks of the stream.
    pub timestamp: u32,
    pub packets: u32,
    pub octets: u32,
}

impl SenderInfo {
    pub(super) fn read(cursor: &mut Cursor<'_>) -> Option<Self> {
        Some(Self {
            ssrc: cursor.u32()?,
            ntp: cursor.u64()?,
            timestamp: cursor.u32()?,
            packets: cursor.u32()?,
            octets: cursor.u32()?,
        })
    }
}

/// What a receiver says of one stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReportBlock {
    pub ssrc: u32,
    /// Since the last report, of 256.
    pub fraction_lost: u8,
    /// Since the beginning, 24 bits with sign: duplicates make it negative.
    pub cumulative_lost: i32,
    /// Highest sequence number, extended by the rounds counted.
    pub highest_sequence: u32,
    /// In ticks of the stream.
    pub jitter: u32,
    /// Middle 32 bits of the NTP time of the last sender report, zero without one.
    pub last_report: u32,
    /// Since that report came, in 1/65,536 s.
    pub delay: u32,
}

impl ReportBlock {
    fn read(cursor: &mut Cursor<'_>) -> Option<Self> {
        let ssrc = cursor.u32()?;
        let fraction_lost = cursor.u8()?;
        // Shifted up and down again, so that bit 23 becomes the sign.
        let cumulative_lost = (cursor.u24()? << 8) as i32 >> 8;
        Some(Self {
            ssrc,
            fraction_lost,
            cumulative_lost,
            highest_sequence: cursor.u32()?,
            jitter: cursor.u32()?,
            last_report: cursor.u32()?,
            delay: cursor.u32()?,
        })
    }

    fn write(&self, out: &mut Vec<u8>) {
        let lost = self.cumulative_lost.clamp(-0x80_0000, 0x7f_ffff);
        out.extend(self.ssrc.to_be_bytes());
        out.push(self.fraction_lost);
        out.extend(&lost.to_be_bytes()[1..]);
        for word in [
            self.highest_sequence,
            self.jitter,
            self.last_report,
            self.delay,
        ] {
            out.extend(word.to_be_bytes());
        }
    }
}

/// The blocks of a report, in order.
#[derive(Clone, Debug)]
pub struct ReportBlocks<'a> {
    cursor: Cursor<'a>,
}

impl<'a> ReportBlocks<'a> {
    /// What follows the blocks is a profile's extension and is ignored.
    pub(super) fn read(mut cursor: Cursor<'a>, count: u8) -> Option<Self> {
        let blocks = cursor.take(usize::from(count) * BLOCK)?;
        Some(Self {
            cursor: Cursor::new(blocks),
        })
    }
}

impl Iterator for ReportBlocks<'_> {
    type Item = ReportBlock;

    fn next(&mut self) -> Option<ReportBlock> {
        ReportBlock::read(&mut self.cursor)
    }
}

/// Appends a sender report; blocks beyond 31 are left out.
pub fn write_sender_report(out: &mut Vec<u8>, info: &SenderInfo, blocks: &[ReportBlock]) {
    let blocks = &blocks[..blocks.len().min(MAX_BLOCKS)];
    write_packet(out, blocks.len() as u8, SENDER_REPORT, |out| {
        out.extend(info.ssrc.to_be_bytes());
        out.extend(info.ntp.to_be_bytes());
        for word in [info.timestamp, info.packets, info.octets] {
            out.extend(word.to_be_bytes());
        }
        blocks.iter().for_each(|block| block.write(out));
    });
}

/// Appends a receiver report; blocks beyond 31 are left out.
pub fn write_receiver_report(out: &mut Vec<u8>, sender: u32, blocks: &[ReportBlock]) {
    let blocks = &blocks[..blocks.len().min(MAX_BLOCKS)];
    write_packet(out, blocks.len() as u8, RECEIVER_REPORT, |out| {
        out.extend(sender.to_be_bytes());
        blocks.iter().for_each(|block| block.write(out));
    });
}
