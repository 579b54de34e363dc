//! One UDP socket: opened, bound and given its options.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use super::address::RawAddress;

/// Buffers asked of the kernel: 4 MiB is a third of a second at 100 Mbit/s. It may grant less (net.core.*mem_max).
pub const BUFFER_BYTES: usize = 4 << 20;

#[derive(Debug)]
pub struct UdpSocket {
    descriptor: OwnedFd,
    local: SocketAddr,
    /// The smaller of both buffers as granted, in bytes.
    pub buffer_bytes: usize,
}

impl UdpSocket {
    /// Bind without blocking mode. IPv6 sockets take IPv6 only, so that both families share a port.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let descriptor = open(address, libc::SOCK_DGRAM)?;
        if address.ip().is_unspecified() {
            request_destination(&descriptor, address)?;
        }
        // Several datagrams of one size in one buffer (Linux 5.0); an older kernel gives them one by one.
        let _ = set_option(&descriptor, libc::SOL_UDP, libc::UDP_GRO, 1);
        // Arrival times feed bandwidth estimation: the kernel's do not wait until the worker is free.
        set_option(&descriptor, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1)?;
        let buffer_bytes = raise_buffers(&descriptor)?;
        bind(&descriptor, address)?;
        let local = local_address(&descriptor)?;
        Ok(Self {
            descriptor,
            local,
            buffer_bytes,
        })
    }

    /// The bound address, with the port that was chosen.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// Whether datagrams from `local` leave through this socket, exactly or as a wildcard.
    pub fn serves(&self, local: SocketAddr) -> bool {
        self.local == local
            || (self.local.is_ipv4() == local.is_ipv4()
                && self.is_wildcard()
                && self.local.port() == local.port())
    }

    pub fn is_wildcard(&self) -> bool {
        self.local.ip().is_unspecified()
    }

    /// The local end of a datagram that came to `destination`.
    pub fn local_of(&self, destination: Option<IpAddr>) -> SocketAddr {
        destination.map_or(self.local, |ip| SocketAddr::new(ip, self.local.port()))
    }
}

impl AsRawFd for UdpSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.descriptor.as_raw_fd()
    }
}

/// A socket that neither blocks nor survives exec.
pub(super) fn open(address: SocketAddr, kind: i32) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() {
        libc::AF_INET
    } else {
        libc::AF_INET6
    };
    // SAFETY: socket takes no pointers; the result is checked before it is used.
    let raw = unsafe { libc::socket(family, kind | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC, 0) };
    if raw < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `raw` is an open descriptor that nothing else owns.
    let descriptor = unsafe { OwnedFd::from_raw_fd(raw) };
    if family == libc::AF_INET6 {
        set_option(&descriptor, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 1)?;
    }
    Ok(descriptor)
}

pub(super) fn bind(socket: &OwnedFd, address: SocketAddr) -> io::Result<()> {
    let raw = RawAddress::from(address);
    // SAFETY: the storage holds a sockaddr of that length and lives over the call.
    let result = unsafe {
        libc::bind(
            socket.as_raw_fd(),
            (&raw const raw.storage).cast(),
            raw.length,
        )
    };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

pub(super) fn set_option(
    socket: &impl AsRawFd,
    level: i32,
    name: i32,
    value: i32,
) -> io::Result<()> {
    // SAFETY: every option set here takes an int, which lives over the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            (&raw const value).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

pub(super) fn local_address(socket: &OwnedFd) -> io::Result<SocketAddr> {
    let mut raw = RawAddress::empty();
    // SAFETY: the storage is writable for the length given, and both live over the call.
    let result = unsafe {
        libc::getsockname(
            socket.as_raw_fd(),
            (&raw mut raw.storage).cast(),
            &raw mut raw.length,
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    raw.get()
        .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
}

fn request_destination(socket: &OwnedFd, address: SocketAddr) -> io::Result<()> {
    match address {
        SocketAddr::V4(_) => set_option(socket, libc::IPPROTO_IP, libc::IP_PKTINFO, 1),
        SocketAddr::V6(_) => set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 1),
    }
}

/// As root the limits can be passed over (SO_*BUFFORCE); else the kernel caps quietly.
fn raise_buffers(socket: &OwnedFd) -> io::Result<usize> {
    let mut granted = usize::MAX;
    for (forced, asked) in [
        (libc::SO_RCVBUFFORCE, libc::SO_RCVBUF),
        (libc::SO_SNDBUFFORCE, libc::SO_SNDBUF),
    ] {
        if set_option(socket, libc::SOL_SOCKET, forced, BUFFER_BYTES as i32).is_err() {
            set_option(socket, libc::SOL_SOCKET, asked, BUFFER_BYTES as i32)?;
        }
        // The kernel doubles the value for its own bookkeeping and reports the double (socket(7)).
        granted = granted.min(int_option(socket, asked)? / 2);
    }
    Ok(granted)
}

fn int_option(socket: &OwnedFd, name: i32) -> io::Result<usize> {
    let mut value: libc::c_int = 0;
    let mut length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the option is an int; value and length live over the call.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            name,
            (&raw mut value).cast(),
            &raw mut length,
        )
    };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(value.max(0) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_families_share_a_port() {
        let four = UdpSocket::bind("0.0.0.0:0".parse().unwrap()).unwrap();
        let port = four.local().port();
        let Ok(six) = UdpSocket::bind(SocketAddr::new("::".parse().unwrap(), port)) else {
            return; // a machine without IPv6
        };
        assert_eq!(six.local().port(), port);
        assert!(six.serves(SocketAddr::new("2001:db8::1".parse().unwrap(), port)));
        assert!(!six.serves(SocketAddr::new("192.0.2.1".parse().unwrap(), port)));
    }

    #[test]
    fn a_socket_on_one_address_serves_no_other() {
        let socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let port = socket.local().port();
        assert!(socket.serves(socket.local()));
        assert!(!socket.serves(SocketAddr::new("127.0.0.2".parse().unwrap(), port)));
    }
}
