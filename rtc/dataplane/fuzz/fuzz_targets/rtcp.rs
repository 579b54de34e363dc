//! Any bytes as an RTCP compound: read every packet to its end, and write again what can be written.
#![no_main]

#[path = "../../tests/parsers/rtcp.rs"]
mod parser;

libfuzzer_sys::fuzz_target!(|input: &[u8]| parser::check(input));
