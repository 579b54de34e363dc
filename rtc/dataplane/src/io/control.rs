//! Control messages beside a datagram: segment size, the address it came to, when it came.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;
use std::{mem, ptr};

/// Room for the control messages of one datagram.
#[derive(Clone, Copy)]
#[repr(C, align(8))] // cmsghdr's alignment
pub struct Control {
    bytes: [u8; CAPACITY],
    length: usize,
}

/// What the kernel said about a received datagram.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// The datagram is several of this size, the last may be shorter (UDP_GRO).
    pub segment_size: Option<usize>,
    /// The address it was sent to; only asked for on sockets bound to a wildcard.
    pub destination: Option<IpAddr>,
    /// Arrival since the Unix epoch, by the kernel's clock.
    pub arrival: Option<Duration>,
}

impl Control {
    pub const fn new() -> Self {
        Self {
            bytes: [0; CAPACITY],
            length: 0,
        }
    }

    pub fn clear(&mut self) {
        self.length = 0;
    }

    /// Have the kernel cut what is sent into datagrams of this size (UDP_SEGMENT, Linux 4.18).
    pub fn push_segment_size(&mut self, size: u16) {
        self.push(libc::SOL_UDP, libc::UDP_SEGMENT, size);
    }

    /// Send from this address: an answer from another would be no answer to its ICE peer.
    pub fn push_source(&mut self, source: IpAddr) {
        match source {
            IpAddr::V4(ip) => {
                let address = libc::in_addr {
                    s_addr: ip.to_bits().to_be(),
                };
                let info = libc::in_pktinfo {
                    ipi_ifindex: 0,
                    ipi_spec_dst: address,
                    ipi_addr: libc::in_addr { s_addr: 0 },
                };
                self.push(libc::IPPROTO_IP, libc::IP_PKTINFO, info);
            }
            IpAddr::V6(ip) => {
                let info = libc::in6_pktinfo {
                    ipi6_addr: libc::in6_addr {
                        s6_addr: ip.octets(),
                    },
                    ipi6_ifindex: 0,
                };
                self.push(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, info);
            }
        }
    }

    /// Point a header at these messages, for sending.
    pub(super) fn attach(&mut self, header: &mut libc::msghdr) {
        header.msg_control = if self.length == 0 {
            ptr::null_mut()
        } else {
            self.bytes.as_mut_ptr().cast()
        };
        header.msg_controllen = self.length as _;
    }

    /// Point a header at this room, for receiving.
    pub(super) fn offer(&mut self, header: &mut libc::msghdr) {
        header.msg_control = self.bytes.as_mut_ptr().cast();
        header.msg_controllen = CAPACITY as _;
    }

    /// Read what the kernel wrote through a header prepared by `offer`.
    pub(super) fn received(&self, header: &libc::msghdr) -> Received {
        let mut received = Received::default();
        // SAFETY: msg_control points at `self.bytes`, which is aligned for cmsghdr, and the kernel set
        // msg_controllen to what it filled; the macros stay inside that.
        let mut message = unsafe { libc::CMSG_FIRSTHDR(header) };
        while !message.is_null() {
            // SAFETY: a message returned by the macros is whole; its data follows it.
            let (kind, data) = unsafe {
                (
                    ((*message).cmsg_level, (*message).cmsg_type),
                    libc::CMSG_DATA(message),
                )
            };
            received.note(kind, data);
            // SAFETY: as for the first.
            message = unsafe { libc::CMSG_NXTHDR(header, message) };
        }
        received
    }

    fn push<T: Copy>(&mut self, level: i32, kind: i32, value: T) {
        // SAFETY: CMSG_SPACE and CMSG_LEN only compute.
        let (space, length) = unsafe {
            let size = mem::size_of::<T>() as u32;
            (
                libc::CMSG_SPACE(size) as usize,
                libc::CMSG_LEN(size) as usize,
            )
        };
        assert!(
            self.length + space <= CAPACITY,
            "two control messages at most are sent"
        );
        // SAFETY: the assertion keeps header and data inside `bytes`; CMSG_SPACE keeps the alignment
        // of every header; the data is written unaligned.
        unsafe {
            let header = self
                .bytes
                .as_mut_ptr()
                .add(self.length)
                .cast::<libc::cmsghdr>();
            (*header).cmsg_level = level;
            (*header).cmsg_type = kind;
            (*header).cmsg_len = length as _;
            ptr::write_unaligned(libc::CMSG_DATA(header).cast::<T>(), value);
        }
        self.length += space;
    }
}

impl Received {
    fn note(&mut self, kind: (i32, i32), data: *const u8) {
        match kind {
            (libc::SOL_UDP, libc::UDP_GRO) => {
                // SAFETY: udp(7): the data of UDP_GRO is an int.
                let size = unsafe { ptr::read_unaligned(data.cast::<libc::c_int>()) };
                self.segment_size = usize::try_from(size).ok().filter(|&size| size > 0);
            }
            (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                // SAFETY: ip(7): the data of IP_PKTINFO is an in_pktinfo.
                let info = unsafe { ptr::read_unaligned(data.cast::<libc::in_pktinfo>()) };
                let ip = Ipv4Addr::from_bits(u32::from_be(info.ipi_addr.s_addr));
                self.destination = Some(ip.into());
            }
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                // SAFETY: ipv6(7): the data of IPV6_PKTINFO is an in6_pktinfo.
                let info = unsafe { ptr::read_unaligned(data.cast::<libc::in6_pktinfo>()) };
                self.destination = Some(Ipv6Addr::from(info.ipi6_addr.s6_addr).into());
            }
            (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => {
                // SAFETY: socket(7): the data of SCM_TIMESTAMPNS is a timespec.
                let time = unsafe { ptr::read_unaligned(data.cast::<libc::timespec>()) };
                self.arrival = Some(Duration::new(time.tv_sec as u64, time.tv_nsec as u32));
            }
            _ => {}
        }
    }
}

/// UDP_GRO (24 with header), packet info (40) and a timestamp (32), rounded up.
const CAPACITY: usize = 128;
