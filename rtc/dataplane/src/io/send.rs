//! Giving many datagrams to a socket with one system call, runs of equal size as one message each.
//!
//! What is full, and what then: while the socket's buffer is full, datagrams wait in the backlog (`backlog.rs`).
//! When the interface's queue is full (ENOBUFS) the message is dropped and counted: it would be full again.

use std::io;
use std::mem;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use crate::core::Transmit;

use super::address::RawAddress;
use super::backlog::Backlog;
use super::control::Control;
use super::counters::IoCounters;
use super::udp::UdpSocket;

/// Messages given to the kernel with one system call.
pub const BATCH: usize = 32;

/// A UDP socket's way out.
pub struct Sender {
    addresses: [RawAddress; BATCH],
    controls: [Control; BATCH],
    vectors: [libc::iovec; BATCH],
    headers: [libc::mmsghdr; BATCH],
    backlog: Backlog,
    /// The kernel or the interface does not cut runs: cut them here until then.
    segments_refused_until: Option<Instant>,
}

// SAFETY: the raw pointers inside headers and vectors point into this sender or into what is being sent,
// are written anew before every system call and not used after it.
unsafe impl Send for Sender {}

impl Sender {
    pub fn new() -> Self {
        // SAFETY: mmsghdr and iovec are plain data, for which all zeroes (null pointers) is a value.
        let (header, vector) = unsafe { (mem::zeroed(), mem::zeroed()) };
        Self {
            addresses: [RawAddress::empty(); BATCH],
            controls: [Control::new(); BATCH],
            vectors: [vector; BATCH],
            headers: [header; BATCH],
            backlog: Backlog::default(),
            segments_refused_until: None,
        }
    }

