//! Any payload as each codec's, with VP8's ids rewritten in place.
#![no_main]

#[path = "../../tests/parsers/codec.rs"]
mod parser;

libfuzzer_sys::fuzz_target!(|input: &[u8]| parser::check(input));
