//! ICE over TCP, for networks without UDP: passive candidates on the media port (RFC 6544, framing of RFC 4571).
//!
//! Bounds: `CONNECTIONS` per worker and `PER_ADDRESS` of them from one address, further ones are closed at once;
//! a connection that shows no ICE password within 10 s is closed; what its peer does not read is bounded (`outbox`).

mod connection;
mod outbox;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use crate::core::{Path, Protocol, Transmit};

use super::counters::IoCounters;
use super::poller::{Poller, Ready, Token};
use super::udp;

use connection::Connection;

pub struct TcpPorts {
    listeners: Vec<TcpListener>,
    connections: HashMap<u32, Connection>,
    per_address: HashMap<IpAddr, usize>,
    /// Numbers are never used twice.
    next: u32,
    /// Have something to write that was not tried yet.
    unflushed: Vec<u32>,
    /// Closed, and the plane does not know yet.
    closed: Vec<Path>,
    buffer: Vec<u8>,
    next_sweep: Option<Instant>,
}

/// Listen on this address, without blocking. IPv6 takes IPv6 only, so that both families share a port.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = udp::open(address, libc::SOCK_STREAM)?;
    // Connections of an earlier process in TIME_WAIT must not keep the port.
    udp::set_option(&socket, libc::SOL_SOCKET, libc::SO_REUSEADDR, 1)?;
    udp::bind(&socket, address)?;
    // SAFETY: listen takes no pointers.
    if unsafe { libc::listen(socket.as_raw_fd(), WAITING) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(TcpListener::from(socket))
}

impl TcpPorts {
    pub fn new(listeners: Vec<TcpListener>) -> Self {
        Self {
            listeners,
            connections: HashMap::new(),
            per_address: HashMap::new(),
            next: 0,
            unflushed: Vec::new(),
            closed: Vec::new(),
            buffer: vec![0; READ_AT_ONCE],
            next_sweep: None,
        }
    }

    pub fn watch(&self, poller: &Poller) -> io::Result<()> {
        for (index, listener) in self.listeners.iter().enumerate() {
            poller.add(listener, LISTENER_TOKENS + index as Token)?;
        }
        Ok(())
    }

    /// Something is ready that belongs here.
    pub fn ready(
        &mut self,
        Ready {
            token,
            readable,
            writable,
        }: Ready,
        poller: &Poller,
        now: Instant,
        counters: &mut IoCounters,
        on_frame: impl FnMut(Path, &mut [u8]),
    ) {
        if token < CONNECTION_TOKENS {
            self.accept((token - LISTENER_TOKENS) as usize, poller, now, counters);
            return;
        }
        let number = (token - CONNECTION_TOKENS) as u32;
        if writable {
            self.write(number, poller, counters);
        }
        if readable {
            self.read(number, now, counters, on_frame);
        }
    }

    /// Queue for a connection; `flush` writes.
    pub fn send(
        &mut self,
        number: u32,
        transmit: &Transmit<'_>,
        now: Instant,
        counters: &mut IoCounters,
    ) {
        let Some(connection) = self.connections.get_mut(&number) else {
            return; // it closed in the meantime
        };
        for datagram in transmit.datagrams() {
            connection.note_sent(datagram, now);
            counters.tcp_dropped += connection.outbox.push(datagram);
        }
        if self.unflushed.last() != Some(&number) {
            self.unflushed.push(number);
        }
    }

    pub fn flush(&mut self, poller: &Poller, counters: &mut IoCounters) {
        while let Some(number) = self.unflushed.pop() {
            self.write(number, poller, counters);
        }
    }

    /// A path that closed, until there is none.
    pub fn next_closed(&mut self, now: Instant, counters: &mut IoCounters) -> Option<Path> {
        if self.next_sweep.is_some_and(|sweep| sweep <= now) {
            self.sweep(now, counters);
        }
        self.closed.pop()
    }

    /// When `next_closed` wants to be called.
    pub fn deadline(&self) -> Option<Instant> {
        self.next_sweep
    }

