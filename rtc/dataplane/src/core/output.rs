//! What comes out of a plane.

use std::time::Instant;

use super::{Event, Path};

/// Datagrams to one path, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transmit<'a> {
    pub path: Path,
    /// One datagram, or a run of them: at most 64 datagrams and 65,000 bytes. Over TCP each datagram is still to be framed.
    pub contents: &'a [u8],
    /// Bytes of each datagram of a run; the last one may be shorter. `None`: `contents` is one datagram.
    pub segment_size: Option<usize>,
}

impl<'a> Transmit<'a> {
    /// The datagrams one by one.
    pub fn datagrams(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let size = self.segment_size.unwrap_or(self.contents.len());
        self.contents.chunks(size.max(1))
    }
}

/// The next thing for the driver to do.
#[derive(Debug)]
pub enum Output<'a> {
    Transmit(Transmit<'a>),
    Event(Event),
    /// Nothing more now. Come back with `Input::Timeout` at this time; `None`: only input brings anything new.
    Timeout(Option<Instant>),
}
