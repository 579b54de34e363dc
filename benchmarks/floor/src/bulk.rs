//! Many datagrams with one system call.

use std::mem;
use std::net::{SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd;
use std::ptr;
use std::time::Duration;

pub const BUFFERS: usize = 64;
/// Room for one datagram, its bytes not at the same place of every cache line set.
const STRIDE: usize = 2048 + 64;
const CONTROL: usize = 64;

/// What recvmmsg(2) fills.
pub struct Arena {
    bytes: Vec<u8>,
    control: Vec<[u64; CONTROL / 8]>,
    vectors: Vec<libc::iovec>,
    headers: Vec<libc::mmsghdr>,
}

impl Default for Arena {
    fn default() -> Self {
        // SAFETY: all zeroes is a value of both.
        let (vector, header) = unsafe { (mem::zeroed(), mem::zeroed()) };
        Self {
            bytes: vec![0; STRIDE * BUFFERS],
            control: vec![[0; CONTROL / 8]; BUFFERS],
            vectors: vec![vector; BUFFERS],
            headers: vec![header; BUFFERS],
        }
    }
}

impl Arena {
    /// How many datagrams came; none when the socket was empty.
    pub fn receive(&mut self, socket: &UdpSocket) -> usize {
        for index in 0..BUFFERS {
            self.vectors[index] = libc::iovec {
                iov_base: self.bytes[index * STRIDE..].as_mut_ptr().cast(),
                iov_len: 2048,
            };
            let header = &mut self.headers[index].msg_hdr;
            header.msg_iov = &raw mut self.vectors[index];
            header.msg_iovlen = 1;
            header.msg_control = self.control[index].as_mut_ptr().cast();
            header.msg_controllen = CONTROL;
        }
        // SAFETY: every header points at a vector and a buffer of this arena, which live over the call.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                BUFFERS as libc::c_uint,
                libc::MSG_DONTWAIT,
                ptr::null_mut(),
            )
        };
        count.max(0) as usize
    }

    pub fn datagram(&mut self, index: usize) -> &mut [u8] {
        let length = self.headers[index].msg_len as usize;
        &mut self.bytes[index * STRIDE..][..length]
    }

    /// When the kernel took it in, since the Unix epoch (SO_TIMESTAMPNS).
    pub fn arrival(&self, index: usize) -> Option<Duration> {
        let header = &self.headers[index].msg_hdr;
        // SAFETY: the kernel filled the control buffer that the header points at.
        unsafe {
            let message = libc::CMSG_FIRSTHDR(header);
            if message.is_null() || (*message).cmsg_type != libc::SCM_TIMESTAMPNS {
                return None;
            }
            let time: libc::timespec = ptr::read_unaligned(libc::CMSG_DATA(message).cast());
            Some(Duration::new(time.tv_sec as u64, time.tv_nsec as u32))
        }
    }
}

/// One message of a sendmmsg(2): datagrams of one size (the last may be shorter) to one address.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    pub to: SocketAddrV4,
    pub bytes: &'a [u8],
    pub size: u16,
}

/// Send them all, waiting while the socket is full.
pub fn send(socket: &UdpSocket, runs: &[Run<'_>]) {
    for runs in runs.chunks(BUFFERS) {
        send_some(socket, runs);
    }
}

fn send_some(socket: &UdpSocket, runs: &[Run<'_>]) {
    // SAFETY: all zeroes is a value of each.
    let (mut vectors, mut headers, mut addresses): (
        [libc::iovec; BUFFERS],
        [libc::mmsghdr; BUFFERS],
        [libc::sockaddr_in; BUFFERS],
    ) = unsafe { mem::zeroed() };
    let mut control = [[0u64; 3]; BUFFERS]; // one message with two bytes of data: 24 bytes
    for (index, run) in runs.iter().enumerate() {
        addresses[index].sin_family = libc::AF_INET as libc::sa_family_t;
        addresses[index].sin_port = run.to.port().to_be();
        addresses[index].sin_addr.s_addr = run.to.ip().to_bits().to_be();
        vectors[index].iov_base = run.bytes.as_ptr().cast_mut().cast();
        vectors[index].iov_len = run.bytes.len();
        let header = &mut headers[index].msg_hdr;
        header.msg_name = (&raw mut addresses[index]).cast();
        header.msg_namelen = size_of::<libc::sockaddr_in>() as libc::socklen_t;
        header.msg_iov = &raw mut vectors[index];
        header.msg_iovlen = 1;
        if run.bytes.len() > usize::from(run.size) {
            header.msg_control = control[index].as_mut_ptr().cast();
            header.msg_controllen = size_of_val(&control[index]);
            // SAFETY: the control buffer has room for one message of two bytes.
            unsafe {
                let message = libc::CMSG_FIRSTHDR(header);
                (*message).cmsg_level = libc::SOL_UDP;
                (*message).cmsg_type = libc::UDP_SEGMENT;
                (*message).cmsg_len = libc::CMSG_LEN(2) as usize;
                ptr::write_unaligned(libc::CMSG_DATA(message).cast(), run.size);
            }
        }
    }
    let mut sent = 0;
    while sent < runs.len() {
        // SAFETY: headers, vectors, addresses and control live over the call.
        let count = unsafe {
            libc::sendmmsg(
                socket.as_raw_fd(),
                headers[sent..].as_mut_ptr(),
                (runs.len() - sent) as libc::c_uint,
                0,
            )
        };
        assert!(count > 0, "sendmmsg: {}", std::io::Error::last_os_error());
        sent += count as usize;
    }
}

/// Four megabytes each way, past the system's limit where that is allowed.
pub fn widen(socket: &UdpSocket) {
    for (forced, asked) in [
        (libc::SO_RCVBUFFORCE, libc::SO_RCVBUF),
        (libc::SO_SNDBUFFORCE, libc::SO_SNDBUF),
    ] {
        if !set(socket, forced, 4 << 20) {
            set(socket, asked, 4 << 20);
        }
    }
}

pub fn stamp_arrivals(socket: &UdpSocket) {
    assert!(set(socket, libc::SO_TIMESTAMPNS, 1));
}

fn set(socket: &UdpSocket, option: i32, value: i32) -> bool {
    // SAFETY: these options take an int, which lives over the call.
    unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            option,
            (&raw const value).cast(),
            4,
        ) == 0
    }
}
