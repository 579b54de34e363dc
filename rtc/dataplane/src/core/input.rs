//! What goes into a plane.

use std::net::SocketAddr;

use super::Command;

/// How datagrams travel on a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    Udp,
    /// A connection number of the driver's choice, never used twice.
    Tcp(u32),
}

/// A way to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path {
    pub protocol: Protocol,
    /// The address of the socket here, which tells one socket from another.
    pub local: SocketAddr,
    pub remote: SocketAddr,
}

/// One thing that happened.
#[derive(Debug)]
pub enum Input<'a> {
    /// One datagram; over TCP one frame without its length (RFC 4571). It is decrypted where it lies.
    Datagram {
        path: Path,
        data: &'a mut [u8],
    },
    Command(Command),
    /// The time of the last `Output::Timeout` has come. Harmless when early.
    Timeout,
    /// A TCP connection is gone.
    PathClosed(Path),
}
