//! A row of dependency descriptors, each with the structure that the ones before it left.
#![no_main]

#[path = "../../tests/parsers/dependency_descriptor.rs"]
mod parser;

libfuzzer_sys::fuzz_target!(|input: &[u8]| parser::check(input));