    pub fn close_all(&mut self) {
        self.connections.clear();
        self.per_address.clear();
        self.unflushed.clear();
        self.closed.clear();
        self.next_sweep = None;
    }

    fn accept(
        &mut self,
        listener: usize,
        poller: &Poller,
        now: Instant,
        counters: &mut IoCounters,
    ) {
        // Bounded, so that a flood of connections does not starve media; the rest stays readable.
        for _ in 0..ACCEPTED_AT_ONCE {
            let Some(listener) = self.listeners.get(listener) else {
                return;
            };
            match listener.accept() {
                Ok((stream, remote)) => match self.admit(stream, remote, poller, now) {
                    Ok(()) => counters.tcp_accepted += 1,
                    Err(_) => counters.tcp_refused += 1,
                },
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // The connection ended before it was taken, or descriptors ran out; both pass.
                Err(_) => {
                    counters.tcp_refused += 1;
                    return;
                }
            }
        }
    }

    fn admit(
        &mut self,
        stream: TcpStream,
        remote: SocketAddr,
        poller: &Poller,
        now: Instant,
    ) -> io::Result<()> {
        let residence = residence(remote.ip());
        let neighbours = self.per_address.get(&residence).copied().unwrap_or(0);
        if self.connections.len() >= CONNECTIONS || neighbours >= PER_ADDRESS {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        let number = self.next;
        let path = Path {
            protocol: Protocol::Tcp(number),
            local: stream.local_addr()?,
            remote,
        };
        let connection = Connection::new(stream, path, now)?;
        poller.add(&connection, CONNECTION_TOKENS + Token::from(number))?;
        self.next += 1;
        *self.per_address.entry(residence).or_insert(0) += 1;
        self.connections.insert(number, connection);
        self.next_sweep.get_or_insert(now + SWEEP);
        Ok(())
    }

    fn read(
        &mut self,
        number: u32,
        now: Instant,
        counters: &mut IoCounters,
        on_frame: impl FnMut(Path, &mut [u8]),
    ) {
        let Some(connection) = self.connections.get_mut(&number) else {
            return;
        };
        if !connection
            .read(&mut self.buffer, now, on_frame)
            .unwrap_or(false)
        {
            counters.tcp_closed += 1;
            self.close(number);
        }
    }

    fn write(&mut self, number: u32, poller: &Poller, counters: &mut IoCounters) {
        let Some(connection) = self.connections.get_mut(&number) else {
            return;
        };
        let token = CONNECTION_TOKENS + Token::from(number);
        let outcome = connection
            .flush()
            .and_then(|done| poller.want_write(connection, token, !done));
        if outcome.is_err() {
            counters.tcp_closed += 1;
            self.close(number);
        }
    }

    fn sweep(&mut self, now: Instant, counters: &mut IoCounters) {
        let expired: Vec<u32> = self
            .connections
            .iter()
            .filter(|(_, c)| c.expires() <= now)
            .map(|(&number, _)| number)
            .collect();
        for number in expired {
            counters.tcp_expired += 1;
            self.close(number);
        }
        self.next_sweep = (!self.connections.is_empty()).then_some(now + SWEEP);
    }

    fn close(&mut self, number: u32) {
        let Some(connection) = self.connections.remove(&number) else {
            return;
        };
        self.closed.push(connection.path);
        let residence = residence(connection.path.remote.ip());
        if let Some(count) = self.per_address.get_mut(&residence) {
            *count -= 1;
            if *count == 0 {
                self.per_address.remove(&residence);
            }
        }
    }
}

/// Whom the bound per address counts: a network of IPv6 (/64) has as many addresses as it likes.
fn residence(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
    }
}

/// Tokens at and above this one are of this module.
pub const LISTENER_TOKENS: Token = 1 << 32;
const CONNECTION_TOKENS: Token = 1 << 33;
const CONNECTIONS: usize = 1_024;
/// A household or an office behind one address; browsers open a few each.
const PER_ADDRESS: usize = 64;
const WAITING: i32 = 128;
const ACCEPTED_AT_ONCE: usize = 16;
const READ_AT_ONCE: usize = 64 * 1024;
const SWEEP: Duration = Duration::from_secs(1);
