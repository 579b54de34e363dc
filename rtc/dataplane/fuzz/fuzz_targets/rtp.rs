//! Any datagram as RTP: read header, extensions and padding, write the header again and read that.
#![no_main]

#[path = "../../tests/parsers/rtp.rs"]
mod parser;

libfuzzer_sys::fuzz_target!(|input: &[u8]| parser::check(input));
