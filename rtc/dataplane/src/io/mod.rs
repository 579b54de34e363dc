//! Sockets, threads and queues around the plane. Linux only: epoll, recvmmsg, sendmmsg, UDP_SEGMENT.
//!
//! `dataplane` is all of it, `mailbox` its border to Python's thread; a `worker` is one thread, which reads with
//! `receive` and `tcp`, hands everything to its `core::Plane`, and writes with `ports`, `send` and `tcp`.

mod address;
mod arrival;
mod backlog;
mod control;
mod counters;
mod dataplane;
mod event_fd;
mod events;
mod mailbox;
pub mod names;
mod pace;
mod poller;
mod ports;
mod receive;
mod send;
mod tcp;
mod udp;
mod worker;

pub use dataplane::{Dataplane, Listen};
pub use events::{Failure, Notice};
pub use mailbox::QueueFull;
