//! Waiting for whichever descriptor is ready first (epoll, level triggered).

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

/// Names a descriptor in what `Poller::wait` returns.
pub type Token = u64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    pub token: Token,
    pub readable: bool,
    pub writable: bool,
}

#[derive(Debug)]
pub struct Poller {
    descriptor: OwnedFd,
}

impl Poller {
    pub fn new() -> io::Result<Self> {
        // SAFETY: epoll_create1 takes no pointers; the result is checked before it is used.
        let raw = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if raw < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: `raw` is an open descriptor that nothing else owns.
        Ok(Self {
            descriptor: unsafe { OwnedFd::from_raw_fd(raw) },
        })
    }

    /// Watch for readability. Closing the descriptor ends the watch.
    pub fn add(&self, watched: &impl AsRawFd, token: Token) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, watched.as_raw_fd(), token, false)
    }

    /// Also watch for writability, or no longer.
    pub fn want_write(&self, watched: &impl AsRawFd, token: Token, wanted: bool) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_MOD, watched.as_raw_fd(), token, wanted)
    }

    /// Wait until something is ready or the time is over (`None`: without end), and fill `ready`.
    pub fn wait(&self, ready: &mut Vec<Ready>, timeout: Option<Duration>) -> io::Result<()> {
        ready.clear();
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; READY_AT_ONCE];
        let count = self.wait_raw(&mut events, timeout);
        if count < 0 {
            let error = io::Error::last_os_error();
            return if error.kind() == io::ErrorKind::Interrupted {
                Ok(())
            } else {
                Err(error)
            };
        }
        for event in &events[..count as usize] {
            let bits = event.events as i32;
            ready.push(Ready {
                token: event.u64,
                // An error or a hang-up is found out by reading.
                readable: bits & (libc::EPOLLIN | libc::EPOLLERR | libc::EPOLLHUP) != 0,
                writable: bits & libc::EPOLLOUT != 0,
            });
        }
        Ok(())
    }

    /// epoll_pwait2: RTP pacing and NACK timers need better than the millisecond of epoll_wait.
    fn wait_raw(
        &self,
        events: &mut [libc::epoll_event],
        timeout: Option<Duration>,
    ) -> libc::c_long {
        let time = timeout.map(|timeout| libc::timespec {
            tv_sec: timeout.as_secs() as libc::time_t,
            tv_nsec: timeout.subsec_nanos() as libc::c_long,
        });
        let time = time.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
        // SAFETY: `events` is writable for its length, `time` is null or points to a timespec that
        // lives over the call, and no signal mask is given.
        unsafe {
            libc::syscall(
                libc::SYS_epoll_pwait2,
                self.descriptor.as_raw_fd(),
                events.as_mut_ptr(),
                events.len() as libc::c_int,
                time,
                std::ptr::null::<libc::sigset_t>(),
                0usize,
            )
        }
    }

    fn control(&self, operation: i32, watched: RawFd, token: Token, write: bool) -> io::Result<()> {
        let interest = libc::EPOLLIN | if write { libc::EPOLLOUT } else { 0 };
        let mut event = libc::epoll_event {
            events: interest as u32,
            u64: token,
        };
        // SAFETY: `event` lives over the call; the kernel checks both descriptors.
        let result =
            unsafe { libc::epoll_ctl(self.descriptor.as_raw_fd(), operation, watched, &mut event) };
        if result < 0 {
            Err(io::Error::last_os_error())
        } else {
            Ok(())
        }
    }
}

/// More stay ready and are returned by the next call.
const READY_AT_ONCE: usize = 64;
