//! Source descriptions and goodbyes (RFC 3550 sections 6.5 and 6.6).

use super::{GOODBYE, SOURCE_DESCRIPTION, write_packet};
use crate::wire::cursor::Cursor;

const CNAME: u8 = 1;
const END: u8 = 0;

/// The SSRCs that leave.
#[derive(Clone, Debug)]
pub struct Goodbyes<'a> {
    cursor: Cursor<'a>,
}

impl<'a> Goodbyes<'a> {
    /// The reason behind the SSRCs is not read.
    pub(super) fn read(mut cursor: Cursor<'a>, count: u8) -> Option<Self> {
        let ssrcs = cursor.take(usize::from(count) * 4)?;
        Some(Self {
            cursor: Cursor::new(ssrcs),
        })
    }
}

impl Iterator for Goodbyes<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        self.cursor.u32()
    }
}

/// Appends a source description with one canonical name; what is longer than 255 bytes is cut.
pub fn write_cname(out: &mut Vec<u8>, ssrc: u32, cname: &str) {
    let name = &cname.as_bytes()[..cname.len().min(255)];
    write_packet(out, 1, SOURCE_DESCRIPTION, |out| {
        out.extend(ssrc.to_be_bytes());
        out.extend([CNAME, name.len() as u8]);
        out.extend(name);
        // At least one zero ends the chunk; the packet is filled up with more.
        out.push(END);
    });
}

/// Appends a goodbye of one stream.
pub fn write_goodbye(out: &mut Vec<u8>, ssrc: u32) {
    write_packet(out, 1, GOODBYE, |out| out.extend(ssrc.to_be_bytes()));
}
