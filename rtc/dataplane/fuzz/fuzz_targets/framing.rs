//! Any byte stream in pieces of any size: the frames are those that the stream holds, however it was cut.
#![no_main]

#[path = "../../tests/parsers/framing.rs"]
mod parser;

libfuzzer_sys::fuzz_target!(|input: &[u8]| parser::check(input));
