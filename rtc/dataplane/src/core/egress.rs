//! Puts one packet together for one receiver, encrypts it and leaves it in the outbox.

use super::extension_ids::{OutgoingIds, kept};
use super::outbox::Outbox;
use super::{Path, time::Micros};
use crate::codec::vp8;
use crate::srtp::Session;
use crate::wire::rtp::{Fields, header_len, write_header};

/// MID, transport-wide sequence, send time, and the four that are passed on.
const MAX_EXTENSIONS: usize = 7;

/// The header extensions that are made at the moment of sending.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    pub transport_sequence: u16,
    /// 6.18 fixed point seconds, 24 bits.
    pub send_time: u32,
}

impl Stamp {
    pub fn new(transport_sequence: u16, now: Micros) -> Self {
        Self {
            transport_sequence,
            send_time: ((now as u64) << 18).wrapping_div(1_000_000) as u32 & 0x00FF_FFFF,
        }
    }
}

/// One packet for one receiver.
#[derive(Clone, Copy, Debug)]
pub struct Parcel<'a> {
    pub fields: Fields,
    pub roc: u32,
    pub mid: &'a str,
    /// The section negotiated transport-wide feedback.
    pub transport_cc: bool,
    /// Extensions that are passed on, as they were kept.
    pub kept: &'a [u8],
    /// In front of a retransmission: the number that it had (RFC 4588 section 4).
    pub original: Option<u16>,
    pub payload: &'a [u8],
    /// VP8's picture id and TL0PICIDX are moved by this much.
    pub picture: Option<(u16, u8)>,
    /// A second copy under the same number has to be the same to the last bit, or it gives the key away (RFC 7714 section 8.4).
    pub stamp: Option<Stamp>,
}

/// The way to one receiver.
pub struct Egress<'a> {
    pub outbox: &'a mut Outbox,
    pub session: &'a Session,
    pub path: Path,
    pub ids: OutgoingIds,
    /// Of the next packet: one count for the whole transport, retransmissions included.
    pub transport_sequence: &'a mut u16,
    pub now: Micros,
    /// What went this way: datagrams and their bytes.
    pub sent: (u64, u64),
}

impl Egress<'_> {
    /// Answers the datagram's length and its stamp; `None` if it cannot be sent.
    pub fn send(&mut self, parcel: &Parcel<'_>) -> Option<(usize, Stamp)> {
        let stamp = parcel
            .stamp
            .unwrap_or_else(|| Stamp::new(*self.transport_sequence, self.now));
        let number = stamp.transport_sequence.to_be_bytes();
        let time = stamp.send_time.to_be_bytes();
        let mut extensions: [(u8, &[u8]); MAX_EXTENSIONS] = [(0, &[]); MAX_EXTENSIONS];
        let mut count = 0;
        let mut add = |id: Option<u8>, value| {
            if let Some(id) = id
                && let Some(slot) = extensions.get_mut(count)
            {
                *slot = (id, value);
                count += 1;
            }
        };
        add(self.ids.mid, parcel.mid.as_bytes());
        add(
            self.ids.transport_sequence.filter(|_| parcel.transport_cc),
            &number,
        );
        add(self.ids.abs_send_time, &time[1..]);
        for (tag, value) in kept(parcel.kept) {
            add(self.ids.passed(tag), value);
        }
        let session = self.session;
        let extensions = &extensions[..count];
        let sent = self
            .outbox
            .try_send(self.path, |bytes| write(bytes, parcel, extensions, session))?;
        if parcel.transport_cc && parcel.stamp.is_none() {
            *self.transport_sequence = self.transport_sequence.wrapping_add(1);
        }
        self.sent.0 += 1;
        self.sent.1 += sent as u64;
        Some((sent, stamp))
    }
}

fn write(
    bytes: &mut Vec<u8>,
    parcel: &Parcel<'_>,
    extensions: &[(u8, &[u8])],
    session: &Session,
) -> Option<()> {
    let start = bytes.len();
    bytes.resize(start + header_len(extensions), 0);
    let header = write_header(&mut bytes[start..], &parcel.fields, extensions).ok()?;
    if let Some(original) = parcel.original {
        bytes.extend_from_slice(&original.to_be_bytes());
    }
    let payload = bytes.len();
    bytes.extend_from_slice(parcel.payload);
    if let Some((picture, tl0)) = parcel.picture {
        vp8::rewrite(&mut bytes[payload..], picture, tl0);
    }
    bytes.resize(bytes.len() + session.profile().rtp_overhead(), 0);
    session
        .protect_rtp(&mut bytes[start..], header, parcel.roc)
        .ok()
}
