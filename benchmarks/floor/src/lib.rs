//! What the floor and the load have in common: SRTP (RFC 3711, RFC 7714) and datagrams in bulk.
//!
//! Written apart from the server's own crate, so that neither hides the other's cost or faults.

pub mod bulk;
pub mod srtp;
pub mod text;