    /// Send in order, at most `BATCH`; what the socket does not take now waits in the backlog.
    pub fn send(
        &mut self,
        socket: &UdpSocket,
        batch: &[Transmit<'_>],
        now: Instant,
        counters: &mut IoCounters,
    ) {
        if !self.backlog.is_empty() {
            self.hold(batch, counters);
            return;
        }
        let cut_here = self.segments_refused(now);
        if cut_here && batch.iter().any(|transmit| transmit.segment_size.is_some()) {
            self.send_one_by_one(socket, batch, counters);
            return;
        }
        let mut sent = 0;
        while sent < batch.len() {
            let rest = &batch[sent..];
            match self.offer(socket, rest) {
                Ok(count) => sent += count,
                Err(error) if is_full(&error) => {
                    self.hold(rest, counters);
                    return;
                }
                Err(error) => {
                    sent += 1;
                    if is_refusal(&error) && rest[0].segment_size.is_some() {
                        self.after_refusal(socket, &rest[0], &error, now, counters);
                    } else {
                        count_failure(&error, counters);
                    }
                }
            }
        }
    }

    /// The socket takes more again. Tells whether everything that waited is gone.
    pub fn resume(&mut self, socket: &UdpSocket, counters: &mut IoCounters) -> bool {
        while let Some(held) = self.backlog.take() {
            match self.offer(socket, &[held.datagram()]) {
                Ok(_) => {}
                Err(error) if is_full(&error) => {
                    self.backlog.put_back(held);
                    return false;
                }
                Err(error) => count_failure(&error, counters),
            }
        }
        true
    }

    pub fn is_waiting(&self) -> bool {
        !self.backlog.is_empty()
    }

    fn segments_refused(&self, now: Instant) -> bool {
        self.segments_refused_until.is_some_and(|until| now < until)
    }

    fn hold(&mut self, batch: &[Transmit<'_>], counters: &mut IoCounters) {
        for transmit in batch {
            counters.send_backlog_dropped += self.backlog.push(transmit);
        }
    }

    /// A run was refused. Too large for this receiver's path is no reason to doubt the interface (EMSGSIZE).
    fn after_refusal(
        &mut self,
        socket: &UdpSocket,
        run: &Transmit<'_>,
        error: &io::Error,
        now: Instant,
        counters: &mut IoCounters,
    ) {
        counters.segmentation_refused += 1;
        if error.raw_os_error() != Some(libc::EMSGSIZE) {
            self.segments_refused_until = Some(now + RETRY_SEGMENTS_AFTER);
        }
        self.send_one_by_one(socket, &[*run], counters);
    }

    fn send_one_by_one(
        &mut self,
        socket: &UdpSocket,
        batch: &[Transmit<'_>],
        counters: &mut IoCounters,
    ) {
        for transmit in batch {
            for contents in transmit.datagrams() {
                let datagram = Transmit {
                    path: transmit.path,
                    contents,
                    segment_size: None,
                };
                if !self.backlog.is_empty() {
                    counters.send_backlog_dropped += self.backlog.push(&datagram);
                    continue;
                }
                match self.offer(socket, &[datagram]) {
                    Ok(_) => {}
                    Err(error) if is_full(&error) => {
                        counters.send_backlog_dropped += self.backlog.push(&datagram);
                    }
                    Err(error) => count_failure(&error, counters),
                }
            }
        }
    }

    /// One sendmmsg(2): how many messages from the front the kernel took, or why it did not take the first.
    fn offer(&mut self, socket: &UdpSocket, batch: &[Transmit<'_>]) -> io::Result<usize> {
        let count = batch.len().min(BATCH);
        for (index, transmit) in batch[..count].iter().enumerate() {
            let source = socket.is_wildcard().then_some(transmit.path.local);
            self.prepare(index, transmit, source);
        }
        // SAFETY: the headers point at addresses, controls and vectors of this sender and at the contents of
        // `batch`, all of which live over the call; the kernel does not write through them.
        let sent = unsafe {
            libc::sendmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                count as libc::c_uint,
                libc::MSG_DONTWAIT,
            )
        };
        if sent < 0 {
            Err(io::Error::last_os_error())
        } else {
            Ok(sent as usize)
        }
    }

    fn prepare(&mut self, index: usize, transmit: &Transmit<'_>, source: Option<SocketAddr>) {
        let control = &mut self.controls[index];
        control.clear();
        if let Some(size) = transmit.segment_size {
            control.push_segment_size(size as u16); // a datagram of 65,000 bytes at most (`Transmit`)
        }
        if let Some(source) = source {
            control.push_source(source.ip());
        }
        self.addresses[index] = transmit.path.remote.into();
        self.vectors[index].iov_base = transmit.contents.as_ptr().cast_mut().cast();
        self.vectors[index].iov_len = transmit.contents.len();
        let header = &mut self.headers[index].msg_hdr;
        header.msg_name = (&raw mut self.addresses[index].storage).cast();
        header.msg_namelen = self.addresses[index].length;
        header.msg_iov = &raw mut self.vectors[index];
        header.msg_iovlen = 1;
        control.attach(header);
    }
}

fn is_full(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}

/// What sendmsg answers to a run that the kernel or the interface does not cut (udp(7), UDP_SEGMENT).
fn is_refusal(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EIO | libc::EINVAL | libc::EMSGSIZE | libc::EOPNOTSUPP | libc::ENOPROTOOPT)
    )
}

fn count_failure(error: &io::Error, counters: &mut IoCounters) {
    if error.raw_os_error() == Some(libc::ENOBUFS) {
        counters.send_no_buffers += 1;
    } else {
        counters.send_failed += 1;
    }
}

/// Interfaces and routes change; a minute of cutting here costs little.
const RETRY_SEGMENTS_AFTER: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::{Path, Protocol};
    use std::net::UdpSocket as Receiver;

    struct Wire {
        socket: UdpSocket,
        sender: Sender,
        receiver: Receiver,
        counters: IoCounters,
    }

    impl Wire {
        fn new(bind: &str) -> Self {
            let receiver = Receiver::bind("127.0.0.1:0").unwrap();
            receiver
                .set_read_timeout(Some(Duration::from_secs(5)))
                .unwrap();
            let socket = UdpSocket::bind(bind.parse().unwrap()).unwrap();
            Self {
                socket,
                sender: Sender::new(),
                receiver,
                counters: IoCounters::default(),
            }
        }

