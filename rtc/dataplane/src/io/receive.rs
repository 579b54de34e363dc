//! Taking many datagrams from a socket with one system call.

use std::io;
use std::mem;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::ptr;
use std::time::Duration;

use super::address::RawAddress;
use super::control::Control;
use super::udp::UdpSocket;

/// Memory that recvmmsg(2) fills, again and again. Pages that no datagram touched cost nothing.
pub struct Arena {
    bytes: Vec<u8>,
    addresses: Vec<RawAddress>,
    controls: Vec<Control>,
    headers: Vec<libc::mmsghdr>,
    vectors: Vec<libc::iovec>,
}

// SAFETY: the raw pointers inside headers and vectors point only into this arena's own vectors, and are
// written anew before every system call.
unsafe impl Send for Arena {}

/// One received buffer: a datagram, or several of `segment_size` from one sender.
pub struct Datagrams<'a> {
    pub data: &'a mut [u8],
    pub segment_size: usize,
    pub remote: SocketAddr,
    pub local: SocketAddr,
    /// Since the Unix epoch, by the kernel's clock.
    pub arrival: Option<Duration>,
}

impl<'a> Datagrams<'a> {
    /// One by one; an empty datagram is one too.
    pub fn each(self) -> impl Iterator<Item = &'a mut [u8]> {
        let (whole, last) = self
            .data
            .split_at_mut(match self.data.len() % self.segment_size {
                0 => self.data.len().saturating_sub(self.segment_size),
                rest => self.data.len() - rest,
            });
        whole.chunks_exact_mut(self.segment_size).chain([last])
    }
}

/// What one call brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    pub buffers: usize,
    /// The socket had no more.
    pub drained: bool,
}

impl Arena {
    pub fn new() -> Self {
        // SAFETY: mmsghdr and iovec are plain data, for which all zeroes (null pointers) is a value.
        let (header, vector) = unsafe { (mem::zeroed(), mem::zeroed()) };
        Self {
            bytes: vec![0; STRIDE * BUFFERS],
            addresses: vec![RawAddress::empty(); BUFFERS],
            controls: vec![Control::new(); BUFFERS],
            headers: vec![header; BUFFERS],
            vectors: vec![vector; BUFFERS],
        }
    }

    /// Fill the arena from the socket without waiting.
    pub fn fill(&mut self, socket: &UdpSocket) -> io::Result<Taken> {
        self.prepare();
        // SAFETY: every header points at an address, a control buffer and a vector of this arena, which
        // are not moved or touched during the call.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                BUFFERS as libc::c_uint,
                libc::MSG_DONTWAIT,
                ptr::null_mut(),
            )
        };
        if count >= 0 {
            let buffers = count as usize;
            return Ok(Taken {
                buffers,
                drained: buffers < BUFFERS,
            });
        }
        let error = io::Error::last_os_error();
        match error.kind() {
            io::ErrorKind::WouldBlock => Ok(Taken {
                buffers: 0,
                drained: true,
            }),
            // An ICMP error of an earlier send to somebody who is gone is reported here once; read on.
            io::ErrorKind::ConnectionRefused | io::ErrorKind::Interrupted => Ok(Taken::default()),
            _ => Err(error),
        }
    }

    /// The buffer at `index` of the last `fill`; `None` when it was cut off or had no sender.
    pub fn datagrams(&mut self, index: usize, socket: &UdpSocket) -> Option<Datagrams<'_>> {
        let header = &self.headers[index];
        if header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0 {
            return None;
        }
        let remote = self.addresses[index].get()?;
        let received = self.controls[index].received(&header.msg_hdr);
        let length = header.msg_len as usize;
        let start = index * STRIDE;
        Some(Datagrams {
            data: &mut self.bytes[start..start + length],
            segment_size: received.segment_size.unwrap_or(length).max(1),
            remote,
            local: socket.local_of(received.destination),
            arrival: received.arrival,
        })
    }

    fn prepare(&mut self) {
        for index in 0..BUFFERS {
            let vector = &mut self.vectors[index];
            vector.iov_base = self.bytes[index * STRIDE..].as_mut_ptr().cast();
            vector.iov_len = LARGEST;
            let header = &mut self.headers[index].msg_hdr;
            header.msg_name = (&raw mut self.addresses[index].storage).cast();
            header.msg_namelen = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
            header.msg_iov = vector;
            header.msg_iovlen = 1;
            header.msg_flags = 0;
            self.controls[index].offer(header);
        }
    }
}

/// More wait in the socket and are taken by the next call.
const BUFFERS: usize = 32;
/// The largest UDP payload; with UDP_GRO the kernel fills it with many datagrams.
const LARGEST: usize = 65_535;
/// Buffers at multiples of 64 KiB would all fall into the same sets of the processor's caches.
const STRIDE: usize = LARGEST + 1 + 17 * 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(length: usize, segment_size: usize) -> Vec<usize> {
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        let mut data = vec![0; length];
        let datagrams = Datagrams {
            data: &mut data,
            segment_size,
            remote: address,
            local: address,
            arrival: None,
        };
        datagrams.each().map(|data| data.len()).collect()
    }

    #[test]
    fn a_buffer_is_cut_into_its_datagrams() {
        assert_eq!(lengths(250, 100), [100, 100, 50]);
        assert_eq!(lengths(200, 100), [100, 100]);
        assert_eq!(lengths(90, 90), [90]);
        assert_eq!(lengths(0, 1), [0]);
    }

    #[test]
    fn what_several_senders_sent_is_taken_with_one_call() {
        let socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let senders: Vec<_> = (0..3)
            .map(|_| std::net::UdpSocket::bind("127.0.0.1:0").unwrap())
            .collect();
        for (index, sender) in senders.iter().enumerate() {
            sender
                .send_to(&vec![7; 10 + index], socket.local())
                .unwrap();
        }
        let mut arena = Arena::new();
        assert_eq!(
            arena.fill(&socket).unwrap(),
            Taken {
                buffers: 3,
                drained: true
            }
        );
        for (index, sender) in senders.iter().enumerate() {
            let datagrams = arena.datagrams(index, &socket).unwrap();
            assert_eq!(datagrams.remote, sender.local_addr().unwrap());
            assert_eq!(
                (datagrams.data.len(), datagrams.local),
                (10 + index, socket.local())
            );
            assert!(datagrams.arrival.is_some());
        }
        assert_eq!(
            arena.fill(&socket).unwrap(),
            Taken {
                buffers: 0,
                drained: true
            }
        );
    }
}
