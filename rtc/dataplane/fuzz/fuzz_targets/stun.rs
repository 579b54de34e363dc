//! Any datagram as a STUN message: read it, check it, and see that what we answer is well formed.
#![no_main]

#[path = "../../tests/parsers/stun.rs"]
mod parser;

libfuzzer_sys::fuzz_target!(|input: &[u8]| parser::check(input));
