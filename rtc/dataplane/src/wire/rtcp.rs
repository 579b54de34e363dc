//! RTCP packets (RFC 3550, RFC 4585, RFC 5104) in compounds that may be reduced in size (RFC 5506).

mod feedback;
mod remb;
mod reports;
mod sdes;
mod transport_cc;

#[cfg(test)]
mod tests;

pub use feedback::{
    FullIntraRequests, NackSequences, write_full_intra_request, write_nacks, write_picture_loss,
};
pub use remb::{Bitrate, write_remb};
pub use reports::{
    ReportBlock, ReportBlocks, SenderInfo, write_receiver_report, write_sender_report,
};
pub use sdes::{Goodbyes, write_cname, write_goodbye};
pub use transport_cc::{MAX_STATUSES, TransportFeedback, Written, write_transport_feedback};

use super::cursor::Cursor;

const VERSION: u8 = 2;
const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const GOODBYE: u8 = 203;
const TRANSPORT_FEEDBACK: u8 = 205;
const PAYLOAD_FEEDBACK: u8 = 206;
/// Feedback message types of RFC 4585, RFC 5104 and the transport-wide congestion control draft.
const NACK: u8 = 1;
const TRANSPORT_CC: u8 = 15;
const PICTURE_LOSS: u8 = 1;
const FULL_INTRA_REQUEST: u8 = 4;
const APPLICATION_LAYER: u8 = 15;
const PADDING: u8 = 0x20;
const HEADER: usize = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RtcpError {
    /// The peer's: there is no whole packet in it.
    #[error("the compound is empty or ends inside a packet")]
    Truncated,
    /// The peer's: not RTCP of version 2.
    #[error("the version is not 2")]
    Version,
    /// The peer's: padding longer than its packet, or before the last packet.
    #[error("the padding is malformed")]
    Padding,
    /// The peer's: a packet is shorter than its own fields say.
    #[error("a packet of type {0} is malformed")]
    Malformed(u8),
}

/// One packet of a compound.
#[derive(Clone, Debug)]
pub enum Packet<'a> {
    SenderReport(SenderInfo, ReportBlocks<'a>),
    ReceiverReport {
        sender: u32,
        blocks: ReportBlocks<'a>,
    },
    /// Names are of no use to a relay that has its own.
    SourceDescription,
    Goodbye(Goodbyes<'a>),
    Nack {
        media: u32,
        sequences: NackSequences<'a>,
    },
    PictureLoss {
        media: u32,
    },
    FullIntraRequest(FullIntraRequests<'a>),
    /// Receiver estimated maximum bitrate.
    Remb(Bitrate<'a>),
    TransportCc(TransportFeedback<'a>),
    /// Of a type that is not used here, such as extended reports.
    Unknown,
}

/// A compound whose lengths were checked as a whole: none of its packets reaches past another.
#[derive(Clone, Debug)]
pub struct Compound<'a> {
    cursor: Cursor<'a>,
}

impl<'a> Compound<'a> {
    /// # Errors
    /// A compound that lies about a length is refused whole.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, RtcpError> {
        let mut cursor = Cursor::new(bytes);
        if cursor.is_empty() {
            return Err(RtcpError::Truncated);
        }
        while !cursor.is_empty() {
            let raw = RawPacket::read(&mut cursor)?;
            if raw.padded && !cursor.is_empty() {
                return Err(RtcpError::Padding);
            }
        }
        Ok(Self {
            cursor: Cursor::new(bytes),
        })
    }
}

impl<'a> Iterator for Compound<'a> {
    type Item = Result<Packet<'a>, RtcpError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.cursor.is_empty() {
            return None;
        }
        let raw = RawPacket::read(&mut self.cursor).ok()?;
        Some(raw.parse().ok_or(RtcpError::Malformed(raw.kind)))
    }
}

#[derive(Clone, Copy, Debug)]
struct RawPacket<'a> {
    /// The five bits that count blocks or tell feedback messages apart.
    count: u8,
    kind: u8,
    padded: bool,
    body: &'a [u8],
}

impl<'a> RawPacket<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, RtcpError> {
        let first = cursor.u8().ok_or(RtcpError::Truncated)?;
        let kind = cursor.u8().ok_or(RtcpError::Truncated)?;
        let words = cursor.u16().ok_or(RtcpError::Truncated)?;
        if first >> 6 != VERSION {
            return Err(RtcpError::Version);
        }
        let body = cursor.take(usize::from(words) * 4);
        let body = body.ok_or(RtcpError::Truncated)?;
        let padded = first & PADDING != 0;
        Ok(Self {
            count: first & 0x1f,
            kind,
            padded,
            body: if padded { without_padding(body)? } else { body },
        })
    }

    fn parse(&self) -> Option<Packet<'a>> {
        let mut body = Cursor::new(self.body);
        Some(match (self.kind, self.count) {
            (SENDER_REPORT, count) => {
                let info = SenderInfo::read(&mut body)?;
                Packet::SenderReport(info, ReportBlocks::read(body, count)?)
            }
            (RECEIVER_REPORT, count) => Packet::ReceiverReport {
                sender: body.u32()?,
                blocks: ReportBlocks::read(body, count)?,
            },
            (SOURCE_DESCRIPTION, _) => Packet::SourceDescription,
            (GOODBYE, count) => Packet::Goodbye(Goodbyes::read(body, count)?),
            (TRANSPORT_FEEDBACK, NACK) => Packet::Nack {
                media: feedback::media(&mut body)?,
                sequences: NackSequences::read(body)?,
            },
            (TRANSPORT_FEEDBACK, TRANSPORT_CC) => {
                feedback::media(&mut body)?;
                Packet::TransportCc(TransportFeedback::read(body)?)
            }
            (PAYLOAD_FEEDBACK, PICTURE_LOSS) => Packet::PictureLoss {
                media: feedback::media(&mut body)?,
            },
            (PAYLOAD_FEEDBACK, FULL_INTRA_REQUEST) => {
                feedback::media(&mut body)?;
                Packet::FullIntraRequest(FullIntraRequests::read(body)?)
            }
            (PAYLOAD_FEEDBACK, APPLICATION_LAYER) => {
                feedback::media(&mut body)?;
                Bitrate::read(body).map_or(Packet::Unknown, Packet::Remb)
            }
            _ => Packet::Unknown,
        })
    }
}

fn without_padding(body: &[u8]) -> Result<&[u8], RtcpError> {
    let len = usize::from(*body.last().ok_or(RtcpError::Padding)?);
    if len == 0 || len % 4 != 0 {
        return Err(RtcpError::Padding);
    }
    let rest = body.len().checked_sub(len).ok_or(RtcpError::Padding)?;
    Ok(&body[..rest])
}

/// Appends a packet: the header, then what `body` writes, then the length in words.
fn write_packet(out: &mut Vec<u8>, count: u8, kind: u8, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend([VERSION << 6 | count, kind, 0, 0]);
    body(out);
    while !(out.len() - start).is_multiple_of(4) {
        out.push(0);
    }
    let words = ((out.len() - start) / 4 - 1) as u16;
    out[start + 2..start + HEADER].copy_from_slice(&words.to_be_bytes());
}
