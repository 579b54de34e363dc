//! Any bytes as extension elements of any profile, and as the value of each extension that is read.
#![no_main]

#[path = "../../tests/parsers/extensions.rs"]
mod parser;

libfuzzer_sys::fuzz_target!(|input: &[u8]| parser::check(input));
