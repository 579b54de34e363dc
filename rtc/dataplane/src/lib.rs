//! The data plane of hubbub: encrypted packets in, encrypted packets out.
//!
//! `wire`, `codec` and `srtp` turn bytes into values and back, `core` decides, `io` owns sockets and threads.

pub mod codec;
pub mod core;
pub mod io;
pub mod srtp;
pub mod wire;

#[cfg(feature = "python")]
mod python;
