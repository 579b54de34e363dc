//! One TCP connection of an ICE peer (RFC 6544, passive on our side).

use std::io::{self, Read};
use std::net::TcpStream;
use std::os::fd::{AsRawFd, RawFd};
use std::time::{Duration, Instant};

use crate::core::Path;
use crate::wire::framing::Reassembler;

use super::outbox::Outbox;

pub struct Connection {
    pub path: Path,
    pub outbox: Outbox,
    stream: TcpStream,
    inbox: Reassembler,
    /// The plane has answered a check that came this way, so it knows whose it is.
    validated: bool,
    /// When something was last read; at first when it was accepted.
    heard: Instant,
}

impl Connection {
    pub fn new(stream: TcpStream, path: Path, now: Instant) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        let (outbox, inbox) = (Outbox::default(), Reassembler::new());
        Ok(Self {
            path,
            outbox,
            stream,
            inbox,
            validated: false,
            heard: now,
        })
    }

    /// Take what has come, at most a buffer full, and hand on each whole frame. `Ok(false)`: the peer has ended it.
    pub fn read(
        &mut self,
        buffer: &mut [u8],
        now: Instant,
        mut on_frame: impl FnMut(Path, &mut [u8]),
    ) -> io::Result<bool> {
        let count = match self.stream.read(buffer) {
            Ok(0) => return Ok(false),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(true),
            Err(error) => return Err(error),
        };
        if self.validated {
            self.heard = now; // else a trickle of bytes would keep a stranger's connection
        }
        self.inbox.push(&buffer[..count]);
        while let Some(frame) = self.inbox.next_frame() {
            on_frame(self.path, frame);
        }
        Ok(true)
    }

    pub fn flush(&mut self) -> io::Result<bool> {
        self.outbox.flush(&mut self.stream)
    }

    /// What the plane sends here tells whether it trusts the peer: it answers a check with success only after
    /// verifying its integrity.
    pub fn note_sent(&mut self, datagram: &[u8], now: Instant) {
        if !self.validated && datagram.starts_with(&BINDING_SUCCESS) {
            self.validated = true;
            self.heard = now;
        }
    }

    /// When it is closed unless something comes.
    pub fn expires(&self) -> Instant {
        self.heard
            + if self.validated {
                SILENCE
            } else {
                INTRODUCTION
            }
    }
}

impl AsRawFd for Connection {
    fn as_raw_fd(&self) -> RawFd {
        self.stream.as_raw_fd()
    }
}

const BINDING_SUCCESS: [u8; 2] = [0x01, 0x01];
/// A peer has this long to show its ICE password.
const INTRODUCTION: Duration = Duration::from_secs(10);
/// Consent ends after 30 s (RFC 7675); a little later nobody can want the connection.
const SILENCE: Duration = Duration::from_secs(35);
