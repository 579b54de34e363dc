//! The sockets of one worker: where datagrams come from, and the way out for each path.

use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use crate::core::{Path, Protocol, Transmit};

use super::counters::IoCounters;
use super::poller::{Poller, Token};
use super::send::{BATCH, Sender};
use super::tcp::TcpPorts;
use super::udp::{BUFFER_BYTES, UdpSocket};

pub struct Ports {
    pub(super) udp: Vec<UdpPort>,
    pub(super) tcp: TcpPorts,
}

pub struct UdpPort {
    pub(super) socket: UdpSocket,
    sender: Sender,
}

impl Ports {
    pub fn new(udp: Vec<UdpSocket>, tcp: TcpPorts) -> Self {
        let udp = udp
            .into_iter()
            .map(|socket| UdpPort {
                socket,
                sender: Sender::new(),
            })
            .collect();
        Self { udp, tcp }
    }

    /// Have the poller watch them all; UDP sockets get the tokens from `first_token` on.
    pub fn watch(&mut self, poller: &Poller, first_token: Token) -> io::Result<()> {
        for (index, port) in self.udp.iter().enumerate() {
            poller.add(&port.socket, first_token + index as Token)?;
        }
        self.tcp.watch(poller)
    }

    pub fn buffers_capped(&self) -> u64 {
        self.udp
            .iter()
            .filter(|port| port.socket.buffer_bytes < BUFFER_BYTES)
            .count() as u64
    }

    /// Send everything; tells whether there was anything.
    pub fn send<'a>(
        &mut self,
        transmits: impl Iterator<Item = Transmit<'a>>,
        poller: &Poller,
        now: Instant,
        counters: &mut IoCounters,
    ) -> bool {
        let mut batch = [NOTHING; BATCH];
        let (mut port, mut length, mut any) = (0, 0, false);
        for transmit in transmits {
            any = true;
            if let Protocol::Tcp(connection) = transmit.path.protocol {
                self.tcp.send(connection, &transmit, now, counters);
                continue;
            }
            let Some(wanted) = self.port_of(transmit.path) else {
                counters.send_no_socket += 1;
                continue;
            };
            if length == BATCH || (wanted != port && length > 0) {
                self.send_batch(port, &batch[..length], poller, now, counters);
                length = 0;
            }
            port = wanted;
            batch[length] = transmit;
            length += 1;
        }
        if length > 0 {
            self.send_batch(port, &batch[..length], poller, now, counters);
        }
        any
    }

    /// The socket with this token takes more again.
    pub fn resume(
        &mut self,
        index: usize,
        poller: &Poller,
        token: Token,
        counters: &mut IoCounters,
    ) -> io::Result<()> {
        let port = &mut self.udp[index];
        if port.sender.resume(&port.socket, counters) {
            poller.want_write(&port.socket, token, false)?;
        }
        Ok(())
    }

    fn port_of(&self, path: Path) -> Option<usize> {
        // An exact address before a wildcard; there are a handful at most.
        let exact = self
            .udp
            .iter()
            .position(|port| port.socket.local() == path.local);
        exact.or_else(|| {
            self.udp
                .iter()
                .position(|port| port.socket.serves(path.local))
        })
    }

    fn send_batch(
        &mut self,
        index: usize,
        batch: &[Transmit<'_>],
        poller: &Poller,
        now: Instant,
        counters: &mut IoCounters,
    ) {
        let port = &mut self.udp[index];
        let waited = port.sender.is_waiting();
        port.sender.send(&port.socket, batch, now, counters);
        if !waited && port.sender.is_waiting() {
            let token = super::worker::UDP_TOKENS + index as Token;
            // It cannot fail for a socket that is watched; if it did, the next batch would try again.
            if poller.want_write(&port.socket, token, true).is_err() {
                counters.send_failed += 1;
            }
        }
    }
}

const NOWHERE: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 0);
const NOTHING: Transmit<'static> = Transmit {
    path: Path {
        protocol: Protocol::Udp,
        local: NOWHERE,
        remote: NOWHERE,
    },
    contents: &[],
    segment_size: None,
};
