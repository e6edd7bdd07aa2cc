//! Feeds the target `ops`; what it promises is in the library.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| kymo_fuzz::run("ops", bytes));