        fn send(&mut self, contents: &[u8], segment_size: Option<usize>) {
            let local = SocketAddr::new("127.0.0.1".parse().unwrap(), self.socket.local().port());
            let path = Path {
                protocol: Protocol::Udp,
                local,
                remote: self.receiver.local_addr().unwrap(),
            };
            let transmit = Transmit {
                path,
                contents,
                segment_size,
            };
            self.sender.send(
                &self.socket,
                &[transmit],
                Instant::now(),
                &mut self.counters,
            );
        }

        fn receive(&self) -> Vec<u8> {
            let mut buffer = [0; 2048];
            let length = self.receiver.recv(&mut buffer).unwrap();
            buffer[..length].to_vec()
        }
    }

    #[test]
    fn a_run_arrives_as_its_datagrams() {
        let mut wire = Wire::new("127.0.0.1:0");
        wire.send(&[7; 250], Some(100));
        assert_eq!(
            [
                wire.receive().len(),
                wire.receive().len(),
                wire.receive().len()
            ],
            [100, 100, 50]
        );
    }

    #[test]
    fn a_run_is_cut_here_while_the_kernel_refuses() {
        let mut wire = Wire::new("127.0.0.1:0");
        wire.sender.segments_refused_until = Some(Instant::now() + RETRY_SEGMENTS_AFTER);
        wire.send(&[7; 250], Some(100));
        assert_eq!(
            [
                wire.receive().len(),
                wire.receive().len(),
                wire.receive().len()
            ],
            [100, 100, 50]
        );
    }

    #[test]
    fn a_run_that_the_kernel_refuses_is_cut_here_and_counted() {
        let mut wire = Wire::new("127.0.0.1:0");
        // Without checksums UDP_SEGMENT is refused with EINVAL or EIO, as by interfaces that cannot do it.
        super::super::udp::set_option(&wire.socket, libc::SOL_SOCKET, libc::SO_NO_CHECK, 1)
            .unwrap();
        wire.send(&[7; 250], Some(100));
        assert_eq!(
            [
                wire.receive().len(),
                wire.receive().len(),
                wire.receive().len()
            ],
            [100, 100, 50]
        );
        assert_eq!(wire.counters.segmentation_refused, 1);
        assert!(wire.sender.segments_refused(Instant::now()));
    }

    #[test]
    fn a_wildcard_socket_answers_from_the_address_that_was_asked() {
        let mut wire = Wire::new("0.0.0.0:0");
        let local: SocketAddr = format!("127.0.0.3:{}", wire.socket.local().port())
            .parse()
            .unwrap();
        let path = Path {
            protocol: Protocol::Udp,
            local,
            remote: wire.receiver.local_addr().unwrap(),
        };
        let transmit = Transmit {
            path,
            contents: b"answer",
            segment_size: None,
        };
        wire.sender.send(
            &wire.socket,
            &[transmit],
            Instant::now(),
            &mut wire.counters,
        );
        let mut buffer = [0; 16];
        assert_eq!(wire.receiver.recv_from(&mut buffer).unwrap(), (6, local));
    }

    #[test]
    fn a_message_without_a_route_is_counted_and_the_next_one_goes_out() {
        let mut wire = Wire::new("127.0.0.1:0");
        let local = wire.socket.local();
        let nowhere = Path {
            protocol: Protocol::Udp,
            local,
            remote: "255.255.255.255:9".parse().unwrap(),
        };
        let path = Path {
            protocol: Protocol::Udp,
            local,
            remote: wire.receiver.local_addr().unwrap(),
        };
        let batch = [nowhere, path].map(|path| Transmit {
            path,
            contents: b"x",
            segment_size: None,
        });
        wire.sender
            .send(&wire.socket, &batch, Instant::now(), &mut wire.counters);
        assert_eq!(wire.receive(), b"x");
        assert_eq!(wire.counters.send_failed, 1);
    }
}
