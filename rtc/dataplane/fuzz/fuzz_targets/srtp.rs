//! Packets from the network into every profile, and packets of ours out and in again; windows and rollover counters.
#![no_main]

#[path = "../../tests/parsers/srtp.rs"]
mod parser;

libfuzzer_sys::fuzz_target!(|input: &[u8]| parser::check(input));
