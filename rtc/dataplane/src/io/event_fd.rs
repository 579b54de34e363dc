//! A counter that another thread can wait for: how threads wake a worker, and workers wake Python.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

/// A Linux eventfd that is written at most once per `reset`.
///
/// The flag spares the system call when the other side has not yet looked.
#[derive(Debug)]
pub struct EventFd {
    descriptor: OwnedFd,
    raised: AtomicBool,
}

impl EventFd {
    pub fn new() -> io::Result<Self> {
        // SAFETY: eventfd takes no pointers; the result is checked before it is used.
        let raw = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if raw < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: `raw` is an open descriptor that nothing else owns.
        let descriptor = unsafe { OwnedFd::from_raw_fd(raw) };
        Ok(Self {
            descriptor,
            raised: AtomicBool::new(false),
        })
    }

    /// Make the descriptor readable. Call it after the work it announces is in place.
    pub fn raise(&self) {
        if self.raised.swap(true, Ordering::AcqRel) {
            return;
        }
        let one = 1u64.to_ne_bytes();
        // SAFETY: the buffer is eight bytes, as eventfd(2) asks, and lives over the call.
        // It can fail only when the counter is full, and then the descriptor is readable anyway.
        unsafe { libc::write(self.descriptor.as_raw_fd(), one.as_ptr().cast(), one.len()) };
    }

    /// Make the descriptor unreadable. Call it before looking for work: what comes later raises again.
    pub fn reset(&self) {
        let mut count = [0u8; 8];
        // SAFETY: the buffer is eight bytes and lives over the call; EAGAIN means it was not raised.
        unsafe {
            libc::read(
                self.descriptor.as_raw_fd(),
                count.as_mut_ptr().cast(),
                count.len(),
            )
        };
        self.raised.store(false, Ordering::Release);
    }
}

impl AsRawFd for EventFd {
    fn as_raw_fd(&self) -> RawFd {
        self.descriptor.as_raw_fd()
    }
}
