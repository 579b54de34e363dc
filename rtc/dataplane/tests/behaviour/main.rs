//! The plane as peers meet it: real STUN, SRTP and RTCP over a seeded bad wire, on a virtual clock.

mod batches;
mod extensions;
mod forwarding;
mod hostile;
mod ice;
mod layers;
mod repair;
mod replay;
mod reports;
mod requests;
mod speakers;
mod switching;
mod waking;
mod world;
