//! The plane as peers meet it: real STUN, SRTP and RTCP over a seeded bad wire, on a virtual clock.

mod forwarding;
mod ice;
mod repair;
mod replay;
mod world;
