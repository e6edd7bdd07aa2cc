//! Feeds the target `conductor`; what it promises is in the library.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| kymo_fuzz::run("conductor", bytes));
