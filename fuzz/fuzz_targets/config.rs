//! See `tests/src/fuzz/config.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    aemp_tests::fuzz::run("config", input);
});
